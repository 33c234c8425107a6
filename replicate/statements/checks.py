"""The register of checks: every statement of the source documents about convolutions, and the code that decides it.

A check has the name of its claim in papers/conv_arithmetic.yaml and the part of the module that it stands in. It knows
nothing of what is printed: it returns what it computed, and the verdict engine compares. The papers' own formulas have
parts as well, whose claims stand in the papers' files.
"""

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module

import torch

from replicate.data.random import derived_seed
from replicate.errors import UserError, unknown
from replicate.experiments.run_config import Block
from replicate.runs.records import Measurement
from replicate.runs.task import Task

Figures = dict[str, float]
"""What a check computed: {name: number in the unit of the paper's table}; "" is the percentage of cases that held."""

Check = Callable[[], Figures]

PARTS = (
    "sums",
    "sizes",
    "shifts",
    "evaluation",
    "sharing",
    "groups",
    "stacks",
    "separable",
    "fields",
    "fast",
    "classics",
    "inception",
    "residual",
    "dense",
)
"""Modules of this package with checks; a part is a row of the table and a variant of the experiment."""

PAPER_PARTS = ("blocks", "documents")
"""Modules with checks of what single papers say, the table `statements` of each; a part is a row of it."""

_CHECKS: dict[str, dict[str, Check]] = {}


def check(function: Check) -> Check:
    """Make `function` the check of the claim of its own name."""
    part = _CHECKS.setdefault(function.__module__.rpartition(".")[2], {})
    if function.__name__ in part:
        raise ValueError(f"two checks are called {function.__name__}")
    part[function.__name__] = function
    return function


def checks_of(part: str) -> dict[str, Check]:
    """Claim -> check, for the checks of one part. Raises UserError for a part that does not exist."""
    if part not in (known := (*PARTS, *PAPER_PARTS)):
        raise unknown("part with checks", part, known)
    import_module(f"replicate.statements.{part}")
    return _CHECKS[part]


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


class Arithmetic(Block):
    """The checks of one part (a module of this package), or of those of its `claims` that are named."""

    part: str
    claims: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises UserError for a part or claim that does not exist."""
        known = checks_of(self.part)
        for claim in self.claims:
            if claim not in known:
                raise unknown(f"claim of part {self.part}", claim, known)

    def measure(self, task: Task) -> Iterator[Measurement]:
        """One measurement for each figure, under its column's name."""
        for name, value in run_part(self.part, task.run.seed, self.claims).items():
            yield Measurement(metric=name, value=value)
