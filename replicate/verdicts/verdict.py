"""What a verdict says."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """The answer to a claim at one scale."""

    HOLDS = "holds"
    OPPOSITE = "opposite"
    SMALLER = "smaller"
    PREMISE = "premise not met"
    UNDECIDED = "undecided"
    EXACT = "exact"
    DIFFERS = "differs"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Verdict:
    """The answer to one claim.

    effect with its interval low to high, in `unit`: of the comparison that decides (the weakest that must hold, the one
    that fails). The interval is the one that decides: at the level of its look, which a claim's comparisons share where
    the answer is "opposite" or open. n: runs that the answer rests on; seeds: a row, at the look that decided. p:
    two-sided, before the looks are counted. detail: prose.
    claimed: the sign of the effect that the claim asserts, 0 where it asserts neither.
    relative with relative_low and relative_high: the effect as a share of the level, published_relative that of the
    paper's numbers, smallest the least that so many seeds see with power 0.8; None where there is no level.
    margin: under which share of the level an effect is called small.
    hold of total: comparisons that are shown as claimed; open: the names of those that are not. partly: which part of
    the claim was not measured; such a verdict is never HOLDS or EXACT.
    """

    claim: str
    statement: str
    kind: str
    outcome: Outcome
    effect: float | None
    low: float | None
    high: float | None
    unit: str
    n: int
    seeds: int
    p: float | None
    detail: str
    relative: float | None = None
    relative_low: float | None = None
    relative_high: float | None = None
    published_relative: float | None = None
    smallest: float | None = None
    margin: float = 0.1
    hold: int = 0
    total: int = 0
    open: tuple[str, ...] = ()
    partly: str = ""
    claimed: int = 0

    @property
    def holds_in_part(self) -> bool:
        """Whether all that was measured holds, but it is not all that the claim says."""
        return bool(self.partly) and self.outcome is Outcome.UNDECIDED and 0 < self.hold == self.total

    def words(self, comparable: bool, counted: bool = False) -> str:
        """The answer for a report; `comparable`: measured on the paper's own data and sizes, or counted."""
        return answer_words(self.outcome, comparable, self.margin, self.holds_in_part, counted)


def answer_words(
    outcome: Outcome, comparable: bool, margin: float = 0.1, in_part: bool = False, counted: bool = False
) -> str:
    """`holds here` of a laptop's task, `reproduced` of the paper's own experiment, `exact` of what is counted.

    >>> answer_words(Outcome.SMALLER, comparable=False), answer_words(Outcome.OPPOSITE, comparable=True)
    ('smaller than 10 % here', 'contradicted')
    """
    here = "" if comparable else " here"
    if in_part:
        return "reproduced in part" if comparable and not counted else f"holds in part{here}"
    words = {
        Outcome.HOLDS: "exact" if counted else "reproduced" if comparable else "holds here",
        Outcome.OPPOSITE: "differs" if counted else "contradicted" if comparable else "opposite here",
        Outcome.SMALLER: f"smaller than {100 * margin:g} %{here}",
        Outcome.PREMISE: f"{outcome.value}{here}",
    }
    return words.get(outcome, outcome.value)
