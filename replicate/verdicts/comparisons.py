"""From a claim's test to comparisons: an estimate over some cells and the region that the claim allows it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations, pairwise, product
from math import inf, log

import numpy as np

from replicate.papers.claims import MEASURED, Cell, EqualTest, GrowthTest, Ladder, OrderTest, RatioTest
from replicate.papers.schema import Table
from replicate.verdicts.estimates import Estimate, Region, Values, contrast, log_ratio


@dataclass(frozen=True)
class Comparison:
    """What one comparison asks. `label` says it in the claim's sense.

    logarithmic: the estimate takes logarithms, so values must be positive. `exponential`: it is one, show exp of it.
    """

    label: str
    cells: tuple[Cell, ...]
    estimate: Callable[[Sequence[Values]], Estimate]
    region: Region
    unit: str
    logarithmic: bool = False
    exponential: bool = False


Comparisons = list[tuple[str, list[Comparison]]]
"""(condition, its comparisons)"""


def difference_unit(table: Table | None, metric: str) -> str:
    """Unit of a difference in `metric`: percentages differ by points."""
    unit = {**MEASURED, **(table.units if table else {})}.get(metric, "")
    return "percentage points" if unit.startswith("percent") else unit


def order(test: OrderTest, table: Table | None) -> Comparisons:
    """The comparisons of an order test: neighbouring groups, columns within a row, or one contrast."""
    if test.columns:
        return [
            (row, [_below(Cell(row, a), Cell(row, b), table) for a, b in pairwise(test.columns)]) for row in test.rows
        ]
    return [(metric, _ordered(test, metric, table)) for metric in test.metric or ("",)]


def _ordered(test: OrderTest, metric: str, table: Table | None) -> list[Comparison]:
    if test.contrast:
        return [_contrast(test, metric, table)]
    pairs = [pair for lower, upper in pairwise(test.ascending) for pair in product(lower, upper)]
    return [_below(_in(a, metric), _in(b, metric), table) for a, b in pairs]


def _in(cell: Cell, metric: str) -> Cell:
    return Cell(cell.row, cell.metric or metric)


def _name(cell: Cell, other: Cell) -> str:
    return cell.row if cell.metric == other.metric else f"{cell.row} ({cell.metric})"


def _below(a: Cell, b: Cell, table: Table | None) -> Comparison:
    where = f" in {a.metric}" if a.metric == b.metric else ""
    label = (
        f"{a.metric} below {b.metric} for {a.row}" if a.row == b.row else f"{_name(a, b)} below {_name(b, a)}{where}"
    )
    difference = partial(contrast, weights=(1.0, -1.0))
    return Comparison(label, (a, b), difference, Region(high=0.0), difference_unit(table, a.metric or ""))


def _contrast(test: OrderTest, metric: str, table: Table | None) -> Comparison:
    weights = {_in(cell, metric): weight for cell, weight in test.terms().items()}
    columns = {cell.metric or "" for cell in weights}
    names = [cell.row if len(columns) == 1 else f"{cell.row} ({cell.metric})" for cell in weights]
    terms = [f"{'-' if w < 0 else '+'} {_weight(w)}{name}" for name, w in zip(names, weights.values(), strict=True)]
    where = f" in {metric}" if len(columns) == 1 else ""
    label = f"{' '.join(terms).removeprefix('+ ')} below {test.below:g}{where}"
    total = partial(contrast, weights=tuple(weights.values()))
    return Comparison(label, tuple(weights), total, Region(high=test.below), difference_unit(table, min(columns)))


def _weight(weight: float) -> str:
    return "" if abs(weight) == 1 else f"{abs(weight):g} x "


def equal(test: EqualTest, table: Table | None) -> Comparisons:
    """Every two rows within the margin."""
    return [
        (metric, [_within(test.margin, _in(a, metric), _in(b, metric), table) for a, b in combinations(test.rows, 2)])
        for metric in test.metric or ("",)
    ]


def _within(margin: float, a: Cell, b: Cell, table: Table | None) -> Comparison:
    where = f" in {a.metric}" if a.metric == b.metric else ""
    label = f"{_name(a, b)} within {margin:g} of {_name(b, a)}{where}"
    difference = partial(contrast, weights=(1.0, -1.0))
    return Comparison(label, (a, b), difference, Region(-margin, margin), difference_unit(table, a.metric or ""))


def ratio(test: RatioTest, table: Table | None) -> Comparisons:
    """The ratio within its bounds, on the logarithmic scale."""
    low, high = test.bounds()
    region = Region(-inf if low is None else log(low), inf if high is None else log(high))
    span = f"from {low:.4g} to {high:.4g}" if low and high else f"over {low:.4g}" if low else f"under {high:.4g}"
    return [
        (metric, [_quotient(_in(test.numerator, metric), _in(test.denominator, metric), region, span)])
        for metric in test.metric or ("",)
    ]


def _quotient(numerator: Cell, denominator: Cell, region: Region, span: str) -> Comparison:
    where = f" in {numerator.metric}" if numerator.metric == denominator.metric else ""
    label = f"{_name(numerator, denominator)} / {_name(denominator, numerator)} {span}{where}"
    quotient: Callable[[Sequence[Values]], Estimate] = lambda values: log_ratio(values[0], values[1])  # noqa: E731
    return Comparison(label, (numerator, denominator), quotient, region, "ratio", logarithmic=True, exponential=True)


def growth(test: GrowthTest, ladder: Ladder, metric: str) -> Comparison:
    """The exponent of the least-squares power law: a contrast of mean logarithms.

    Its interval speaks of the spread between runs, not of how well a power law fits: the claim is the exponent's.
    """
    rows = [(row, log(level)) for level, rows in ladder.steps.items() for row in rows]
    centred = np.array([x for _, x in rows]) - np.mean([x for _, x in rows])
    weights = tuple(float(x) for x in centred / np.sum(centred**2))
    label = f"{metric} grows as {test.by} to the power {test.exponent:g} within {test.tolerance:g}"
    region = Region(test.exponent - test.tolerance, test.exponent + test.tolerance)

    def exponent(values: Sequence[Values]) -> Estimate:
        return contrast([np.log(value) for value in values], weights)

    cells = tuple(Cell(row, metric) for row, _ in rows)
    return Comparison(label, cells, exponent, region, "exponent", logarithmic=True)
