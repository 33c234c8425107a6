"""Planned runs and the records found for them, beside what the paper printed: what every table and figure reads."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import special

from replicate.errors import unknown
from replicate.experiments.catalogue import Entry
from replicate.experiments.experiment import Experiment
from replicate.experiments.kinds import STUDIES
from replicate.experiments.run_config import Run, Settings
from replicate.experiments.scale import Scale
from replicate.papers import Paper, Table
from replicate.papers.facts import Value
from replicate.papers.units import converted
from replicate.report.unreached import with_unreached
from replicate.runs.records import Record
from replicate.verdicts import Verdict
from replicate.verdicts import frame as frames

LEVEL = 0.95
COLUMNS = ("variant", "row", "seed", "status", "metric", "index", "value")


@dataclass(frozen=True)
class Sample:
    """One metric of one variant over its runs. `half_width` is that of the 95 % t-interval, None for n < 2.

    As in the verdicts, a diverged run counts with what it scored, or at chance level where it scored nothing.
    """

    values: tuple[float, ...]
    mean: float
    half_width: float | None

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def interval(self) -> tuple[float, float] | None:
        """Lower and upper end of the 95 % interval of the mean."""
        return None if self.half_width is None else (self.mean - self.half_width, self.mean + self.half_width)


@dataclass(frozen=True)
class VariantFindings:
    """One line of the table: what was printed, what was measured, and what became of the planned runs."""

    variant: str
    row: str | None
    published: Mapping[str, Value]
    measured: Mapping[str, Sample]
    parameters: int | None
    multiply_adds: int | None
    planned: int
    finished: int
    diverged: int

    @property
    def missing(self) -> int:
        """Planned runs that left no record yet."""
        return self.planned - self.finished - self.diverged

    @property
    def seconds(self) -> Sample | None:
        """Wall-clock seconds of a run."""
        return self.measured.get("seconds")

    @property
    def images_per_second(self) -> Sample | None:
        """Training images per second of a run."""
        return self.measured.get("images_per_second")


@dataclass(frozen=True, eq=False)  # two data frames have no one answer to "equal?"
class Findings:
    """One experiment at one scale: the plan, the records that belong to it, and `frame`, the measurements as rows.

    `frame` has the columns variant, row (published row or None), seed, status, metric, index (NaN: a single value) and
    value (NaN: not a number; where the status is `unreached`, the least that it can be). Metrics bound to a
    published column carry its name and unit, all others their own. `chance` maps metrics to their value when guessing.
    """

    experiment: Experiment
    paper: Paper
    table: Table
    variants: tuple[VariantFindings, ...]
    runs: tuple[Run, ...]
    records: tuple[Record, ...]
    frame: pd.DataFrame
    chance: Mapping[str, float]

    @property
    def columns(self) -> tuple[str, ...]:
        """The published columns that this experiment measures, in the order of its file; all, if it binds none."""
        return tuple(self.experiment.settings.metrics or self.table.units)

    @cached_property
    def missing(self) -> tuple[Run, ...]:
        """The planned runs without a record."""
        found = {record.id for record in self.records}
        return tuple(run for run in self.runs if run.id not in found)

    @property
    def counted(self) -> bool:
        """Whether the numbers follow from the networks' graphs alone, without data, seeds or training."""
        return STUDIES[self.experiment.settings.study].counted

    def answer(self, verdict: Verdict) -> str:
        """The verdict's answer in the words of this scale."""
        return verdict.words(self.comparable, counted=self.experiment.scale is Scale.EXACT)

    @property
    def comparable(self) -> bool:
        """Whether measured numbers may stand beside the published ones as numbers (same data, sizes and recipe)."""
        without_images = all(run.config.data is None for run in self.runs)
        return without_images or self.experiment.scale.comparable


def gather(experiment: Experiment, runs: Sequence[Run], records: Iterable[Record]) -> Findings:
    """Join `runs` (the plan) with `records` by id. Records of other configurations are left out.

    Raises UserError when the experiment names a table or row that its paper does not have.
    """
    paper = experiment.paper
    if experiment.settings.table not in paper.tables:
        raise unknown(f"table of paper {paper.id}", experiment.settings.table, paper.tables)
    table = paper.tables[experiment.settings.table]
    ordered = in_order(runs)
    by_id = {record.id: record for record in records}
    found = [(run, labelled(by_id[run.id], run)) for run in ordered if run.id in by_id]
    values = with_unreached(tidy([(run.row, record) for run, record in found]), ordered)
    frame = bound(values, experiment.settings, table, {run.variant: run.columns for run in ordered if run.columns})
    chance = chance_levels(frame, experiment.settings.metrics)
    return Findings(
        experiment=experiment,
        paper=paper,
        table=table,
        variants=by_variant(table, ordered, found, summarise(frame, chance), experiment.settings.metrics),
        runs=ordered,
        records=tuple(record for _, record in found),
        frame=frame,
        chance=chance,
    )


def in_order(runs: Sequence[Run]) -> tuple[Run, ...]:
    """Runs by variant in the file's order, then by seed."""
    place = {name: position for position, name in enumerate(dict.fromkeys(run.variant for run in runs))}
    return tuple(sorted(runs, key=lambda run: (place[run.variant], run.seed)))


def labelled(record: Record, run: Run) -> Record:
    """The record under the plan's names: a run's id knows only its configuration, which experiments may share."""
    return record.model_copy(update={"experiment": run.experiment, "scale": run.scale, "variant": run.variant})


def tidy(found: Sequence[tuple[str | None, Record]]) -> pd.DataFrame:
    """All measurements of records and their published rows, under the names and in the units of the studies."""
    rows = [
        (record.variant, row, record.seed, record.status, metric, index, value)
        for row, record in found
        for metric, index, value in values_of(record)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"index": float, "value": float})


EARLY = {"train_loss": "train_loss_first_epoch", "train_error": "train_error_first_epoch"}
"""Curves whose first point is a measurement of its own, for claims on how training begins."""


def values_of(record: Record) -> list[tuple[str, float | None, float | None]]:
    """All numbers of a record: its measurements, and the fields that no measurement of that name already gives."""
    measured = [(m.metric, m.index, m.value) for m in record.measurements]
    measured += [(EARLY[m.metric], None, m.value) for m in record.measurements if m.index == 1 and m.metric in EARLY]
    fields = {
        "parameters": record.parameters,
        "multiply_adds": record.multiply_adds,
        "seconds": record.timing.seconds,
        "images_per_second": record.timing.images_per_second,
    }
    names = {metric for metric, _, _ in measured}
    return measured + [(name, None, value) for name, value in fields.items() if value is not None and name not in names]


def bound(
    frame: pd.DataFrame, said: Settings | Entry, table: Table, columns: Mapping[str, Sequence[str]] | None = None
) -> pd.DataFrame:
    """Metrics that stand for a published column, under its name and in its unit; the others as they are.

    One measured metric may stand for several columns. `columns`: variant -> the only columns that it measures; what
    else is known of such a variant goes by its own name, since others measure the same row.
    """
    narrowed = columns or {}
    metrics, counted = said.metrics, said.study == "count"
    parts = []
    for column, metric in metrics.items():
        others = [variant for variant, own in narrowed.items() if column not in own]
        rows = frame[(frame["metric"] == metric) & ~frame["variant"].isin(others)]
        values = converted(rows["value"], column, metric, table.units.get(column, ""), counted)
        parts.append(rows.assign(metric=column, value=values))
    # a measured metric that merely happens to be called like a column bound to another one would mix with it
    free = frame[~frame["metric"].isin({*metrics.values(), *metrics})]
    free = free.assign(row=free["row"].mask(free["variant"].isin([*narrowed]), None))
    return pd.concat([*parts, free], ignore_index=True) if metrics else frame


def chance_levels(frame: pd.DataFrame, metrics: Mapping[str, str]) -> dict[str, float]:
    """Metric or column -> its value when guessing, in percent; empty unless all runs tell one number of classes."""
    classes = frame.loc[frame["metric"] == "classes", "value"].dropna().unique()
    if len(classes) != 1:
        return {}
    top1, top5 = 100 / float(classes[0]), 100 * min(1.0, 5 / float(classes[0]))
    guessed = {"test_error": 100 - top1, "test_top5_error": 100 - top5}
    columns = {column: guessed[metric] for column, metric in metrics.items() if metric in guessed}
    return guessed | {column: 100 - error if "accuracy" in column else error for column, error in columns.items()}


def summarise(frame: pd.DataFrame, chance: Mapping[str, float]) -> dict[str, dict[str, Sample]]:
    """Variant -> metric -> its final values over the runs, with their mean and t-interval."""
    groups = final_values(frame, chance).groupby(["variant", "metric"], sort=False)["value"]
    found = groups.agg(sample=tuple, n="count", mean="mean", std="std").reset_index()
    half = special.stdtrit(found["n"] - 1, (1 + LEVEL) / 2) * found["std"] / np.sqrt(found["n"])
    samples: dict[str, dict[str, Sample]] = {}
    for variant, metric, values, mean, width in zip(
        found["variant"], found["metric"], found["sample"], found["mean"], half, strict=True
    ):
        samples.setdefault(variant, {})[metric] = Sample(values, mean, None if math.isnan(width) else width)
    return samples


def final_values(frame: pd.DataFrame, chance: Mapping[str, float]) -> pd.DataFrame:
    """One value for each run and metric, by the rule that verdicts rest on; runs without any are left out."""
    final = frames.final_values(frame, chance)
    return final[final["status"] != frames.UNREACHED].dropna(subset=["value"])


def by_variant(
    table: Table,
    runs: Sequence[Run],
    found: Sequence[tuple[Run, Record]],
    samples: Mapping[str, Mapping[str, Sample]],
    metrics: Mapping[str, str],
) -> tuple[VariantFindings, ...]:
    """One entry a variant, in the order of `runs`."""
    planned: dict[str, list[Run]] = {}
    for run in runs:
        planned.setdefault(run.variant, []).append(run)
    records: dict[str, list[Record]] = {variant: [] for variant in planned}
    for run, record in found:
        records[run.variant].append(record)
    rows = published_rows(table)
    return tuple(
        one_variant(rows, planned[variant], records[variant], samples.get(variant, {}), metrics) for variant in planned
    )


def published_rows(table: Table) -> dict[str, Mapping[str, Value]]:
    return {row.variant: row.published for row in table.rows}


def one_variant(
    rows: Mapping[str, Mapping[str, Value]],
    runs: Sequence[Run],
    records: Sequence[Record],
    measured: Mapping[str, Sample],
    metrics: Mapping[str, str],
) -> VariantFindings:
    row, own = runs[0].row, runs[0].columns or metrics
    if row is not None and row not in rows:
        raise unknown(f"published row (variant {runs[0].variant} of {runs[0].experiment})", row, rows)
    return VariantFindings(
        variant=runs[0].variant,
        row=row,
        published={c: v for c, v in rows[row].items() if c in own or c not in metrics} if row is not None else {},
        measured=measured,
        parameters=next((r.parameters for r in records if r.parameters is not None), None),
        multiply_adds=next((r.multiply_adds for r in records if r.multiply_adds is not None), None),
        planned=len(runs),
        finished=sum(record.status == "finished" for record in records),
        diverged=sum(record.status == "diverged" for record in records),
    )
