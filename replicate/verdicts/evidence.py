"""What one comparison of a claim's test gave, and the circumstances under which it was measured."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from replicate.papers.claims import Cell
from replicate.papers.schema import Table
from replicate.verdicts.comparisons import Comparison
from replicate.verdicts.frame import Run, Samples
from replicate.verdicts.prior import Prior
from replicate.verdicts.quantities import Quantity, quantity

NOT_MEASURED = "not measured: "
MARGIN = 0.1
"""An effect under this share of the level is called small, unless another margin is asked for."""


@dataclass(frozen=True)
class Scene:
    """Everything besides the claim that a verdict depends on.

    measured: published column -> the metric that it was measured by. surrogate: published column of a test error -> the
    name of the loss that decides in its place. comparable: the paper's own data and sizes, where the number of seeds is
    fixed and looked at once.
    """

    table: Table | None
    samples: Samples
    chance: Mapping[str, float] = field(default_factory=dict)
    prior: Prior | None = None
    measured: Mapping[str, str] = field(default_factory=dict)
    surrogate: Mapping[str, str] = field(default_factory=dict)
    comparable: bool = False
    margin: float = MARGIN

    def quantity(self, column: str | None) -> Quantity:
        return quantity(column or "", self.table, self.measured)


class State(Enum):
    """What a comparison was found to be; OPEN is neither shown nor shown to be the opposite."""

    HOLDS = 1
    OPEN = 0
    OPPOSITE = -1


@dataclass(frozen=True)
class Evidence:
    """One comparison, weighed. `label` says what the claim says of it.

    effect with its interval low to high in `unit`; relative: the same three as shares of the level, where there is one.
    p_holds, p_fails: one-sided p of "it is as claimed" and of "it is the opposite", each before any correction.
    seeds: per row, at the look that decided; runs: all that it rests on. small: the effect is smaller than the margin.
    published, published_relative: what the paper's table prints; smallest: the least relative effect that so many seeds
    see. reason: why nothing can be said. finding: a sentence of its own. reversed_here: seen, not shown, to be the
    opposite, which a comparison that need not be shown must not be. conflict: error and loss that show opposite signs.
    """

    label: str
    cells: tuple[Cell, ...] = ()
    unit: str = ""
    state: State = State.OPEN
    small: bool = False
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    relative: tuple[float, float, float] | None = None
    p_holds: float = 1.0
    p_fails: float = 1.0
    seeds: int = 0
    runs: frozenset[Run] = frozenset()
    reason: str = ""
    finding: str = ""
    counted: bool = False
    required: bool = True
    reversed_here: bool = False
    conflict: bool = False
    published: float | None = None
    published_relative: float | None = None
    smallest: float | None = None
    comparison: Comparison | None = None
    beside: "Evidence | None" = None  # the error, where the loss decides

    @property
    def answered(self) -> bool:
        """Whether it is shown as claimed, or shown to be small."""
        return self.state is State.HOLDS or self.small

    @property
    def decided_by_spread(self) -> bool:
        return not self.counted and not self.reason


def missing(cells: tuple[Cell, ...], samples: Samples) -> Iterator[Cell]:
    return (cell for cell in cells if cell not in samples)
