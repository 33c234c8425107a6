"""What would confirm a claim, in words: said of the test itself, so that words and test cannot differ."""

from collections.abc import Iterable, Mapping

from replicate.papers.claims import (
    Cell,
    ClaimTest,
    CollapseTest,
    EqualTest,
    ExactTest,
    GrowthTest,
    OrderTest,
    RatioTest,
    RelativeLevel,
    TrendTest,
)
from replicate.papers.facts import Param


def describe(test: ClaimTest) -> str:
    """One test in words, with rows and columns as the table names them.

    >>> describe(EqualTest(kind="equal", metric="top1_error", rows=("B", "C"), margin=0.05, relative=True))
    'top1_error: B and C within 5 % of their level'
    """
    said = _said(test)
    columns = "" if isinstance(test, OrderTest) and test.columns else " and ".join(test.metric)
    place = f"{columns}: {said}" if columns else said
    labelled = f"{test.case}: {place}" if test.case else place
    return f"{labelled} (our bound)" if test.margin_by == "ours" else labelled


def _said(test: ClaimTest) -> str:
    match test:
        case OrderTest():
            return _order(test)
        case EqualTest():
            return f"{_joined(map(_cell, test.rows))} {_margin(test)}"
        case RatioTest():
            return f"{_cell(test.numerator)} / {_cell(test.denominator)} {_span(test)}"
        case TrendTest():
            steps = " at every step" if test.monotone else ""
            return f"{test.direction}{steps} {_ladder(test.by, test.rows, test.within)}"
        case GrowthTest():
            grows = f"grows as the power {test.exponent:g} (within {test.tolerance:g})"
            return f"{grows} {_ladder(test.by, test.rows, test.within)}"
        case CollapseTest():
            return f"most runs of {_joined(test.rows)} end {_level(test)} or worse"
        case ExactTest():
            return _exact(test)


def _order(test: OrderTest) -> str:
    if test.columns:
        return f"{' < '.join(test.columns)} in {_joined(test.rows)}"
    if test.ascending:
        return " < ".join(_group(tuple(map(_cell, group))) for group in test.ascending)
    terms = [f"{'-' if weight < 0 else '+'} {_weighted(weight, cell)}" for cell, weight in test.terms().items()]
    return f"{' '.join(terms).removeprefix('+ ')} < {test.below:g}"


def _group(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"each of [{'; '.join(names)}]"


def _weighted(weight: float, cell: Cell) -> str:
    return _cell(cell) if abs(weight) == 1 else f"{abs(weight):g} x {_cell(cell)}"


def _cell(cell: Cell) -> str:
    return f"{cell.row} ({cell.metric})" if cell.metric else cell.row


def _joined(names: Iterable[str]) -> str:
    *head, last = names
    return f"{', '.join(head)} and {last}" if head else last


def _margin(test: EqualTest) -> str:
    if test.margin == 0:
        return "are equal"
    return f"within {100 * test.margin:g} % of their level" if test.relative else f"within {test.margin:g}"


def _span(test: RatioTest) -> str:
    if test.published is not None and test.tolerance is not None:
        return f"is {test.published:g}, within {100 * test.tolerance:g} %"
    low, high = test.bounds()
    if low is not None and high is not None:
        return f"from {low:g} to {high:g}"
    return f"over {low:g}" if low is not None else f"under {high:g}"


def _ladder(by: str | None, rows: tuple[str, ...], within: tuple[Mapping[str, Param], ...]) -> str:
    along = f"with {by}" if by else f"along {', '.join(rows)}"
    groups = [", ".join(f"{name} {value}" for name, value in group.items()) for group in within if group]
    return f"{along}, for {_joined(groups)}" if groups else along


def _level(test: CollapseTest) -> str:
    if isinstance(test.level, RelativeLevel):
        return f"at {test.level.times:g} times the mean of {test.level.row}"
    return "where guessing does" if test.level == "chance" else f"at {test.level:g}"


def _exact(test: ExactTest) -> str:
    if test.values:
        return ", ".join(f"{row} is {value}" for row, value in test.values.items())
    return f"{_joined(test.rows) if test.rows else 'every row'} as printed, to the printed digits"
