"""A wandb report of one experiment: table and verdicts as text, curves, 95 % intervals over seeds, published values."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wandb_workspaces import expr
from wandb_workspaces.reports.v2 import interface as wr

from replicate.compat import report_specification
from replicate.experiments.experiment import load_experiment
from replicate.report import findings_of, judge
from replicate.report.findings import Findings, VariantFindings
from replicate.report.table import markdown_table, table_frame
from replicate.report.verdict_words import verdict_sentence
from replicate.report.wording import capital, comparison, heading, run_summary, title
from replicate.runs.committed import available_records
from replicate.runs.store import RunStore
from replicate.verdicts import Verdict
from replicate.wandb_mirror.intervals import curve_name
from replicate.wandb_mirror.mirrored import PUBLISHED, SUMMARY, axis, mirror_of
from replicate.wandb_mirror.session import PATIENCE, PROJECT, attempt, check_server, settings_of
from replicate.wandb_mirror.summary import summary_id

CURVES = ("train_loss", "train_error")  # what every training logs, where there is no record to ask
RANDOM = ("id", "__id__")  # names that wandb-workspaces draws at random
BANDS = "Means over seeds; bands and whiskers reach from the smallest to the largest, since wandb draws no intervals."
INTERVALS = "Each variant's mean over seeds between the ends of its 95 % interval, from the run `summary`."


def dashboard_of(name: str, words: list[str], results: Path, entity: str = "", dry_run: bool = False) -> str:
    """Build the dashboard of an experiment from its records, and save it or only say what would be saved.

    The specification as JSON, the address, or nothing where wandb failed, which costs a warning. Raises UserError.
    """
    experiment = load_experiment(name, words)
    findings = findings_of(experiment, available_records(experiment, RunStore(experiment.runs_dir), results))
    verdicts = judge(findings)
    if dry_run:
        return as_json(build_dashboard(findings, verdicts))  # of an entity wandb-workspaces asks the server
    return saved(lambda owner, project: build_dashboard(findings, verdicts, owner, project), entity)


def saved(build: Callable[[str, str], wr.Report], entity: str) -> str:
    """Save what `build` makes for an owner and a project; its address in a line, or nothing where wandb failed."""
    addresses: list[str] = []

    def save() -> None:
        check_server(PATIENCE)
        settings = settings_of()
        made = build(entity or settings.entity or own_entity(), settings.project or PROJECT)
        made.save()
        addresses.append(f"{made.url}\n")

    attempt(save)
    return "".join(addresses)


def own_entity() -> str:
    """Who is logged in; asks the server."""
    import wandb

    return str(wandb.Api().default_entity)


def build_dashboard(
    findings: Findings, verdicts: Sequence[Verdict], entity: str = "", project: str = PROJECT
) -> wr.Report:
    """The report, not saved; `entity` is the wandb user or team that will own it. Asks no server."""
    everything = runs(findings, entity, project)
    summary = runs(findings, entity, project, summary_id(findings, verdicts))
    blocks = [
        wr.P(comparison(findings)),
        wr.H2("Published beside measured"),
        wr.MarkdownBlock(markdown_table(table_frame(findings))),
        wr.P(run_summary(findings)),
        wr.H2("Verdicts"),
        wr.MarkdownBlock(
            "\n".join(f"- {verdict_sentence(v, findings.answer(v))}" for v in verdicts) or "No claim is tested."
        ),
        wr.PanelGrid(runsets=[summary], panels=[wr.MediaBrowser(media_keys=["figure"])]),
        wr.H2("All variants"),
        wr.P(BANDS),
        wr.PanelGrid(runsets=[everything], panels=[*bars(findings), *lines(findings)]),
        *interval_blocks(findings, summary),
    ]
    name = title(findings)
    return wr.Report(project=project, entity=entity, title=name[:128], description=capital(name), blocks=blocks)


def runs(findings: Findings, entity: str, project: str, content: str | None = None) -> wr.Runset:
    """The runs of the sweep's group: all that measured, or the summary with that `content`."""
    filters: list[Any] = [expr.Metric("group") == mirror_of(findings.experiment).group]
    filters.append(expr.Config("content") == content if content else expr.Metric("jobType") != SUMMARY)
    return wr.Runset(entity=entity, project=project, name=SUMMARY if content else "runs", filters=filters)


def bars(findings: Findings) -> list[Any]:
    """For each bound column the mean over seeds with its extremes, and the published value beside it."""
    return [
        wr.BarPlot(
            title=f"{heading(findings, column)}: measured, and published",
            metrics=[metric, f"{PUBLISHED}/{metric}"],
            groupby=wr.Config("variant"),
            groupby_aggfunc="mean",
            groupby_rangefunc="minmax",
        )
        for column, metric in findings.experiment.settings.metrics.items()
    ]


def lines(findings: Findings) -> list[Any]:
    """For each curve one line a variant with its extremes over seeds; beside errors, the levels of published errors."""
    return [
        wr.LinePlot(
            title=curve.replace("_", " "),
            x=axis(findings.experiment.settings.study),
            y=[curve, *(published_errors(findings) if curve.endswith("_error") else [])],
            groupby=wr.Config("variant"),
            groupby_aggfunc="mean",
            groupby_rangefunc="minmax",
        )
        for curve in curves(findings)
    ]


def published_errors(findings: Findings) -> list[str]:
    """The published errors that runs log at every epoch."""
    measured = findings.experiment.settings.metrics.values()
    return list(dict.fromkeys(f"{PUBLISHED}/{metric}" for metric in measured if metric.endswith("error")))


def curves(findings: Findings) -> tuple[str, ...]:
    """What the records hold as curves, under the names by which they were measured; of a training, also its rate."""
    found = [m.metric for record in findings.records for m in record.measurements if m.index is not None]
    trained = findings.experiment.settings.study == "train"
    return (*(dict.fromkeys(found) or (CURVES if trained else ())), *(["lr"] if trained else []))


def interval_blocks(findings: Findings, summary: wr.Runset) -> list[Any]:
    """A heading and the charts of each variant that has curves; nothing where none has."""
    found = [(line, one_variant(findings, line)) for line in findings.variants]
    blocks = [
        block
        for line, panels in found
        if panels
        for block in (wr.H3(line.variant), wr.PanelGrid(runsets=[summary], panels=panels))
    ]
    return [wr.H2("95 % intervals"), wr.P(INTERVALS), *blocks] if blocks else []


def one_variant(findings: Findings, line: VariantFindings) -> list[Any]:
    """The variant's curves as the summary has them: mean, low and high end."""
    points = findings.frame[(findings.frame["variant"] == line.variant) & findings.frame["index"].notna()]
    names = [curve_name(metric, line.variant) for metric in points["metric"].unique()]
    x = axis(findings.experiment.settings.study)
    return [wr.LinePlot(title=name, x=x, y=[name, f"{name}/low", f"{name}/high"]) for name in names]


def as_json(report: wr.Report) -> str:
    return json.dumps(specification(report), indent=2) + "\n"


def specification(report: wr.Report) -> dict[str, Any]:
    """What would be sent to wandb, without the names that are drawn at random: equal findings, equal specification."""
    found: dict[str, Any] = without_random(report_specification(report))
    return found


def without_random(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: without_random(item) for key, item in value.items() if key not in RANDOM}
    return [without_random(item) for item in value] if isinstance(value, list) else value
