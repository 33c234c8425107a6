"""From the evidence on a claim to its verdict, alone or among the claims of its table."""

from collections.abc import Mapping, Sequence
from itertools import accumulate

import pandas as pd

from replicate.papers.schema import Claim, Table
from replicate.verdicts.estimates import LEVEL
from replicate.verdicts.evidence import Evidence
from replicate.verdicts.explain import explain
from replicate.verdicts.samples import collect
from replicate.verdicts.verdict import Outcome, Verdict
from replicate.verdicts.weighed import Weighed, weigh_claim


def judge(claim: Claim, table: Table | None, frame: pd.DataFrame, chance: Mapping[str, float] | None = None) -> Verdict:
    """The verdict on one claim from one experiment at one scale.

    frame: tidy, with the columns of :data:`replicate.verdicts.samples.COLUMNS`; values in the units of `table`.
    chance: metric -> its value when guessing; a diverged run without a number stands there.
    """
    return judge_all([claim], table, frame, chance)[0]


def judge_all(
    claims: Sequence[Claim], table: Table | None, frame: pd.DataFrame, chance: Mapping[str, float] | None = None
) -> list[Verdict]:
    """The verdicts on the claims of one table, in their order, corrected for their number (Holm 1979)."""
    samples = collect(frame, chance)
    weighed = [weigh_claim(claim, table, samples, chance or {}) for claim in claims]
    adjusted = holm([w.p for w in weighed])
    tests = sum(p is not None for p in adjusted)
    return [decide(w, p, tests) for w, p in zip(weighed, adjusted, strict=True)]


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's adjusted p of those that are numbers; None stays None.

    Written out because statsmodels' multipletests runs the garbage collector, 70 ms in every call.
    """
    numbers = sorted(p for p in p_values if p is not None)
    steps = accumulate((min(1.0, (len(numbers) - rank) * p) for rank, p in enumerate(numbers)), max)
    adjusted = dict(zip(numbers, steps, strict=True))
    return [None if p is None else adjusted[p] for p in p_values]


def decide(weighed: Weighed, p_adjusted: float | None, tests: int = 1) -> Verdict:
    """The verdict, with the comparison that decides it. `tests`: how many claims share the 5 %."""
    outcome = weighed.outcome(p_adjusted)
    shown = _deciding(weighed, outcome)
    seeds = _seeds(weighed, LEVEL / max(tests, 1)) if outcome is Outcome.UNDECIDED else None
    return Verdict(
        claim=weighed.claim.id,
        statement=weighed.claim.statement,
        kind=weighed.claim.kind,
        outcome=outcome,
        effect=shown.effect if shown else None,
        low=shown.low if shown else None,
        high=shown.high if shown else None,
        unit=shown.unit if shown else "",
        n=len(weighed.runs),
        p=weighed.p,
        p_adjusted=p_adjusted,
        seeds_needed=seeds,
        detail=explain(weighed, outcome, shown, seeds),
    )


def _deciding(weighed: Weighed, outcome: Outcome) -> Evidence | None:
    """The comparison to show: the one that refutes, else the weakest of those that must hold."""
    if weighed.refuted:
        return weighed.refuted
    if not weighed.tested:
        return next(iter(weighed.evidence), None)
    if outcome is Outcome.CONTRADICTED:
        return min(weighed.tested, key=lambda e: e.p_fails)
    return max(weighed.tested, key=lambda e: e.p_holds)


def _seeds(weighed: Weighed, level: float) -> int | None:
    """Seeds per variant that would decide: to refute, the cheapest reversed comparison; to support, the dearest."""
    reversed_ones = [e for e in weighed.tested if not e.leans]
    if reversed_ones:
        needed = [e.seeds(level / len(weighed.tested)) for e in reversed_ones]
        return max(_seeds_now(weighed) + 1, min(needed))
    if weighed.blocked:
        return None
    return max([_seeds_now(weighed) + 1, *(e.seeds(level) for e in weighed.tested if e.p_holds > level / 2)])


def _seeds_now(weighed: Weighed) -> int:
    return min(len(weighed.samples[cell].runs) for e in weighed.tested for cell in e.cells)
