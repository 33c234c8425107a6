"""The forest: every answer on trained networks with an effect, beside the paper's own, as data for its renderers."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import asinh

from replicate.papers import load_paper
from replicate.report.verdict_file import Answered, VerdictFile
from replicate.report.wording import cite, plural
from replicate.verdicts import Outcome

FOREST = "forest.svg"
"""The file of results/ with the figure."""
WIDTH = 0.05
"""The share of the level under which the axis is linear; beyond it is logarithmic, so that it shows 2 % and 100 %."""
WIDEST, NARROWEST = 1.2, 0.25
"""Shares of the level at which the axis ends at most and at least; what lies farther is an arrow."""
TICKS = (-1, -0.5, -0.2, -0.1, -0.05, -0.02, 0, 0.02, 0.05, 0.1, 0.2, 0.5, 1)
ORDER = (Outcome.HOLDS, Outcome.OPPOSITE, Outcome.SMALLER, Outcome.PREMISE, Outcome.UNDECIDED)


@dataclass(frozen=True)
class ForestLine:
    """One answer of one experiment at one scale."""

    data: VerdictFile
    answer: Answered

    @property
    def sign(self) -> int:
        """Effects are turned so that a positive one is as the paper claims; kept where it claims neither sign."""
        return self.answer.claimed or 1

    @property
    def measured(self) -> float:
        """The effect as a share of the level."""
        return self.sign * (self.answer.relative or 0.0)

    @property
    def published(self) -> float | None:
        """The same of the numbers that the paper prints."""
        found = self.answer.published_relative
        return None if found is None else self.sign * found

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end; what is open is infinite."""
        low, high = self.answer.relative_low, self.answer.relative_high
        ends = (-float("inf") if low is None else low, float("inf") if high is None else high)
        first, second = sorted(self.sign * end for end in ends)
        return first, second

    @property
    def paper(self) -> str:
        return cite(load_paper(self.data.paper))

    @property
    def numbers(self) -> str:
        """`5.0 % [-3.8, 13.7]; paper 18.1 %`."""
        low, high = self.interval
        said = f"{percent(self.measured)} % [{percent(low)}, {percent(high)}]"
        return said if self.published is None else f"{said}; paper {percent(self.published)} %"


@dataclass(frozen=True)
class Forest:
    """The lines, answers first; `left_out` says which answers on trained networks have no effect to draw."""

    lines: tuple[ForestLine, ...]
    left_out: str

    @cached_property
    def end(self) -> float:
        """Where the axis ends on either side, as a share of the level."""
        known = [abs(value) for line in self.lines for value in (*line.interval, line.measured, line.published or 0.0)]
        return min(WIDEST, max([NARROWEST, *(1.1 * value for value in known if value != float("inf"))]))

    @property
    def ticks(self) -> list[float]:
        return [tick for tick in TICKS if abs(tick) <= self.end]

    def at(self, share: float) -> float:
        """Percent of the axis's length from its left end; what lies beyond stands at the end."""
        inside = max(-self.end, min(self.end, share))
        return round(50 + 50 * asinh(inside / WIDTH) / asinh(self.end / WIDTH), 2)


def percent(share: float) -> str:
    """A share in percent, as far as a reader needs it."""
    return (
        "open" if abs(share) == float("inf") else f"{100 * share:.0f}" if abs(share) >= 0.995 else f"{100 * share:.1f}"
    )


def forest(found: Iterable[VerdictFile]) -> Forest:
    """The answers on trained networks in `found`: those with an effect as a share of a level; the rest are counted."""
    lines = [ForestLine(data, answer) for data in found for answer in data.verdicts if answer.trained]
    known = [line for line in lines if line.answer.outcome in ORDER]
    drawn = [line for line in known if line.answer.relative is not None and line.answer.kind != "ratio"]
    others = [line.answer for line in known if line not in drawn]  # no effect decides a ratio within bounds of its own
    drawn.sort(key=lambda line: (ORDER.index(line.answer.outcome), -line.measured))
    return Forest(tuple(drawn), told(others))


def told(others: Sequence[Answered]) -> str:
    """The answers that have no effect to draw, counted."""
    if not others:
        return ""
    counts = Counter(answer.answer for answer in others)
    said = ", ".join(f"{count} {word}" for word, count in counts.most_common())
    are = "is about a level or a form and is" if len(others) == 1 else "are about a level or a form and are"
    return f"{plural(len(others), 'further answer')} {are} not drawn: {said}."
