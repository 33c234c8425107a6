"""Tables, figure, terminal and results/: the same numbers everywhere, the same bytes every time, whole files only."""

import json
import os
import xml.etree.ElementTree as ElementTree
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.container import ErrorbarContainer
from rich.console import Console

from replicate.errors import UserError
from replicate.experiments.experiment import Experiment
from replicate.report import Findings, findings_of, judge, terminal, write_index
from replicate.report.collected import cell
from replicate.report.figures.draw import draw, figure_png, figure_svg
from replicate.report.findings import gather
from replicate.report.publish import publish
from replicate.report.table import agreement, markdown, table_frame, without_html
from replicate.report.wording import capital, duration, short_count
from replicate.runs.committed import committed_records
from replicate.runs.records import Record
from tests.helpers.made_up import errors_falling, made_up_experiment, record_of
from tests.helpers.reported import report

FILES = ["figure.svg", "records.jsonl", "runs.csv", "table.md", "verdicts.json"]


def with_gaps() -> tuple[Experiment, list[Record]]:
    """Nine planned runs: the first diverged, the last was not done."""
    experiment = made_up_experiment()
    _, *others, _ = errors_falling(experiment.runs())
    failed = record_of(experiment.runs()[0], {"test_error": None, "classes": 10.0}, status="diverged")
    return experiment, [failed, *others]


def found(experiment: Experiment, records: list[Record]) -> Findings:
    return gather(experiment, experiment.runs(), records)


def counting(values: dict[str, float], **settings: Any) -> Findings:
    """Findings of study `count`: one variant, ResNeXt-50 of Table 1."""
    experiment = made_up_experiment(
        {"32x4d": "ResNeXt-50 32x4d"},
        seeds=1,
        study="count",
        table="complexity_table1",
        metrics={"params": "parameters", "flops": "multiply_adds"},
        claims=[],
        deviations={},
        **settings,
    )
    return found(experiment, [record_of(run, values) for run in experiment.runs()])


def test_table_shows_published_beside_measured() -> None:
    findings = found(*with_gaps())
    frame = table_frame(findings).set_index("variant")
    sample = findings.variants[1].measured["top1_error"]
    assert frame.loc["2x40d", "top-1 error (%), published"] == "23.0"
    expected = f"{sample.mean:.2f} ± {sample.half_width:.2f} (3)"
    assert frame.loc["2x40d", "top-1 error (%), mean ± 95 % (n)"] == expected
    assert frame.loc["2x40d", "parameters"] == "270,896"
    assert list(frame["remarks"]) == ["1 of 3 diverged", "", "1 of 3 not run"]


def test_a_variant_without_any_run_is_not_run() -> None:
    experiment = made_up_experiment()
    frame = table_frame(found(experiment, [r for r in errors_falling(experiment.runs()) if r.variant != "2x40d"]))
    assert list(frame.loc[1, ["top-1 error (%), mean ± 95 % (n)", "remarks"]]) == ["not run", "not run"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("error falls", "Error falls"),
        ("a pool shrinks maps", "A pool shrinks maps"),
        ("error, as depth", "Error, as depth"),
        ("p_L = 0.5 saves time", "p_L = 0.5 saves time"),
        ("fc6 holds most", "fc6 holds most"),
        ("v1.1 is cheaper", "v1.1 is cheaper"),
        ("n kernels of size k", "n kernels of size k"),
        ("", ""),
    ],
)
def test_a_sentence_begins_with_a_capital_unless_a_symbol_does(text: str, said: str) -> None:
    assert capital(text) == said


@pytest.mark.parametrize(("scale", "comparable"), [("smoke", False), ("laptop", False), ("paper", True)])
def test_small_scales_say_that_they_replicate_no_number(scale: str, comparable: bool) -> None:
    experiment = made_up_experiment(scale=scale)
    text = markdown(found(experiment, errors_falling(experiment.runs())), [])
    assert ("no replication of the published numbers" in text) is not comparable
    assert ("data: small images" in text) is (scale == "laptop")


def test_the_papers_statistic_stands_beside_the_mean_at_paper_scale() -> None:
    experiment = made_up_experiment(scale="paper", statistic="median", seeds=3)
    values = [10.0, 11.0, 15.0]
    records = [record_of(run, {"test_error": values[run.seed]}) for run in experiment.runs()]
    assert "(3; median 11.00)" in markdown(found(experiment, records), [])


@pytest.mark.parametrize(
    ("params", "flops", "results"),
    [
        (25_028_904, 4_230_000_000, ["agrees to the printed digits", "agrees to the printed digits"]),
        (25_000_000, 4_300_000_000, ["exact", "differs by +0.1 (+2.4 %)"]),
    ],
)
def test_counts_are_compared_number_by_number(params: int, flops: int, results: list[str]) -> None:
    findings = counting({"parameters": params, "multiply_adds": flops})
    frame = table_frame(findings)
    assert list(frame["published"]) == ["25.0", "4.2"]
    assert list(frame["counted"]) == [f"{params:,}", f"{flops:,}"]
    assert list(frame["result"]) == results
    exact = results.count("exact")
    assert (f"Of 2 printed numbers: {exact} exact" in markdown(findings, [])) is (exact > 0)


def test_agreement_of_what_is_no_number() -> None:
    assert [agreement(3.0, value) for value in (None, "avg", True, 3)] == ["", "", "", "exact"]


def test_results_regenerate_byte_for_byte_from_the_committed_records(tmp_path: Path) -> None:
    experiment, records = with_gaps()
    report(experiment, reversed(records), tmp_path / "first")
    folder = tmp_path / "first" / "resnext" / "made_up" / "laptop"
    assert sorted(os.listdir(folder)) == FILES
    again = committed_records(tmp_path / "first", "resnext", "made_up", "laptop")
    report(experiment, again, tmp_path / "second")
    for name in ["README.md", *(f"resnext/made_up/laptop/{name}" for name in FILES)]:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name
    assert [(r.variant, r.seed) for r in again][:4] == [("1x64d", 0), ("1x64d", 1), ("1x64d", 2), ("2x40d", 0)]


def test_runs_csv_holds_every_record(tmp_path: Path) -> None:
    experiment, records = with_gaps()
    report(experiment, records, tmp_path)
    frame = pd.read_csv(tmp_path / "resnext" / "made_up" / "laptop" / "runs.csv").set_index("id")
    assert len(frame) == len(records) == 8
    for record in records:
        line = frame.loc[record.id]
        error = record.value("test_error")
        assert pd.isna(line["test_error"]) if error is None else line["test_error"] == pytest.approx(error, rel=1e-5)
        assert (line["seed"], line["status"], line["parameters"]) == (record.seed, record.status, 270_896)
        assert (line["commit"], line["torch"], line["seconds"]) == ("c0ffee", "2.6.0", 61.25)


def test_verdicts_json_and_index_say_what_was_judged(tmp_path: Path) -> None:
    experiment, records = with_gaps()
    _, [verdict] = report(experiment, records, tmp_path)
    data = json.loads((tmp_path / "resnext" / "made_up" / "laptop" / "verdicts.json").read_text())
    assert data["runs"].pop("hours") > 0
    assert data["runs"] == {"planned": 9, "finished": 7, "diverged": 1, "missing": 1}
    assert data["verdicts"][0]["effect"] == verdict.effect
    assert data["verdicts"][0]["outcome"] == verdict.outcome
    index = (tmp_path / "README.md").read_text()
    line = "| [made_up](resnext/made_up/laptop/table.md) | laptop | Xie et al. 2017 | 8 of 9 |"
    assert f"{line} 1 {verdict.outcome} |" in index
    assert verdict.statement in (tmp_path / "resnext" / "made_up" / "laptop" / "table.md").read_text()


def test_nothing_is_written_without_a_record(tmp_path: Path) -> None:
    kept_out = publish(findings_of(made_up_experiment(), []), [], tmp_path)
    assert kept_out == "9 of 9 runs are missing: nothing is written to results/"
    assert os.listdir(tmp_path) == []


def test_a_full_disk_leaves_whole_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment, records = with_gaps()
    report(experiment, records, tmp_path)
    folder = tmp_path / "resnext" / "made_up" / "laptop"
    before = {name: (folder / name).read_bytes() for name in FILES}
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(UserError, match="No space left on device"):
        report(experiment, errors_falling(experiment.runs(), spread=0.5), tmp_path)
    assert {name: (folder / name).read_bytes() for name in sorted(os.listdir(folder))} == before


def test_damaged_records_are_one_clear_line(tmp_path: Path) -> None:
    experiment, records = with_gaps()
    report(experiment, records, tmp_path)
    path = tmp_path / "resnext" / "made_up" / "laptop" / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match=r"records\.jsonl, line 8, is no record") as raised:
        committed_records(tmp_path, "resnext", "made_up", "laptop")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["{", "{}", "[]", "[" * 90_000])
def test_damaged_verdicts_cost_the_index_a_line_and_no_other_experiment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    experiment, records = with_gaps()
    report(experiment, records, tmp_path)
    other = tmp_path / "resnext" / "other" / "laptop" / "verdicts.json"
    other.parent.mkdir(parents=True)
    other.write_text(text)
    before = (tmp_path / "README.md").read_bytes()
    write_index(tmp_path)
    assert (tmp_path / "README.md").read_bytes() == before
    [line] = capsys.readouterr().err.splitlines()
    assert f"{other} is damaged" in line


def test_text_of_others_is_no_formula_and_no_tag() -> None:
    texts = ("=A1", "@x", "-1", "plain", -1.5, None)
    assert [cell(text) for text in texts] == ["'=A1", "'@x", "'-1", "plain", "-1.5", ""]
    assert without_html("a <b>, 1 < 2, </i>, p <0.05 <!-- x") == "a \\<b>, 1 < 2, \\</i>, p <0.05 \\<!-- x"


def test_figure_has_the_tables_numbers() -> None:
    findings = found(*with_gaps())
    published, measured = draw(findings).axes
    assert [list(line.get_xdata()) for line in published.lines] == [[23.9], [23.0], [22.2]]  # type: ignore[arg-type]
    bars = [container for container in measured.containers if isinstance(container, ErrorbarContainer)]
    means = [float(bar.lines[0].get_xdata()[0]) for bar in bars]  # type: ignore[index, arg-type]
    assert means == [line.measured["top1_error"].mean for line in findings.variants if not line.diverged]
    assert [text.get_text() for text in measured.texts if text.get_text()] == ["1 of 3 diverged", "1 of 3 not run"]
    assert published.get_xlabel() == measured.get_xlabel() == "top-1 error (%)"


def test_figure_is_the_same_bytes_and_names_no_date() -> None:
    experiment, records = with_gaps()
    drawn = figure_svg(found(experiment, records))
    assert drawn == figure_svg(found(experiment, records))
    assert ElementTree.fromstring(drawn).tag.endswith("svg")
    assert b"<dc:date>" not in drawn
    assert figure_png(found(experiment, records)).startswith(b"\x89PNG")


def test_published_numbers_share_an_axis_only_where_they_may_be_compared() -> None:
    def limits(scale: str) -> list[tuple[float, float]]:
        experiment = made_up_experiment(scale=scale)
        return [axes.get_xlim() for axes in draw(found(experiment, errors_falling(experiment.runs()))).axes]

    assert limits("paper")[0] == limits("paper")[1]
    assert limits("laptop")[0] != limits("laptop")[1]


@pytest.mark.parametrize("width", [80, 100])
def test_terminal_fits_and_needs_no_colour(width: int) -> None:
    findings = found(*with_gaps())
    verdicts = judge(findings)
    console = Console(file=StringIO(), width=width, no_color=True)
    console.print(terminal(findings, verdicts))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, shown.splitlines())) <= width
    assert "\x1b" not in shown
    for said in ("23.9", "1 of 3 diverged", "1 of 3 not run", verdicts[0].outcome, "small images", "270.9 k"):
        assert said in shown
    sample = findings.variants[1].measured["top1_error"]
    assert f"{sample.mean:.2f} ± {sample.half_width:.2f} (3)" in shown


def test_numbers_in_words() -> None:
    assert [short_count(n) for n in (999, 270_896, 25_028_904, 4_230_000_000)] == [
        "999",
        "270.9 k",
        "25.03 M",
        "4.23 G",
    ]
    assert [duration(s) for s in (0.2, 60, 75, 4000)] == ["under 1 s", "1 min", "1 min 15 s", "1 h 6 min"]
