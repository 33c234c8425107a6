"""From a claim's test to comparisons: a contrast of row means and the region that the claim allows it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import combinations, pairwise, product
from math import atanh, inf, isfinite, log

import numpy as np

from replicate.papers.claims import Cell, ClaimTest, EqualTest, GrowthTest, Ladder, OrderTest, RatioTest, TrendTest
from replicate.papers.schema import Table
from replicate.verdicts.frame import Samples
from replicate.verdicts.quantities import difference_unit, spoken

FIRST_TO_LAST = np.array([-1.0, 1.0])
"""The weights of a change from the first rows to the last."""


@dataclass(frozen=True)
class Region:
    """The values that a claim allows: low < truth < high."""

    low: float = -inf
    high: float = inf

    @property
    def bounds(self) -> tuple[float, ...]:
        """The finite bounds."""
        return tuple(bound for bound in (self.low, self.high) if isfinite(bound))

    def contains(self, value: float) -> bool:
        return self.low < value < self.high


class Shape(Enum):
    """How a comparison is said in words."""

    PAIR = "one row below another"
    COLUMNS = "one column below another in a row"
    LEVEL = "one row under or over a bound"
    CONTRAST = "a weighted sum of rows under a bound"
    ALIKE = "two rows within a margin"
    TREND = "a line through a ladder of rows"
    ENDS = "the last of a ladder below the first"
    STEP = "two neighbours of a ladder"
    RATIO = "the ratio of two rows"
    EXPONENT = "the power of a growth"


@dataclass(frozen=True)
class Comparison:
    """A contrast: sum of `weights` x row means lies in `region`.

    logarithmic: of the logarithms of the means. complement: of 100 less the values, an accuracy's errors.
    required: it must be shown for the claim to hold; otherwise it only must not be seen reversed. refutes: shown
    reversed it contradicts the claim. said: what of the shape's sentence the cells do not tell.
    """

    shape: Shape
    label: str
    cells: tuple[Cell, ...]
    weights: tuple[float, ...]
    region: Region
    unit: str = ""
    logarithmic: bool = False
    complement: bool = False
    required: bool = True
    refutes: bool = True
    said: str = ""

    @property
    def balanced(self) -> bool:
        """Whether it compares rows, so that 0 means no difference."""
        return len(self.cells) > 1 and abs(sum(self.weights)) < 1e-6 * sum(map(abs, self.weights))

    @property
    def one_sided(self) -> bool:
        return len(self.region.bounds) == 1

    @property
    def claimed(self) -> int:
        """The sign of the effect that is claimed; 0 where the region has two bounds."""
        return 0 if not self.one_sided else -1 if isfinite(self.region.high) else 1

    @property
    def against(self) -> tuple[float, ...]:
        """The weights, signed so that a large value speaks against the claim."""
        return self.weights if isfinite(self.region.high) else tuple(-w for w in self.weights)


@dataclass(frozen=True)
class Condition:
    """Comparisons that are measured or skipped as a whole: one column, one ladder, one row with its twin."""

    label: str
    comparisons: tuple[Comparison, ...]


def conditions_of(test: ClaimTest, table: Table | None, samples: Samples) -> Iterator[Condition]:
    """The conditions of a test on means. Ladders are narrowed to the rows that `samples` has."""
    match test:
        case OrderTest():
            yield from _order(test, table)
        case EqualTest():
            for metric in test.metric or ("",):
                pairs = combinations([_in(cell, metric) for cell in test.rows], 2)
                yield Condition(metric, tuple(_alike(test, a, b, table) for a, b in pairs))
        case RatioTest():
            for metric in test.metric or ("",):
                numerator, denominator = _in(test.numerator, metric), _in(test.denominator, metric)
                yield Condition(metric, (_ratio(test, numerator, denominator),))
        case TrendTest() | GrowthTest():
            for ladder in test.ladders(table.params() if table else {}):
                for metric in test.metric:
                    yield _along(test, _measured(ladder, metric, samples), ladder, metric, table)
        case _:
            raise TypeError(f"a test of kind {test.kind} compares no means")


def _in(cell: Cell, metric: str) -> Cell:
    return Cell(cell.row, cell.metric or metric)


def _order(test: OrderTest, table: Table | None) -> Iterator[Condition]:
    for row in test.rows if test.columns else ():
        below = tuple(_below(Cell(row, a), Cell(row, b), table) for a, b in pairwise(test.columns))
        yield Condition(row, below)
    for metric in () if test.columns else test.metric or ("",):
        if test.contrast:
            yield Condition(metric, (_contrast(test, metric, table),))
        else:
            pairs = [pair for lower, upper in pairwise(test.ascending) for pair in product(lower, upper)]
            yield Condition(metric, tuple(_below(_in(a, metric), _in(b, metric), table) for a, b in pairs))


def _name(cell: Cell, other: Cell) -> str:
    return cell.row if cell.metric == other.metric else _with_column(cell)


def _with_column(cell: Cell) -> str:
    return f"{cell.row} ({spoken(cell.metric or '')})"


def _below(a: Cell, b: Cell, table: Table | None) -> Comparison:
    where = f" in {spoken(a.metric or '')}" if a.metric == b.metric else ""
    same_row = a.row == b.row
    apart = f"{spoken(a.metric or '')} below {spoken(b.metric or '')} for {a.row}"
    label = apart if same_row else f"{_name(a, b)} below {_name(b, a)}{where}"
    unit = difference_unit(a.metric or "", table)
    shape = Shape.COLUMNS if same_row else Shape.PAIR
    return Comparison(shape, label, (a, b), (1.0, -1.0), Region(high=0.0), unit)


def _contrast(test: OrderTest, metric: str, table: Table | None) -> Comparison:
    """The weighted sum, turned round where the claim is "above", so that it is told with the sign of the paper."""
    weights = {_in(cell, metric): weight for cell, weight in test.terms().items()}
    turned = test.below < 0 or (len(weights) == 1 and min(weights.values()) < 0)
    sign = -1.0 if turned else 1.0
    terms = {cell: sign * weight for cell, weight in weights.items()}
    region = Region(low=-test.below) if turned else Region(high=test.below)
    unit = difference_unit(min(cell.metric or "" for cell in terms), table)
    label = f"{in_terms(terms)} {'above' if turned else 'below'} {sign * test.below:g}"
    shape = Shape.LEVEL if len(terms) == 1 else Shape.CONTRAST
    return Comparison(shape, label, tuple(terms), tuple(terms.values()), region, unit, said=in_terms(terms))


def in_terms(terms: dict[Cell, float]) -> str:
    """`a - 2 x b in top1_error`."""
    columns = {cell.metric for cell in terms}
    names = [cell.row if len(columns) == 1 else _with_column(cell) for cell in terms]
    signed = [f"{'-' if w < 0 else '+'} {_weight(w)}{name}" for name, w in zip(names, terms.values(), strict=True)]
    where = f" in {spoken(columns.pop() or '')}" if len(columns) == 1 else ""
    return " ".join(signed).removeprefix("+ ") + where


def _weight(weight: float) -> str:
    return "" if abs(weight) == 1 else f"{abs(weight):g} x "


def _alike(test: EqualTest, a: Cell, b: Cell, table: Table | None) -> Comparison:
    """Within the margin; a relative one bounds the ratio: 1 + m/2 and 1 - m/2 lie m of their mean apart."""
    where = f" in {spoken(a.metric or '')}" if a.metric == b.metric else ""
    margin = f"{100 * test.margin:g} %" if test.relative else f"{test.margin:g}"
    label = f"{_name(a, b)} within {margin} of {_name(b, a)}{where}"
    bound = 2 * atanh(test.margin / 2) if test.relative else test.margin
    unit = "ratio" if test.relative else difference_unit(a.metric or "", table)
    accuracy = test.relative and "accuracy" in (a.metric or "")
    weights, region = (1.0, -1.0), Region(-bound, bound)
    return Comparison(Shape.ALIKE, label, (a, b), weights, region, unit, test.relative, accuracy, said=margin)


def _ratio(test: RatioTest, numerator: Cell, denominator: Cell) -> Comparison:
    low, high = test.bounds()
    region = Region(-inf if low is None else log(low), inf if high is None else log(high))
    span = f"from {low:.4g} to {high:.4g}" if low and high else f"over {low:.4g}" if low else f"under {high:.4g}"
    where = f" in {spoken(numerator.metric or '')}" if numerator.metric == denominator.metric else ""
    label = f"{_name(numerator, denominator)} / {_name(denominator, numerator)}{where}"
    cells = (numerator, denominator)
    return Comparison(Shape.RATIO, f"{label} {span}", cells, (1.0, -1.0), region, "ratio", True, said=span)


# ladders --------------------------------------------------------------------------------------------------------------


def _measured(ladder: Ladder, metric: str, samples: Samples) -> Ladder:
    steps = {level: tuple(row for row in rows if Cell(row, metric) in samples) for level, rows in ladder.steps.items()}
    return Ladder(ladder.label, {level: rows for level, rows in steps.items() if rows})


def _along(
    test: TrendTest | GrowthTest, measured: Ladder, whole: Ladder, metric: str, table: Table | None
) -> Condition:
    label = ", ".join(filter(None, (spoken(metric), measured.label)))
    if len(measured.steps) < min(3, len(whole.steps)):
        return Condition(label, ())
    if isinstance(test, GrowthTest):
        return Condition(label, (_growth(test, measured, metric),))
    return Condition(label, tuple(_trend(test, measured, metric, label, difference_unit(metric, table))))


def _growth(test: GrowthTest, ladder: Ladder, metric: str) -> Comparison:
    """The exponent of the least-squares power law.

    Its interval speaks of the spread between runs, not of how well a power law fits: the claim is the exponent's.
    """
    rows = [(row, log(level)) for level, rows in ladder.steps.items() for row in rows]
    centred = np.array([x for _, x in rows]) - np.mean([x for _, x in rows])
    weights = tuple(float(x) for x in centred / np.sum(centred**2))
    label = f"{spoken(metric)} grows as {test.by} to the power {test.exponent:g} within {test.tolerance:g}"
    region = Region(test.exponent - test.tolerance, test.exponent + test.tolerance)
    cells = tuple(Cell(row, metric) for row, _ in rows)
    said = f"{spoken(metric)} grows as {test.by} to the power"
    return Comparison(Shape.EXPONENT, label, cells, weights, region, "exponent", True, said=said)


def _trend(test: TrendTest, ladder: Ladder, metric: str, place: str, unit: str) -> Iterator[Comparison]:
    """The line through the ladder must be shown; neither its ends nor, if monotone, a step may be seen reversed.

    The line is taken over the places of the rows, not over their parameter: claims speak of an order of depths or
    cardinalities whose distances grow, and the parameter would give the last row all the weight.
    """
    region = Region(high=0.0) if test.direction == "falling" else Region(low=0.0)
    groups = [[Cell(row, metric) for row in rows] for rows in ladder.steps.values()]
    along = f"{test.by or 'the listed rows'} from {' to '.join(_ends(test, ladder))}"
    label = f"{place} {test.direction} with {along}"
    places = np.arange(len(groups)) - (len(groups) - 1) / 2
    line = places / np.sum(places**2) * (len(groups) - 1)
    yield _over(Shape.TREND, label, groups, line, region, unit, f"{place}|with {along}")
    if len(groups) > 2:
        ends = f"from {groups[0][0].row} to {groups[-1][-1].row}"
        whole = f"{place} {test.direction} {ends}"
        pair = [groups[0], groups[-1]]
        yield _over(
            Shape.ENDS, whole, pair, FIRST_TO_LAST, region, unit, f"{place}|{ends}", required=False, refutes=False
        )
    for lower, upper in pairwise(groups) if test.monotone and len(groups) > 2 else ():
        ends = f"from {lower[0].row} to {upper[-1].row}"
        step = f"{place} {test.direction} {ends}"
        yield _over(Shape.STEP, step, [lower, upper], FIRST_TO_LAST, region, unit, f"{place}|{ends}", required=False)


def _over(
    shape: Shape,
    label: str,
    groups: Sequence[Sequence[Cell]],
    line: np.ndarray[tuple[int], np.dtype[np.float64]],
    region: Region,
    unit: str,
    said: str,
    required: bool = True,
    refutes: bool = True,
) -> Comparison:
    """The rows of a group share its weight."""
    weights = tuple(float(w) / len(group) for group, w in zip(groups, line, strict=True) for _ in group)
    cells = tuple(cell for group in groups for cell in group)
    return Comparison(shape, label, cells, weights, region, unit, required=required, refutes=refutes, said=said)


def _ends(test: TrendTest, ladder: Ladder) -> tuple[str, str]:
    first, last = min(ladder.steps), max(ladder.steps)
    if test.by is None:
        return ladder.steps[first][0], ladder.steps[last][-1]
    return f"{first:g}", f"{last:g}"
