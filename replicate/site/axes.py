"""Axes of the site's charts: from values to places in percent of the plot, with round ticks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.ticker import MaxNLocator

MARGIN = 0.06  # of the range, free on either side
STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Tick:
    """`at`: percent of the axis's length from its start."""

    at: float
    text: str


@dataclass(frozen=True)
class Axis:
    """A linear axis from `low` to `high`, in the unit of the values. `whole`: only whole numbers are ticked."""

    low: float
    high: float
    most_ticks: int = 5
    whole: bool = False

    def at(self, value: float) -> float:
        """Percent of the axis's length, with the two decimals that a screen can show."""
        return round(100 * (value - self.low) / (self.high - self.low), 2)

    @property
    def ticks(self) -> tuple[Tick, ...]:
        places = MaxNLocator(self.most_ticks, steps=STEPS, integer=self.whole).tick_values(self.low, self.high)
        inside = [float(place) for place in places if self.low <= place <= self.high]
        return tuple(Tick(self.at(place), text) for place, text in zip(inside, tick_texts(inside), strict=True))


def axis(values: Iterable[float], most_ticks: int = 5, margin: float = MARGIN) -> Axis:
    """The axis that holds `values`. A single value stands in the middle of a short one."""
    known = list(values) or [0.0]
    low, high = min(known), max(known)
    whole = margin == 0 and all(value == round(value) for value in known)  # epochs, blocks
    spare = margin * (high - low) or (max(abs(low) * MARGIN, 1e-9) if low == high else 0.0)
    return Axis(low - spare, high + spare, most_ticks, whole)


def tick_texts(places: Sequence[float]) -> list[str]:
    """All ticks with the decimals that the finest of them needs."""
    texts = [f"{place:.6g}" for place in places]
    if any("e" in text for text in texts):
        return texts
    most = max((len(text.partition(".")[2]) for text in texts), default=0)
    return [f"{place:,.{most}f}" for place in places]
