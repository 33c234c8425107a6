"""From the tidy frame of an experiment to one sample of final values per row and column."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from replicate.papers.claims import Cell

COLUMNS = ("variant", "row", "seed", "status", "metric", "index", "value")

Run = tuple[str, int]
"""(variant, seed)"""


@dataclass(frozen=True)
class Sample:
    """The final values of one row in one column, one per run.

    A diverged run without a number stands at chance level. Where that level is not known it has no value and is
    counted in `lost`: leaving it out silently would flatter the row that lost it.
    """

    values: NDArray[np.float64]
    diverged: NDArray[np.bool_]
    runs: tuple[Run, ...] = ()
    lost: int = 0


Samples = Mapping[Cell, Sample]


def collect(frame: pd.DataFrame, chance: Mapping[str, float] | None = None) -> dict[Cell, Sample]:
    """The samples of `frame`, whose columns are COLUMNS.

    A row goes by its published name, or by the variant's name where it has none. Of a curve the value with the
    greatest index counts; a single value (index NaN) goes before a curve of the same name. `chance`: metric -> its
    value when guessing. Raises ValueError for a missing column, or when two variants measure the same row.
    """
    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        raise ValueError(f"the frame lacks {', '.join(missing)}")
    named = frame.assign(name=frame["row"].where(frame["row"].notna(), frame["variant"]))
    final = named.sort_values("index", kind="stable", na_position="last")
    final = final.drop_duplicates(["name", "metric", "variant", "seed"], keep="last").sort_values("seed", kind="stable")
    return {
        Cell(str(name), str(metric)): _sample(str(name), part, (chance or {}).get(str(metric)))
        for (name, metric), part in final.groupby(["name", "metric"], sort=False)
    }


def _sample(name: str, part: pd.DataFrame, chance: float | None) -> Sample:
    variants = sorted(set(part["variant"]))
    if len(variants) > 1:
        raise ValueError(f"two variants measure '{name}': {', '.join(map(str, variants))}")
    values = part["value"].to_numpy(dtype=np.float64, na_value=np.nan)
    diverged = (part["status"] == "diverged").to_numpy()
    if chance is not None:
        values = np.where(diverged & ~np.isfinite(values), chance, values)
    usable = np.isfinite(values)
    runs = [(str(variant), int(seed)) for variant, seed in zip(part["variant"], part["seed"], strict=True)]
    return Sample(
        values[usable],
        diverged[usable],
        tuple(run for run, keep in zip(runs, usable, strict=True) if keep),
        lost=int((diverged & ~usable).sum()),
    )
