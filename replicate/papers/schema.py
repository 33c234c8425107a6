"""The schema of a paper's file. Unknown keys, double ids and names that point nowhere are refused."""

from typing import Literal

from pydantic import Field, model_validator

from replicate.papers.assertions import Claim, Premise
from replicate.papers.claims import ClaimTest, ExactTest, GrowthTest, TrendTest
from replicate.papers.facts import Fact, Param, Reason, Value, repeated
from replicate.papers.measured import MEASURED
from replicate.papers.misprints import Convention, Erratum

__all__ = ["Architecture", "Claim", "Convention", "Erratum", "Paper", "Premise", "Provenance", "Recipe", "Row", "Table"]

WITHOUT_UNIT = frozenset({"rank"})  # a place in an order has no unit (MobileNetV2's ablations print only the order)
UNDAMAGED = "undamaged_error"  # what study lesion measures of every network before it cuts: premises may ask for it


class Provenance(Fact):
    """Where a table or recipe was seen, and whether that text agrees."""

    source: str
    agrees: bool


class Architecture(Fact):
    """What decides a network's graph, and its published size."""

    facts: str
    input: list[int] | str | None = None
    published: dict[str, Value | dict[int, Value]] = Field(default_factory=dict)
    reference_params: int | dict[str | int, int] | None = None
    reference_source: str | None = None
    reference_params_100_classes: int | None = None  # densenet: counts differ between CIFAR-10 and CIFAR-100


class Row(Fact):
    """One row of a printed table. `variant` is its name; `published` maps columns to printed values.

    difference: [a, b] where the paper prints how much the error of a lies above that of b, and so neither's own.
    reference_only: why no experiment re-makes the row (another system's number, ...).
    """

    variant: str
    params: dict[str, Param] = Field(default_factory=dict)
    published: dict[str, Value]
    difference: tuple[str, str] | None = None
    reference_only: Reason | None = None


class Table(Fact):
    """One printed table or figure. `units` names its columns.

    reference_only: why no experiment re-makes the table; then no row says so of itself.
    reference_columns: column -> why it is not measured (what is varied, another machine's seconds, ...).
    """

    locator: str
    about: str
    dataset: str
    protocol: str
    units: dict[str, str]
    rows: tuple[Row, ...]
    figures_only: bool
    provenance: tuple[Provenance, ...]
    confidence: Literal["verified", "recalled"]
    note: str | None = None
    reference_only: Reason | None = None
    reference_columns: dict[str, Reason] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_reason(self) -> "Table":
        given = [row.variant for row in self.rows if row.reference_only is not None]
        if self.reference_only is not None and given:
            raise ValueError(f"the whole table is reference only, so that row '{given[0]}' needs no reason")
        return self

    @model_validator(mode="after")
    def _columns_have_units(self) -> "Table":
        for column in self.reference_columns:
            if column not in self.units:
                raise ValueError(f"reference_columns names '{column}', which is no column")
        for row in self.rows:
            for column in row.published:
                if column not in self.units and column not in WITHOUT_UNIT:
                    raise ValueError(f"row '{row.variant}' has a column '{column}' without a unit")
        return self

    def row(self, variant: str) -> Row:
        """The row called `variant`. Raises KeyError when there is none, or more than one."""
        found = [row for row in self.rows if row.variant == variant]
        if len(found) != 1:
            raise KeyError(f"{len(found)} rows are called '{variant}'")
        return found[0]

    def params(self) -> dict[str, dict[str, Param]]:
        """Row name -> what distinguishes it, for the rows whose name stands once."""
        twice = repeated(row.variant for row in self.rows)
        return {row.variant: row.params for row in self.rows if row.variant not in twice}


class Recipe(Fact):
    """A training recipe as the paper states it; a text where the paper gives no number."""

    optimizer: str
    provenance: tuple[Provenance, ...]
    momentum: float | str | None = None
    nesterov: bool | None = None
    dampening: float | None = None
    rmsprop_decay: float | None = None
    weight_decay: float | str | None = None
    lr: float | str | None = None
    batch_size: int | str | None = None
    epochs: int | str | None = None
    iterations: int | None = None
    schedule: str | None = None
    init: str | None = None
    augmentation: str | None = None
    other: str | None = None


class Paper(Fact):
    """One publication: its networks, tables, recipes, claims and errata."""

    id: str
    title: str
    authors: tuple[str, ...]
    year: int | None
    venue: str
    arxiv: str | None
    official_code: str | None
    architectures: dict[str, Architecture]
    tables: dict[str, Table]
    recipes: dict[str, Recipe]
    claims: tuple[Claim, ...]
    discrepancies: tuple[str, ...]
    errata: tuple[Erratum, ...] = ()
    conventions: tuple[Convention, ...] = ()
    reading: str | None = None  # how a file of source documents is read

    @model_validator(mode="after")
    def _claims_point_somewhere(self) -> "Paper":
        twice = repeated(claim.id for claim in self.claims)
        if twice:
            raise ValueError(f"claims called {', '.join(sorted(twice))} stand twice")
        for claim in self.claims:
            if claim.table is not None and claim.table not in self.tables:
                raise ValueError(f"claim {claim.id}: there is no table '{claim.table}'")
            for test in claim.test:
                _check_test(claim, test, self.tables.get(claim.table or ""))
            for premise in claim.premise:
                _check_premise(claim, premise, self.tables.get(claim.table or ""))
        return self

    def claim(self, claim_id: str) -> Claim:
        """The claim called `claim_id`. Raises KeyError."""
        return {claim.id: claim for claim in self.claims}[claim_id]

    def claims_of(self, table: str) -> tuple[Claim, ...]:
        """The claims that rest on `table`."""
        return tuple(claim for claim in self.claims if claim.table == table)


def _check_test(claim: Claim, test: ClaimTest, table: Table | None) -> None:
    """Refuse a test that names a row, column or parameter which its table does not have."""
    params = table.params() if table else {}
    columns = {*(table.units if table else ()), *WITHOUT_UNIT, *MEASURED}
    for cell in test.cells():
        if cell.row not in params and cell.row not in test.unprinted:
            raise ValueError(f"claim {claim.id}: its table has no single row '{cell.row}'")
        if not (cell.metric or test.metric or isinstance(test, ExactTest) or getattr(test, "columns", ())):
            raise ValueError(f"claim {claim.id}: no column says what to measure of '{cell.row}'")
    for column in test.columns_named():
        if column not in columns:
            raise ValueError(f"claim {claim.id}: its table has no column '{column}'")
    if isinstance(test, (TrendTest, GrowthTest)):
        for ladder in test.ladders(params):
            if len(ladder.steps) < 2:
                raise ValueError(f"claim {claim.id}: fewer than two rows differ in '{test.by}' {ladder.label}")


def _check_premise(claim: Claim, premise: Premise, table: Table | None) -> None:
    """Refuse a premise on a row or column that neither its table nor its tests have."""
    rows = {*(table.params() if table else ()), *(row for test in claim.test for row in test.unprinted)}
    if premise.row not in rows:
        raise ValueError(f"claim {claim.id}: its premise is on '{premise.row}', which is no row of its table or tests")
    if premise.metric not in {*(table.units if table else ()), *MEASURED, UNDAMAGED}:
        raise ValueError(f"claim {claim.id}: its premise is on '{premise.metric}', which is no column of its table")
