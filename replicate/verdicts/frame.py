"""From the tidy frame of an experiment to the final values of its runs, row by row and column by column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from replicate.papers.claims import Cell

COLUMNS = ("variant", "row", "seed", "status", "metric", "index", "value")
PILOT = 100
"""Seeds from here on are for choosing sizes and regimes; they never enter a verdict."""

UNREACHED = "unreached"
"""The status of a number that is only the least that it can be: the training ended before it was reached."""

Values = NDArray[np.float64]
Run = tuple[str, int]
"""(variant, seed)"""


@dataclass(frozen=True)
class Sample:
    """The final values of one row in one column, one per run, in the order of their seeds.

    A diverged run without a number stands at chance level. Where that level is not known it has no value and is
    one of `lost`: leaving it out silently would flatter the row that lost it. The true value of a run that is one of
    `unreached` is larger than the one here.
    """

    values: Values
    diverged: NDArray[np.bool_]
    runs: tuple[Run, ...] = ()
    lost: tuple[Run, ...] = ()
    unreached: tuple[Run, ...] = ()

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(seed for _, seed in self.runs)


Samples = Mapping[Cell, Sample]


def final_values(frame: pd.DataFrame, chance: Mapping[str, float] | None = None) -> pd.DataFrame:
    """The one final value of each run and metric: the single one (index NaN), else the last of a curve.

    A diverged run without a number stands at `chance` (metric -> its value when guessing); where that is not known its
    value stays NaN. The rows keep the frame's order. Tables and verdicts both rest on this rule.
    """
    final = frame.sort_values("index", kind="stable", na_position="last")
    final = final.drop_duplicates(["variant", "row", "metric", "seed"], keep="last").sort_index(kind="stable")
    values = final["value"].astype(float).where(np.isfinite(final["value"].astype(float)))
    guessed = final["metric"].map(dict(chance or {})).where(final["status"] == "diverged")
    return final.assign(value=values.fillna(guessed.astype(float)))


def collect(frame: pd.DataFrame, chance: Mapping[str, float] | None = None) -> dict[Cell, Sample]:
    """The samples of `frame`, whose columns are COLUMNS; pilot seeds are left out.

    A row goes by its published name, or by the variant's name where it has none. Raises ValueError for a missing
    column, or when two variants measure the same row.
    """
    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        raise ValueError(f"the frame lacks {', '.join(missing)}")
    final = final_values(frame[frame["seed"] < PILOT].reset_index(drop=True), chance)
    named = final.assign(name=final["row"].where(final["row"].notna(), final["variant"]))
    named = named.sort_values("seed", kind="stable")
    return {
        Cell(str(name), str(metric)): _sample(str(name), part)
        for (name, metric), part in named.groupby(["name", "metric"], sort=False)
    }


def _sample(name: str, part: pd.DataFrame) -> Sample:
    variants = sorted(set(part["variant"]))
    if len(variants) > 1:
        raise ValueError(f"two variants measure '{name}': {', '.join(map(str, variants))}")
    values = part["value"].to_numpy(dtype=np.float64, na_value=np.nan)
    diverged = (part["status"] == "diverged").to_numpy()
    unreached = (part["status"] == UNREACHED).to_numpy()
    usable = np.isfinite(values)
    runs = [(str(variant), int(seed)) for variant, seed in zip(part["variant"], part["seed"], strict=True)]
    kept, lost, short = (
        tuple(run for run, chosen in zip(runs, mask, strict=True) if chosen)
        for mask in (usable, diverged & ~usable, unreached)
    )
    return Sample(values[usable], diverged[usable], kept, lost, short)


def common_seeds(samples: Sequence[Sample]) -> tuple[int, ...]:
    """The seeds that every sample has, in ascending order: what a comparison of them rests on."""
    shared = set(samples[0].seeds).intersection(*(sample.seeds for sample in samples[1:]))
    return tuple(sorted(shared))


def at_seeds(sample: Sample, seeds: Sequence[int]) -> Values:
    """The sample's values at `seeds`, in that order."""
    by_seed = dict(zip(sample.seeds, sample.values, strict=True))
    return np.array([by_seed[seed] for seed in seeds])
