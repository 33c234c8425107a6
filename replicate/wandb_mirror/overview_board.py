"""A wandb report over all papers: how many claims have which answer, every verdict, and all networks at once."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from wandb_workspaces import expr
from wandb_workspaces.reports.v2 import interface as wr

from replicate.errors import UserError
from replicate.experiments.catalogue import find
from replicate.experiments.kinds import STUDIES
from replicate.papers import load_paper
from replicate.report.table import markdown_table
from replicate.report.verdict_file import VerdictFile, all_verdicts
from replicate.report.wording import DASH, cite
from replicate.wandb_mirror.dashboard import as_json, saved
from replicate.wandb_mirror.mirrored import SUMMARY
from replicate.wandb_mirror.session import PROJECT

TITLE = "All papers: published claims and what our runs say"
INTRODUCTION = (
    "Every claim that an experiment of the suite tests, paper by paper. At laptop scale a verdict is about the "
    "direction of a claim on small images; what is counted or computed is exact at every scale. `replicate mirror` "
    "sends the runs."
)


def overview_of(results: Path, entity: str = "", dry_run: bool = False) -> str:
    """Build the report from the verdicts in `results`, and save it or only say what would be saved.

    The specification as JSON, the address, or nothing where wandb failed, which costs a warning. Raises UserError.
    """
    found = list(all_verdicts(results))
    if not found:
        raise UserError(f"there are no verdicts in {results}: `replicate run EXP` makes them")
    if dry_run:
        return as_json(build_overview(found))
    return saved(lambda owner, project: build_overview(found, owner, project), entity)


def build_overview(found: Sequence[VerdictFile], entity: str = "", project: str = PROJECT) -> wr.Report:
    """The report, not saved. `found`: the content of each verdicts.json. Asks no server."""
    papers = sorted({data.paper for data in found}, key=lambda paper: (load_paper(paper).year or 9999, paper))
    blocks = [
        wr.P(INTRODUCTION),
        wr.TableOfContents(),
        wr.H2("Verdicts"),
        wr.MarkdownBlock(markdown_table(tally(found))),
        wr.H2("All trained networks"),
        wr.PanelGrid(runsets=[trained(scale, entity, project) for scale in scales(found)], panels=networks()),
        *(block for paper in papers for block in one_paper(paper, found, entity, project)),
    ]
    return wr.Report(project=project, entity=entity, title=TITLE, description=INTRODUCTION, blocks=blocks)


def kind(data: VerdictFile) -> str:
    """How the numbers of an experiment came about; claims that need a training weigh differently from counts."""
    study = STUDIES[find(data.experiment).study]
    return "trained" if study.trains else "counted or computed" if study.counted else "measured without training"


def tally(found: Sequence[VerdictFile]) -> pd.DataFrame:
    """How many verdicts of each kind and scale say what."""
    counts = Counter((kind(data), data.scale.value, v.answer) for data in found for v in data.verdicts)
    outcomes = sorted({outcome for _, _, outcome in counts})
    groups = sorted({(how, scale) for how, scale, _ in counts}, reverse=True)
    return pd.DataFrame(
        [
            {"claims": how, "scale": scale, **{outcome: str(counts[how, scale, outcome]) for outcome in outcomes}}
            for how, scale in groups
        ]
    )


def scales(found: Sequence[VerdictFile]) -> list[str]:
    """The scales at which something was trained."""
    return sorted({data.scale for data in found if kind(data) == "trained"})


def trained(scale: str, entity: str, project: str) -> wr.Runset:
    """All trainings at a scale, of whatever paper."""
    filters: list[Any] = [expr.Metric("jobType") == "train", expr.Config("scale") == scale]
    return wr.Runset(entity=entity, project=project, name=f"{scale} scale", filters=filters)


def networks() -> list[Any]:
    """Test error against size and cost, each network a point: the view across papers."""
    titles = {"parameters": "test error against parameters", "multiply_adds": "test error against multiply-adds"}
    return [
        wr.ScatterPlot(title=text, x=wr.SummaryMetric(cost), y=wr.SummaryMetric("test_error"), log_x=True)
        for cost, text in titles.items()
    ]


def one_paper(paper: str, found: Sequence[VerdictFile], entity: str, project: str) -> list[Any]:
    """A heading, the verdicts of the paper's experiments, and the figures of those that have any."""
    own = [data for data in found if data.paper == paper]
    filters: list[Any] = [expr.Metric("jobType") == SUMMARY, expr.Config("paper") == paper]
    summaries = wr.Runset(entity=entity, project=project, name=SUMMARY, filters=filters)
    drawn = any(kind(data) != "counted or computed" for data in own)
    figures = [wr.PanelGrid(runsets=[summaries], panels=[wr.MediaBrowser(media_keys=["figure"])])] if drawn else []
    return [
        wr.H2(cite(load_paper(paper))),
        wr.MarkdownBlock(markdown_table(pd.DataFrame([line for data in own for line in lines(data)]))),
        *figures,
    ]


def lines(data: VerdictFile) -> list[dict[str, str]]:
    """One line a verdict; one line for a table of which no claim is tested."""
    table = {"experiment": data.experiment, "table": data.locator, "scale": data.scale}
    if not data.verdicts:
        return [{**table, "claim": DASH, "answer": DASH}]
    return [{**table, "claim": verdict.statement, "answer": verdict.answer} for verdict in data.verdicts]
