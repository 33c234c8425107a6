"""A wandb report of one experiment: the tables and verdicts as text, curves with bands over seeds, published values."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wandb_workspaces import expr
from wandb_workspaces.reports.v2 import interface as wr

from replicate.experiments.experiment import load_experiment
from replicate.report import available_records, report
from replicate.report.findings import Findings
from replicate.report.table import markdown_table, table_frame
from replicate.report.verdict_words import verdict_sentence
from replicate.report.wording import capital, comparison, heading, run_summary, title
from replicate.runs.store import RunStore
from replicate.verdicts import Verdict
from replicate.wandb_mirror.summary import SUMMARY
from replicate.wandb_mirror.tracking import PROJECT, PUBLISHED, attempt, logged_in, mirror_of

CURVES = ("train_loss", "train_error", "test_error")  # what every training logs, where there is no record to ask
RANDOM = ("id", "__id__")  # names that wandb-workspaces draws at random


def dashboard_of(name: str, words: list[str], results: Path, entity: str = "", dry_run: bool = False) -> str:
    """Build the dashboard of an experiment from its records, and save it or only say what would be saved.

    The specification as JSON, the address, or nothing where wandb failed, which costs a warning. Raises UserError.
    """
    experiment = load_experiment(name, words)
    findings, verdicts = report(experiment, available_records(experiment, RunStore(experiment.runs_dir), results))
    if dry_run:
        return json.dumps(specification(build_dashboard(findings, verdicts, entity)), indent=2) + "\n"
    addresses: list[str] = []
    attempt(lambda: addresses.append(save(findings, verdicts, entity)))
    return "".join(f"{address}\n" for address in addresses)


def save(findings: Findings, verdicts: Sequence[Verdict], entity: str) -> str:
    """Save the report to wandb, for the login's own entity if none is named; its address. Raises what wandb raises."""
    logged_in()
    made = build_dashboard(findings, verdicts, entity or own_entity())
    made.save()
    return str(made.url)


def own_entity() -> str:
    """Who is logged in; asks the server."""
    import wandb

    return str(wandb.Api().default_entity)


def build_dashboard(findings: Findings, verdicts: Sequence[Verdict], entity: str = "") -> wr.Report:
    """The report, not saved; `entity` is the wandb user or team that will own it. Asks no server."""
    blocks = [
        wr.P(comparison(findings)),
        wr.H2("Published beside measured"),
        wr.MarkdownBlock(markdown_table(table_frame(findings))),
        wr.P(run_summary(findings)),
        wr.H2("Verdicts"),
        wr.MarkdownBlock(
            "\n".join(f"- {verdict_sentence(v, findings.answer(v))}" for v in verdicts) or "No claim is tested."
        ),
        wr.PanelGrid(runsets=[runs(findings, entity, SUMMARY)], panels=[wr.MediaBrowser(media_keys=["figure"])]),
        wr.H2("All variants"),
        wr.PanelGrid(runsets=[runs(findings, entity)], panels=[*bars(findings), *lines(findings)]),
        *(block for line in findings.variants for block in one_variant(findings, line.variant, entity)),
    ]
    name = title(findings)
    return wr.Report(project=PROJECT, entity=entity, title=name[:128], description=capital(name), blocks=blocks)


def one_variant(findings: Findings, variant: str, entity: str) -> list[Any]:
    """A heading and the variant's own curves: the mean over seeds, the band from the smallest to the largest."""
    return [wr.H3(variant), wr.PanelGrid(runsets=[runs(findings, entity, variant=variant)], panels=lines(findings))]


def runs(findings: Findings, entity: str, job: str | None = None, variant: str | None = None) -> wr.Runset:
    """The runs of the sweep's group: its summary (`job`), those of a variant, or all that trained."""
    filters: list[Any] = [expr.Metric("group") == mirror_of(findings.experiment).group]
    filters.append(expr.Metric("jobType") == job if job else expr.Metric("jobType") != SUMMARY)
    if variant is not None:
        filters.append(expr.Config("variant") == variant)
    return wr.Runset(entity=entity, project=PROJECT, name=variant or job or "runs", filters=filters)


def bars(findings: Findings) -> list[Any]:
    """For each bound column the mean over seeds with its spread, and the published value beside it."""
    return [
        wr.BarPlot(
            title=f"{heading(findings, column)}: measured, and published",
            metrics=[metric, f"{PUBLISHED}/{column}"],
            groupby=wr.Config("variant"),
            groupby_aggfunc="mean",
            groupby_rangefunc="stddev",
        )
        for column, metric in findings.experiment.settings.metrics.items()
    ]


def lines(findings: Findings) -> list[Any]:
    """For each curve one line a variant with its band over seeds; the published level of what the curve measures."""
    columns = {metric: column for column, metric in findings.experiment.settings.metrics.items()}
    return [
        wr.LinePlot(
            title=curve.replace("_", " "),
            x="epoch",
            y=[curve, *([f"{PUBLISHED}/{columns[curve]}"] if curve in columns else [])],
            groupby=wr.Config("variant"),
            groupby_aggfunc="mean",
            groupby_rangefunc="minmax",
        )
        for curve in curves(findings)
    ]


def curves(findings: Findings) -> tuple[str, ...]:
    """What the records hold as curves, under the names by which they were measured."""
    found = [m.metric for record in findings.records for m in record.measurements if m.index is not None]
    return tuple(dict.fromkeys(found)) or CURVES


def specification(report: wr.Report) -> dict[str, Any]:
    """What would be sent to wandb, less the names that are drawn at random: equal findings, equal specification."""
    model: Any = report._to_model()  # type: ignore[no-untyped-call]
    spec: dict[str, Any] = without_random(model.spec.model_dump(mode="json", by_alias=True, exclude_none=True))
    return {"title": model.display_name, "project": model.project.name, "spec": spec}


def without_random(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: without_random(item) for key, item in value.items() if key not in RANDOM}
    return [without_random(item) for item in value] if isinstance(value, list) else value
