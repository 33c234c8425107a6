"""How measurements decide a claim: the structured `test:` of a claim, as data.

A test names rows (Row.variant) and columns of the claim's table. An experiment measures them, and
`replicate.verdicts` judges. A claim may carry several tests: it holds only if all of them do.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, model_validator

from replicate.papers.facts import Fact, Names, Param, as_tuple
from replicate.papers.printed import Printed, is_number


class Cell(NamedTuple):
    """One row in one column; no column means the test's own."""

    row: str
    metric: str | None = None


def _as_cell(value: Any) -> Any:
    if isinstance(value, str):
        return Cell(value)
    if isinstance(value, dict) and len(value) == 1:
        return Cell(*next(iter(value.items())))
    return value


CellRef = Annotated[Cell, BeforeValidator(_as_cell)]
"""`row`, or `{row: column}` where a comparison crosses columns."""


def _as_group(value: Any) -> Any:
    return value if isinstance(value, (list, tuple)) and not isinstance(value, Cell) else (value,)


CellGroup = Annotated[tuple[CellRef, ...], BeforeValidator(_as_group)]


class _Test(Fact):
    """Fields of every test.

    metric: column or columns; each is a condition of its own and all that were measured must hold.
    case: set where a claim says the same of several cases (depth 50, depth 101): those not measured may be left out,
    while every test without a case must be measured before the claim can hold.
    unprinted: rows that the paper has as a curve or in words only, with the parameters they would carry.
    margin_by: who set the number of the test (a margin, a bound, a level): the paper's sentence, or this project.
    """

    metric: Names = ()
    case: str = ""
    margin_by: Literal["paper", "ours"] = "paper"
    unprinted: dict[str, dict[str, Param]] = Field(default_factory=dict)

    def cells(self) -> tuple[Cell, ...]:
        """Every row that the test names, with the column where it names one."""
        return ()

    def columns_named(self) -> set[str]:
        """Every column that the test names."""
        return {*self.metric, *(cell.metric for cell in self.cells() if cell.metric)}


class _MeansTest(_Test):
    """A test on means. counted: the metric follows from the graph (parameters, operations), numbers decide alone."""

    counted: bool = False


class OrderTest(_MeansTest):
    """Means are ordered; exactly one of three forms.

    ascending: [a, [b, c], d]: each of a neighbouring pair of groups below the other: a < b, a < c, b < d, c < d.
    columns: [x, y]: in every row of `rows`, column x is below column y (a base network and its improved twin).
    contrast: {row: weight}, or {row: {column: weight}} across columns: the weighted sum of means is under `below`: for
    "gain A exceeds gain B".
    """

    kind: Literal["order"]
    ascending: tuple[CellGroup, ...] = ()
    columns: Names = ()
    rows: Names = ()
    contrast: dict[str, float | dict[str, float]] = Field(default_factory=dict)
    below: float = 0.0

    @model_validator(mode="after")
    def _one_form(self) -> "OrderTest":
        if sum(map(bool, (self.ascending, self.columns, self.contrast))) != 1:
            raise ValueError("an order test has exactly one of ascending, columns, contrast")
        if len(self.ascending) == 1 or len(self.columns) == 1:
            raise ValueError("an order needs two things to compare")
        if bool(self.columns) != bool(self.rows):
            raise ValueError("columns are compared within rows: give both")
        return self

    def cells(self) -> tuple[Cell, ...]:
        named = [cell for group in self.ascending for cell in group]
        return (*named, *map(Cell, self.rows), *self.terms())

    def terms(self) -> dict[Cell, float]:
        """The weights of a contrast, cell by cell."""
        return {
            Cell(row, column): weight
            for row, weights in self.contrast.items()
            for column, weight in (weights.items() if isinstance(weights, dict) else ((None, weights),))
        }

    def columns_named(self) -> set[str]:
        return {*super().columns_named(), *self.columns}


class _LadderTest(_MeansTest):
    """A test over a ladder of rows: all rows with the parameter `by` (and those of `within`), or `rows` as listed."""

    by: str | None = None
    rows: Names = ()
    within: Annotated[tuple[dict[str, Param], ...], BeforeValidator(as_tuple)] = ({},)

    def cells(self) -> tuple[Cell, ...]:
        return tuple(map(Cell, self.rows))

    def ladders(self, params: Mapping[str, Mapping[str, Param]]) -> list["Ladder"]:
        """The ladder of each group of `within`, steps in ascending order of `by`. `params`: row -> its parameters."""
        known = {**params, **self.unprinted}
        return [
            Ladder(_label(group), self._steps({row: known[row] for row in self.rows or known}, group))
            for group in self.within
        ]

    def _steps(
        self, known: Mapping[str, Mapping[str, Param]], group: Mapping[str, Param]
    ) -> dict[float, tuple[str, ...]]:
        steps: dict[float, tuple[str, ...]] = {}
        for position, (row, params) in enumerate(known.items()):
            level = position if self.by is None else params.get(self.by)
            fits = all(name in params and params[name] == value for name, value in group.items())
            if fits and is_number(level):
                steps[float(level)] = (*steps.get(float(level), ()), row)
        return dict(sorted(steps.items()))


class Ladder(NamedTuple):
    """Rows ordered by a parameter: level -> the rows at that level."""

    label: str
    steps: dict[float, tuple[str, ...]]


def _label(group: Mapping[str, Param]) -> str:
    return ", ".join(f"{name} {value}" for name, value in group.items())


class TrendTest(_LadderTest):
    """The metric falls or rises along `by`, or along `rows` in the order of the list.

    The line through the rows, one place after the other, must be shown, and the last row may not be seen on the wrong
    side of the first. monotone: the claim says that it does so at every step, so that no neighbouring step may be seen
    reversed, and one that is shown reversed contradicts it.
    """

    kind: Literal["trend"]
    direction: Literal["falling", "rising"]
    monotone: bool = False

    @model_validator(mode="after")
    def _has_order(self) -> "TrendTest":
        if self.by is None and not self.rows:
            raise ValueError("a trend needs by or rows")
        if self.counted:
            raise ValueError("a trend needs runs with spread; a count's trend is an order")
        return self


class GrowthTest(_LadderTest):
    """The metric grows as the power `exponent` (within `tolerance`) of the parameter `by`."""

    kind: Literal["growth"]
    by: str
    exponent: float
    tolerance: float = Field(gt=0)


class EqualTest(_MeansTest):
    """Every two of `rows` differ by less than `margin`, in the metric's unit. Margin 0 only for counts.

    relative: the margin is a share of the level instead (0.05: 5 % of the rows' mean; of an accuracy, of its error), so
    that it holds on any task.
    """

    kind: Literal["equal"]
    rows: tuple[CellRef, ...] = Field(min_length=2)
    margin: float = Field(ge=0)
    relative: bool = False

    @model_validator(mode="after")
    def _margin_can_be_tested(self) -> "EqualTest":
        if self.margin == 0 and not self.counted:
            raise ValueError("measurements with spread are never equal within a margin of 0")
        return self

    def cells(self) -> tuple[Cell, ...]:
        return self.rows


class RatioTest(_MeansTest):
    """numerator / denominator lies between `low` and `high`, or within `tolerance` (relative) of `published`."""

    kind: Literal["ratio"]
    numerator: CellRef
    denominator: CellRef
    published: float | None = Field(None, gt=0)
    tolerance: float | None = Field(None, gt=0, lt=1)
    low: float | None = Field(None, gt=0)
    high: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _one_form(self) -> "RatioTest":
        if (self.published is None) != (self.tolerance is None):
            raise ValueError("published and tolerance belong together")
        if (self.published is None) == (self.low is None and self.high is None):
            raise ValueError("a ratio test has either published with tolerance or bounds")
        return self

    def cells(self) -> tuple[Cell, ...]:
        return (self.numerator, self.denominator)

    def bounds(self) -> tuple[float | None, float | None]:
        """Lower and upper bound of the ratio; None where it is open."""
        if self.published is None or self.tolerance is None:
            return self.low, self.high
        return self.published * (1 - self.tolerance), self.published * (1 + self.tolerance)


class RelativeLevel(Fact):
    """A level that moves with the task: `times` the mean of the reference row `row` in the same column."""

    row: str
    times: float = Field(gt=1)


class CollapseTest(_Test):
    """Training of each of `rows` fails in at least three of four runs: it diverges, or ends at `level` or worse.

    level "chance": less than a tenth of the way from guessing to 0.
    """

    kind: Literal["collapse"]
    rows: Names
    level: Literal["chance"] | float | RelativeLevel = "chance"

    def cells(self) -> tuple[Cell, ...]:
        reference = (self.level.row,) if isinstance(self.level, RelativeLevel) else ()
        return tuple(map(Cell, (*self.rows, *reference)))


class ExactTest(_Test):
    """The measured number is the published one, to the printed digits.

    metric: the columns to compare, all when empty; rows: the rows, all when empty; values: {row: number} where the
    text gives by formula what no table prints.
    """

    kind: Literal["exact"]
    rows: Names = ()
    values: dict[str, Printed | int] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _values_of_something(self) -> "ExactTest":
        if self.values and (self.rows or not self.metric):
            raise ValueError("values belong to a metric, and name their rows themselves")
        return self

    def cells(self) -> tuple[Cell, ...]:
        return tuple(map(Cell, (*self.rows, *self.values)))


ClaimTest = Annotated[
    OrderTest | TrendTest | EqualTest | RatioTest | CollapseTest | ExactTest | GrowthTest, Field(discriminator="kind")
]
