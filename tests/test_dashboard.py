"""`replicate dashboard --dry-run`: panels with bands over seeds, published values, tables and verdicts; no server."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner
from wandb_workspaces.reports.v2 import interface as wr

from replicate.cli import app
from replicate.report import judge
from replicate.report.findings import gather
from replicate.report.table import markdown_table, table_frame
from replicate.report.verdict_words import verdict_sentence
from replicate.wandb_mirror import dashboard, tracking
from replicate.wandb_mirror.dashboard import build_dashboard, dashboard_of, specification
from tests.made_up import LADDER, errors_falling, made_up_experiment


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
    assert verdicts == "\n".join(f"- {verdict_sentence(v)}" for v in judge(findings))


def test_curves_carry_bands_over_seeds_and_bars_the_published_value(spec: dict[str, Any]) -> None:
    [_, all_runs, *_] = blocks(spec, "panel-grid")
    bar, *curves = (panel["config"] for panel in panels(all_runs))
    assert bar["metrics"] == ["test_error", "published/top1_error"]
    assert (bar["groupBy"], bar["groupAgg"], bar["groupArea"]) == ("variant.value", "mean", "stddev")
    assert [curve["metrics"] for curve in curves] == [["train_loss"]]
    assert {(c["xAxis"], c["groupBy"], c["groupAgg"], c["groupArea"]) for c in curves} == {
        ("epoch", "variant.value", "mean", "minmax")
    }


def test_each_variant_has_its_own_panels(spec: dict[str, Any]) -> None:
    summary, all_runs, *own = blocks(spec, "panel-grid")
    assert filters(summary) == {"group": ("=", "made_up-laptop"), "jobType": ("=", "summary")}
    assert filters(all_runs) == {"group": ("=", "made_up-laptop"), "jobType": ("!=", "summary")}
    assert [filters(grid)["variant.value" if "variant.value" in filters(grid) else "variant"] for grid in own] == [
        ("=", name) for name in LADDER
    ]
    assert all(panels(grid) for grid in own)


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
    assert curves == ["train_loss", "train_error", "test_error"]
    monkeypatch.setattr(tracking, "has_login", lambda: False)
    saved = CliRunner().invoke(app, ["dashboard", "resnext_cardinality"])
    assert (saved.exit_code, saved.stdout) == (0, "")
    assert saved.stderr == "replicate: wandb is left out (there is no login: `wandb login` makes one)\n"


def test_it_is_saved_for_the_named_or_the_own_entity_and_a_dead_server_costs_a_line(
    workdir: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved: list[str] = []

    def keep(report: wr.Report) -> None:
        saved.append(report.entity)
        report.id = "abc"

    monkeypatch.setattr(tracking, "has_login", lambda: True)
    monkeypatch.setattr(dashboard, "own_entity", lambda: "me")
    monkeypatch.setattr(wr.Report, "save", keep)
    monkeypatch.setattr(wr.Report, "url", property(lambda report: f"address of {report.entity}'s"))
    told = [dashboard_of("resnext_cardinality", [], workdir, entity) for entity in ("", "team")]
    assert (saved, told) == (["me", "team"], ["address of me's\n", "address of team's\n"])
    monkeypatch.setattr(dashboard, "own_entity", lambda: (_ for _ in ()).throw(ConnectionError("no route")))
    assert dashboard_of("resnext_cardinality", [], workdir) == ""
    assert capsys.readouterr().err == "replicate: wandb is left out (no route)\n"
