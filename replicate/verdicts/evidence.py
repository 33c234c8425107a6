"""One comparison of a claim's test, weighed: an effect with its interval, and p for and against the claim."""

from collections.abc import Callable
from dataclasses import dataclass

from replicate.papers.claims import Cell
from replicate.verdicts.estimates import MAX_SEEDS
from replicate.verdicts.samples import Samples

NAMED = 3  # rows named in a sentence before it says "and 4 more rows"
NOT_MEASURED = "not measured: "


def _never(level: float) -> int:
    return MAX_SEEDS + 1


@dataclass(frozen=True)
class Evidence:
    """One comparison. `label` says what the claim says of it.

    p_holds, p_fails: one-sided p of "it is as claimed" and of "it is the opposite"; small means shown.
    seeds: two-sided level -> seeds per variant that would decide. reason: why nothing can be said; empty if it can.
    """

    label: str
    cells: tuple[Cell, ...]
    unit: str = ""
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    p_holds: float = 1.0
    p_fails: float = 1.0
    seeds: Callable[[float], int] = _never
    reason: str = ""
    finding: str = ""  # a sentence of its own, where effect and interval do not say it
    counted: bool = False

    @property
    def leans(self) -> bool:
        """Whether it looks as claimed, however weakly."""
        return self.p_holds <= self.p_fails


@dataclass(frozen=True)
class Condition:
    """Comparisons that are measured or skipped as a whole: one column, one ladder, one network with its twin."""

    label: str
    evidence: tuple[Evidence, ...]

    @property
    def measured(self) -> bool:
        """Whether at least one comparison has all of its rows."""
        return any(not e.reason.startswith(NOT_MEASURED) for e in self.evidence)

    def missing(self, samples: Samples) -> str:
        """What was not measured, for a sentence: rows by name, or the whole condition."""
        cells = [cell for e in self.evidence for cell in e.cells if cell not in samples]
        rows = list(dict.fromkeys(f"'{cell.row}'" for cell in cells))  # quoted, since names have commas
        columns = ", ".join(dict.fromkeys(cell.metric or "" for cell in cells))
        more = f" and {len(rows) - NAMED} more rows" if len(rows) > NAMED else ""
        return f"{columns} of {', '.join(rows[:NAMED])}{more}" if rows else self.label
