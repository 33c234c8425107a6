"""How many seeds a paper's own effect needs at the spread that was measured here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from replicate.papers.claims import Cell, CollapseTest, GrowthTest, RatioTest
from replicate.papers.printed import is_number
from replicate.papers.schema import Claim, Table
from replicate.verdicts.estimates import LEVEL, MAX_SEEDS
from replicate.verdicts.samples import Sample, Samples, collect
from replicate.verdicts.weighed import Weighed, weigh_claim


@dataclass(frozen=True)
class Power:
    """What one claim would need.

    comparison: the dearest of those that must hold; effect: as the paper prints it, in `unit`. have: the fewest seeds
    that a row of it has. seeds: seeds per variant that decide it with power 0.8 (MAX_SEEDS + 1: more than MAX_SEEDS);
    None, with the reason, where that cannot be told.
    """

    claim: str
    statement: str
    comparison: str = ""
    effect: float | None = None
    unit: str = ""
    have: int = 0
    seeds: int | None = None
    reason: str = ""

    @property
    def seeds_text(self) -> str:
        return "" if self.seeds is None else f"> {MAX_SEEDS}" if self.seeds > MAX_SEEDS else str(self.seeds)


def seeds_for_published(
    claims: Sequence[Claim], table: Table, frame: pd.DataFrame, chance: Mapping[str, float] | None = None
) -> list[Power]:
    """One answer a claim, at the level that each has among all of them (Holm's first step).

    frame: as for :func:`replicate.verdicts.judge`. Its runs keep their spread and get the published means.
    """
    samples = collect(frame, chance)
    weighed = [weigh_claim(c, table, as_published(c, table, samples), chance or {}) for c in claims]
    level = LEVEL / max(1, sum(bool(w.tested) for w in weighed))
    return [power(w, level) for w in weighed]


def as_published(claim: Claim, table: Table, samples: Samples) -> dict[Cell, Sample]:
    """The samples about the published values; a row or column without a printed number is left out.

    A ratio or a power law is a matter of relative spread, so there the values are scaled instead of shifted.
    """
    relative = any(isinstance(test, (RatioTest, GrowthTest)) for test in claim.test)
    moved = {}
    for cell, sample in samples.items():
        printed = published(table, cell)
        if printed is None or not len(sample.values):
            continue
        mean = float(np.mean(sample.values))
        values = sample.values * (printed / mean) if relative and mean else sample.values - mean + printed
        moved[cell] = replace(sample, values=values)
    return moved


def published(table: Table, cell: Cell) -> float | None:
    """The number that the table prints for the cell."""
    rows = [row for row in table.rows if row.variant == cell.row]
    value = rows[0].published.get(cell.metric or "") if len(rows) == 1 else None
    return float(value) if is_number(value) else None


def power(weighed: Weighed, level: float) -> Power:
    """The dearest comparison of the claim that must hold."""
    claim = weighed.claim
    answer = Power(claim.id, claim.statement)
    if any(isinstance(test, CollapseTest) for test in claim.test):
        return replace(answer, reason="whether runs fail is no matter of a published number")
    if not weighed.tested:
        return replace(answer, reason=why_not(weighed))
    needed, dearest = max(((e.seeds(level), e) for e in weighed.tested), key=lambda pair: pair[0])
    return replace(
        answer,
        comparison=dearest.label,
        effect=dearest.effect,
        unit=dearest.unit,
        have=min(len(weighed.samples[cell].values) for cell in dearest.cells),
        seeds=needed if dearest.leans else None,
        reason="" if dearest.leans else "the published numbers themselves do not show it",
    )


def why_not(weighed: Weighed) -> str:
    """Why no seeds would help, or are known to."""
    if any(e.counted and not e.reason for e in weighed.evidence):
        return "counted, not trained: one run decides"
    return weighed.blocked or f"not measured here or not printed: {', '.join(weighed.skipped) or 'no test'}"
