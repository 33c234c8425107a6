"""`replicate dashboard --dry-run`: panels with bands over seeds, published values, tables and verdicts; no server."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner
from wandb_workspaces.reports.v2 import interface as wr

from replicate.cli import app
from replicate.errors import UserError
from replicate.report import judge
from replicate.report.findings import gather
from replicate.report.table import markdown_table, table_frame
from replicate.report.verdict_file import VerdictFile
from replicate.report.verdict_words import verdict_sentence
from replicate.wandb_mirror import dashboard, session
from replicate.wandb_mirror.dashboard import build_dashboard, dashboard_of, saved, specification
from replicate.wandb_mirror.overview_board import build_overview
from replicate.wandb_mirror.summary import summary_id
from tests.helpers.made_up import LADDER, errors_falling, made_up_experiment, record_of


@pytest.fixture(scope="module")
def spec() -> dict[str, Any]:
    findings = gather(made_up_experiment(), made_up_experiment().runs(), errors_falling(made_up_experiment().runs()))
    return specification(build_dashboard(findings, judge(findings)))


def blocks(spec: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [block for block in spec["spec"]["blocks"] if block["type"] == kind]


def panels(grid: dict[str, Any]) -> list[dict[str, Any]]:
    return list(grid["metadata"]["panelBankSectionConfig"]["panels"])


def filters(grid: dict[str, Any]) -> dict[str, tuple[str, str]]:
    [runset] = grid["metadata"]["runSets"]
    return {item["key"]["name"]: (item["op"], item["value"]) for item in runset["filters"]["filters"]}


def test_text_has_the_table_and_every_verdict(spec: dict[str, Any]) -> None:
    findings = gather(made_up_experiment(), made_up_experiment().runs(), errors_falling(made_up_experiment().runs()))
    table, verdicts = (block["content"] for block in blocks(spec, "markdown-block"))
    assert table == markdown_table(table_frame(findings))
    assert verdicts == "\n".join(f"- {verdict_sentence(v, findings.answer(v))}" for v in judge(findings))


def test_curves_carry_bands_over_seeds_and_bars_the_published_value(spec: dict[str, Any]) -> None:
    [_, all_runs, *_] = blocks(spec, "panel-grid")
    bar, *curves = (panel["config"] for panel in panels(all_runs))
    assert bar["metrics"] == ["test_error", "published/test_error"]
    assert (bar["groupBy"], bar["groupAgg"], bar["groupArea"]) == ("variant.value", "mean", "minmax")
    assert [curve["metrics"] for curve in curves] == [["train_loss"], ["lr"]]
    assert {(c["xAxis"], c["groupBy"], c["groupAgg"], c["groupArea"]) for c in curves} == {
        ("epoch", "variant.value", "mean", "minmax")
    }


def test_a_curve_of_errors_has_the_published_error_beside_it() -> None:
    experiment = made_up_experiment()
    records = [record_of(run, {"test_error": 15.0}, {"train_error": [50.0]}) for run in experiment.runs()]
    findings = gather(experiment, experiment.runs(), records)
    told = specification(build_dashboard(findings, judge(findings)))
    [_, curve, _] = panels(blocks(told, "panel-grid")[1])
    assert curve["config"]["metrics"] == ["train_error", "published/test_error"]


def test_each_variant_has_its_interval_over_seeds_from_the_summary(spec: dict[str, Any]) -> None:
    findings = gather(made_up_experiment(), made_up_experiment().runs(), errors_falling(made_up_experiment().runs()))
    summary, all_runs, *own = blocks(spec, "panel-grid")
    content = summary_id(findings, judge(findings))
    assert [value for _, value in filters(summary).values()] == ["made_up-laptop", content]
    assert filters(all_runs) == {"group": ("=", "made_up-laptop"), "jobType": ("!=", "summary")}
    assert all(filters(grid) == filters(summary) for grid in own)
    assert [[panel["config"]["metrics"] for panel in panels(grid)] for grid in own] == [
        [[f"train_loss/{name}", f"train_loss/{name}/low", f"train_loss/{name}/high"]] for name in LADDER
    ]


def test_equal_findings_give_an_equal_specification(spec: dict[str, Any]) -> None:
    findings = gather(made_up_experiment(), made_up_experiment().runs(), errors_falling(made_up_experiment().runs()))
    assert specification(build_dashboard(findings, judge(findings))) == spec


def test_dry_run_prints_it_and_without_login_a_line_is_all(
    workdir: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = CliRunner().invoke(app, ["dashboard", "resnext_cardinality", "--dry-run"])
    assert printed.exit_code == 0
    told = json.loads(printed.stdout)
    assert told["project"] == "replicate"
    curves = [panel["config"]["metrics"][0] for panel in panels(blocks(told, "panel-grid")[1])[2:]]
    assert curves == ["train_loss", "train_error", "lr"]
    monkeypatch.setattr(session, "has_login", lambda: False)
    monkeypatch.setattr(session, "told", set())
    failed = CliRunner().invoke(app, ["dashboard", "resnext_cardinality"])
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert failed.stderr == "replicate: wandb is left out (there is no login: `wandb login` makes one)\n"


def test_it_is_saved_for_the_named_or_the_own_entity_and_a_dead_server_costs_a_line(
    workdir: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept: list[str] = []

    def keep(report: wr.Report) -> None:
        kept.append(report.entity)
        report.id = "abc"

    monkeypatch.setattr(dashboard, "check_server", lambda patience: None)
    monkeypatch.setattr(dashboard, "own_entity", lambda: "me")
    monkeypatch.setattr(session, "told", set())
    monkeypatch.setattr(wr.Report, "save", keep)
    monkeypatch.setattr(wr.Report, "url", property(lambda report: f"address of {report.entity}'s"))
    told = [dashboard_of("resnext_cardinality", [], workdir, entity) for entity in ("", "team")]
    assert (kept, told) == (["me", "team"], ["address of me's\n", "address of team's\n"])
    monkeypatch.setattr(dashboard, "own_entity", lambda: (_ for _ in ()).throw(ConnectionError("no route")))
    assert saved(lambda entity, project: wr.Report(project=project), "") == ""
    assert capsys.readouterr().err == "replicate: wandb is left out (no route)\n"


def verdicts_file(experiment: str, paper: str, outcomes: list[str]) -> VerdictFile:
    numbers = {"effect": None, "low": None, "high": None, "unit": "", "n": 3, "seeds": 3, "p": None}
    verdicts = [
        {"answer": outcome, "outcome": outcome, "claim": f"c{number}", "statement": f"claim {number}", "trained": True}
        | {"kind": "order", "detail": "", **numbers}
        for number, outcome in enumerate(outcomes)
    ]
    where = {"experiment": experiment, "scale": "laptop", "paper": paper, "table": "t", "locator": "Table 1"}
    runs = {"planned": 3, "finished": 3, "diverged": 0, "missing": 0}
    content = {**where, "comparable": False, "runs": runs, "deviations": (), "verdicts": verdicts}
    return VerdictFile.model_validate(content)


def test_the_overview_tells_trained_claims_from_counts_and_shows_every_paper() -> None:
    found = [
        verdicts_file("resnext_cardinality", "resnext", ["undecided", "undecided"]),
        verdicts_file("resnet_complexity", "resnet", ["exact"]),
    ]
    told = specification(build_overview(found))
    tally, *papers = (block["content"] for block in blocks(told, "markdown-block"))
    [heading, _, *rows] = [[cell.strip() for cell in line.strip("|").split("|")] for line in tally.strip().splitlines()]
    assert heading == ["claims", "scale", "exact", "undecided"]
    assert rows == [["trained", "laptop", "0", "2"], ["counted or computed", "laptop", "1", "0"]]
    assert ["claim 0" in text for text in papers] == [True, True]
    networks, *figures = blocks(told, "panel-grid")
    assert filters(networks)["jobType"] == ("=", "train")
    assert [panel["config"]["yAxis"] for panel in panels(networks)] == ["summary:test_error"] * 2
    [resnext] = figures  # nothing is drawn of counts
    assert "resnext" in {value for _, value in filters(resnext).values()}


def test_an_overview_of_nothing_is_a_users_mistake(workdir: Any) -> None:
    done = CliRunner().invoke(app, ["dashboard", "--dry-run"])
    assert isinstance(done.exception, UserError)
