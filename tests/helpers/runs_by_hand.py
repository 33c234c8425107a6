"""Measurements made by hand, and claims about them."""

from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from replicate.papers import Claim, Table
from replicate.verdicts import COLUMNS, Prior, Verdict, judge

Values = Sequence[float] | NDArray[np.float64]

LOW, MIDDLE, HIGH = [22.1, 22.4, 22.0], [22.9, 23.2, 23.1], [23.8, 24.1, 23.9]

WITHOUT_PRIOR = Prior({})
"""Rows are judged by their own spread alone: Welch's test."""

TREND = {"kind": "trend", "metric": "error", "by": "depth", "direction": "falling"}


def frame(
    values: Mapping[str, Values], metric: str = "error", diverged: Mapping[str, int] | None = None
) -> pd.DataFrame:
    """Runs of rows: row -> value of each seed; the first `diverged[row]` of them diverged."""
    failed = diverged or {}
    rows = [
        (f"v-{row}", row, seed, "diverged" if seed < failed.get(row, 0) else "finished", metric, nan, value)
        for row, many in values.items()
        for seed, value in enumerate(many)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def table(**depths: float) -> Table:
    """A table of rows with a depth, one column `error` in percent and one `size` as a count."""
    rows = [{"variant": row, "params": {"depth": depth}, "published": {}} for row, depth in depths.items()]
    head = {"locator": "", "about": "", "dataset": "", "protocol": "", "figures_only": False, "provenance": []}
    return Table.model_validate(
        {**head, "rows": rows, "units": {"error": "percent", "size": "count"}, "confidence": "verified"}
    )


ROWS = table(a=1, b=2, c=3)


def claim(*tests: Mapping[str, Any], name: str = "c") -> Claim:
    kind = tests[0]["kind"] if tests else "order"
    return Claim.model_validate({"id": name, "statement": "s", "kind": kind, "check": "", "test": list(tests)})


def order(*ascending: Any, **fields: Any) -> dict[str, Any]:
    return {"kind": "order", "metric": "error", "ascending": list(ascending), **fields}


def verdict(values: Mapping[str, Values], *tests: Mapping[str, Any], **chance: float) -> Verdict:
    """The verdict at laptop scale, with the suite's prior."""
    return judge(claim(*tests), ROWS, frame(values), chance or None)


def welch(values: Mapping[str, Values], *tests: Mapping[str, Any]) -> Verdict:
    """The verdict on the rows' own spread alone."""
    return judge(claim(*tests), ROWS, frame(values), prior=WITHOUT_PRIOR)
