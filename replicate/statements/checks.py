"""The register of checks: every statement of the source documents about convolutions, and the code that decides it.

A check has the name of its claim in papers/conv_arithmetic.yaml and the part of the module that it stands in. It knows
nothing of what is printed: it returns what it computed, and the verdict engine compares. The papers' own formulas have
parts as well, whose claims stand in the papers' files.
"""

from collections.abc import Callable, Iterable
from importlib import import_module

import torch

from replicate.data.random import derived_seed
from replicate.errors import UserError, unknown

Figures = dict[str, float]
"""What a check computed: {name: number in the unit of the paper's table}; "" is the percentage of cases that held."""

Check = Callable[[], Figures]

PARTS = {
    "sums": "sums",
    "sizes": "sizes",
    "shifts": "shifts",
    "evaluation": "dense_evaluation",
    "sharing": "sharing",
    "groups": "groups",
    "stacks": "stacks",
    "separable": "separable",
    "fields": "fields",
    "fast": "fast",
    "classics": "classics",
    "inception": "inception_costs",
    "residual": "residual",
    "dense": "dense_connections",
}
"""Part -> the module of this package with its checks; a part is a row of the table and a variant of the experiment."""

PAPER_PARTS = {"blocks": "bottlenecks", "documents": "documents"}
"""The same for what single papers say, the table `statements` of each; a part is a row of it."""

_CHECKS: dict[str, dict[str, Check]] = {}


def check(function: Check) -> Check:
    """Make `function` the check of the claim that has its name."""
    register(function.__module__, function.__name__, function)
    return function


def register(module: str, claim: str, function: Check) -> None:
    """Make `function` the check of a claim of the module's part."""
    checks = _CHECKS.setdefault(module.rpartition(".")[2], {})
    if claim in checks:
        raise ValueError(f"two checks are called {claim}")
    checks[claim] = function


def checks_of(part: str) -> dict[str, Check]:
    """Claim -> check, for the checks of one part. Raises UserError for a part that does not exist."""
    if part not in (known := {**PARTS, **PAPER_PARTS}):
        raise unknown("part with checks", part, known)
    import_module(f"replicate.statements.{known[part]}")
    return _CHECKS[known[part]]


def run_check(claim: str, function: Check, seed: int) -> Figures:
    """Run a check on tensors that follow from `seed` and the claim's name, in double precision on the CPU.

    The columns are the claim's name, and that name followed by a figure's. The caller's random state is kept.
    """
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(seed, "convolution", claim))
            figures = function()
    finally:
        torch.set_default_dtype(before)
    return {f"{claim} {name}".rstrip(): shortened(value) for name, value in figures.items()}


def shortened(value: float) -> float:
    """Whole numbers as they are, others to nine significant digits, which is more than any source prints."""
    return float(value) if value == round(value) else float(f"{value:.9g}")


def run_part(part: str, seed: int, claims: Iterable[str] = ()) -> Figures:
    """All figures of one part, or of those of its claims that are named. Raises UserError for an unknown part."""
    wanted = tuple(claims)
    figures: Figures = {}
    for claim, function in checks_of(part).items():
        if claim in wanted or not wanted:
            figures |= run_check(claim, function, seed)
    return figures


def holds(cases: Iterable[bool]) -> Figures:
    """In how many percent of the cases a statement held. Raises UserError when there was no case to try."""
    outcomes = [bool(case) for case in cases]
    if not outcomes:
        raise UserError("a check tried no case")
    return {"": 100 * sum(outcomes) / len(outcomes)}
