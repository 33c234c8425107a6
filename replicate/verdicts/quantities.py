"""What kind of number a column holds: how it scatters, and what a share of its level means."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from replicate.papers.measured import MEASURED
from replicate.papers.schema import Table
from replicate.verdicts.frame import Values

ERRORS = ("test_error", "train_error", "test_top5_error")
KINDS = (*ERRORS, "test_loss", "train_loss")
OTHER = "other"
FRACTIONS = frozenset({"fraction"})


@dataclass(frozen=True)
class Quantity:
    """A column's kind (the metric that it measures, or OTHER) and how its numbers become a level of that kind.

    accuracy: the column prints 100 (or 1) less the error; its spread and its level are those of the error.
    whole: what 100 % is in the column's unit.
    """

    kind: str = OTHER
    accuracy: bool = False
    whole: float = 100.0

    @property
    def is_test_error(self) -> bool:
        return self.kind == "test_error"

    @property
    def is_other(self) -> bool:
        return self.kind == OTHER

    def level(self, means: Values) -> Values:
        """The level to which effects are relative: the value, or the error where the column is an accuracy."""
        return self.whole - means if self.accuracy else np.abs(means)

    def in_percent(self) -> float:
        """Factor from the column's unit to that of the kind."""
        return 100.0 / self.whole


def quantity(column: str, table: Table | None, measured: Mapping[str, str]) -> Quantity:
    """What `column` holds. `measured`: published column -> the metric that it was measured by.

    Without an entry the name tells: a column called error or accuracy is the test error, any other is OTHER.
    """
    unit = unit_of(column, table)
    whole = 1.0 if unit in FRACTIONS else 100.0
    named = measured.get(column, column)
    kind = named if named in KINDS else OTHER
    if kind == OTHER and column not in measured and column not in MEASURED and unit.startswith(("percent", "fraction")):
        kind = "test_error" if any(word in column for word in ("error", "accuracy")) else OTHER
    return Quantity(kind, accuracy="accuracy" in column and kind in ERRORS, whole=whole)


def spoken(column: str) -> str:
    """A column as a person says it: top1_error -> top-1 error, steps_to_reach -> steps to the level."""
    words = column.replace("_", " ").replace("to reach", "to the level")
    return re.sub(r"\b(top)(\d)", r"\1-\2", words)


def unit_of(column: str, table: Table | None) -> str:
    """The unit of a column; empty where it is not known."""
    return {**MEASURED, **(table.units if table else {})}.get(column, "")


def difference_unit(column: str, table: Table | None) -> str:
    """Unit of a difference in `column`: percentages differ by points."""
    unit = unit_of(column, table)
    return "percentage points" if unit.startswith("percent") else unit
