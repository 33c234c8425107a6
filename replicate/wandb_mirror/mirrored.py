"""What a run shows in wandb: its configuration, curves and single values, and what the paper prints beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from replicate.experiments.experiment import Experiment
from replicate.experiments.kinds import STUDIES
from replicate.experiments.run_config import MachineConfig, Run
from replicate.papers import load_paper
from replicate.papers.printed import is_number
from replicate.papers.units import COUNTS, unit
from replicate.runs.records import Record
from replicate.wandb_mirror.session import answers

PUBLISHED = "published"
SUMMARY = "summary"  # the kind of the run that holds a finished sweep's tables
LARGE = ("paper", "pretrained")  # scales whose numbers stand beside the published ones as numbers


@dataclass(frozen=True)
class Mirror:
    """What the mirror of a run shows of its experiment, and whether there is one: `mode` is one of WANDB_MODES."""

    experiment: str
    scale: str
    mode: str
    paper: str
    table: str
    study: str
    metrics: Mapping[str, str]
    deviations: tuple[str, ...]
    machine: MachineConfig

    @property
    def group(self) -> str:
        """What all runs of an experiment at a scale are found by."""
        return f"{self.experiment}-{self.scale}"

    @property
    def large(self) -> bool:
        """Whether the runs are of the paper's size: with system metrics, record and weights."""
        return self.scale in LARGE


def mirror_of(experiment: Experiment) -> Mirror:
    """The mirror of an experiment's runs."""
    settings = experiment.settings
    return Mirror(
        experiment=experiment.name,
        scale=str(experiment.scale),
        mode=experiment.wandb,
        paper=settings.paper,
        table=settings.table,
        study=settings.study,
        metrics=dict(settings.metrics),
        deviations=tuple(experiment.deviations),
        machine=experiment.machine,
    )


def published_values(mirror: Mirror, run: Run) -> dict[str, Any]:
    """What the paper prints in the row that `run` re-makes, of the columns that it measures.

    As plain numbers: wandb makes texts of any others.
    """
    rows = {row.variant: row.published for row in load_paper(mirror.paper).tables[mirror.table].rows}
    printed, measured = rows.get(run.row or "", {}), run.columns or mirror.metrics
    return {
        key: float(value) if isinstance(value, float) else value
        for key, value in printed.items()
        if key in measured or key not in mirror.metrics
    }


def references(mirror: Mirror, published: Mapping[str, Any]) -> dict[str, float]:
    """`published/<metric>` -> the printed number in the unit of the measured metric, so that one chart holds both."""
    units = load_paper(mirror.paper).tables[mirror.table].units
    counted = STUDIES[mirror.study].counted
    found = {}
    for column, value in published.items():
        if is_number(value):
            metric = mirror.metrics.get(column)
            number = float(value)
            if metric is not None:
                number = as_measured(number, column, metric, units.get(column, ""), counted)
            found[f"{PUBLISHED}/{metric or column}"] = number
    return found


def as_measured(value: float, column: str, metric: str, unit_name: str, counted: bool) -> float:
    """A number of the table's `column` as `metric` is measured; undoes :func:`replicate.papers.units.converted`."""
    size = unit(unit_name).size
    if "accuracy" in column and metric.endswith("error"):
        return 100 - value * size
    return value * size if counted or metric in COUNTS else value


def levels(found: Mapping[str, float]) -> dict[str, float]:
    """The references that are logged at every epoch, and so draw a level line beside the curves of the errors."""
    return {key: value for key, value in found.items() if key.endswith("error")}


def head(mirror: Mirror, run: Run, provenance: Mapping[str, Any], published: Mapping[str, Any]) -> dict[str, Any]:
    """Name, group, kind, tags and configuration of a run, as `wandb.init` takes them."""
    machine = {key: value for key, value in provenance.items() if key not in ("commit", "dirty", "data_checksum")}
    return {
        "name": f"{run.variant}-s{run.seed}",
        "group": mirror.group,
        "job_type": mirror.study,
        "tags": [mirror.paper, mirror.study, mirror.scale, run.variant[:64]],
        "config": {
            **run.config.identity(),
            "experiment": mirror.experiment,
            "scale": mirror.scale,
            "paper": mirror.paper,
            "table": mirror.table,
            "variant": run.variant,
            "seed": run.seed,
            "published": dict(published),
            "deviations": list(mirror.deviations),
            "commit": provenance.get("commit"),
            "machine": machine,
        },
    }


def axis(study: str) -> str:
    """What the curves of a study run over: a training's epochs; blocks, lengths or sizes, which records call index."""
    return "epoch" if study == "train" else "index"


def define_axes(run: Any, x: str) -> None:
    """Make `x` the horizontal axis of every chart."""
    run.define_metric(x, hidden=True)
    run.define_metric("*", step_metric=x)


def rows(record: Record, x: str) -> list[dict[str, float]]:
    """The record's curves as steps of a history, one for each index; what is no number is left out."""
    found: dict[float, dict[str, float]] = {}
    for m in record.measurements:
        if m.index is not None and m.value is not None:
            found.setdefault(m.index, {x: m.index})[m.metric] = m.value
    return [found[index] for index in sorted(found)]


def singles(record: Record) -> dict[str, Any]:
    """The record's single values, counts and timing."""
    values = {m.metric: m.value for m in record.measurements if m.index is None}
    counted = {"parameters": record.parameters, "multiply_adds": record.multiply_adds, "status": record.status}
    timing = {"seconds": record.timing.seconds, "images_per_second": record.timing.images_per_second}
    return {key: value for key, value in {**values, **counted, **timing}.items() if value is not None}


def end(run: Any, record: Record, lines: Mapping[str, float], x: str) -> None:
    """What is known at the end: single values, published numbers, which data were read, and the errors in one chart.

    The chart comes last and from a server that answers: wandb asks it for every table, for as long as it takes.
    """
    run.summary.update({**singles(record), **lines})
    run.config.update({"data_checksum": record.provenance.get("data_checksum")}, allow_val_change=True)
    chart = error_chart(record, levels(lines), x)
    if chart is not None and (run.offline or answers()):
        run.log({x: max(m.index for m in record.measurements if m.index is not None), "errors": chart})


def error_chart(record: Record, published: Mapping[str, float], x: str) -> Any | None:
    """The error curves and the published levels in one chart: wandb's own charts show one metric each.

    None without curves of errors, or without a published error.
    """
    import wandb

    steps = [row for row in rows(record, x) if x == "epoch"]
    curves = sorted({key for row in steps for key in row if key.endswith("_error")})
    if not curves or not published:
        return None
    series = {curve: [row.get(curve) for row in steps] for curve in curves}
    series |= {key: [value] * len(steps) for key, value in published.items()}
    return wandb.plot.line_series(
        xs=[row[x] for row in steps], ys=list(series.values()), keys=list(series), title="errors (%)", xname=x
    )
