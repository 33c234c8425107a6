"""The finished sweep in wandb: every value in the offline files, each uploaded once, and failures that cost a line."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from replicate.report import Findings, judge
from replicate.report.findings import gather
from replicate.report.table import table_frame
from replicate.runs.store import RunStore
from replicate.verdicts import Verdict
from replicate.wandb_mirror import session, tracking, upload
from replicate.wandb_mirror import summary as mirror
from replicate.wandb_mirror.session import SYNCED
from replicate.wandb_mirror.summary import means, mirror_summary, verdict_frame
from replicate.wandb_mirror.upload import offline_files, upload_waiting
from tests.helpers.made_up import errors_falling, made_up_experiment
from tests.runs.test_records import make_record
from tests.wandb_mirror.wandb_files import configuration, history, opened, summary
from tests.wandb_mirror.wandb_server import outside


def found(**settings: Any) -> tuple[Findings, list[Verdict]]:
    experiment = made_up_experiment(**settings)
    findings = gather(experiment, experiment.runs(), errors_falling(experiment.runs()))
    return findings, judge(findings)


def mirror_offline(folder: Path) -> None:
    """A run with two epochs, and the summary of its sweep, twice; for a process of its own."""
    findings, verdicts = found(wandb="offline")
    run = findings.runs[-1]
    with tracking.make_tracker(tracking.mirror_of(findings.experiment), run, folder / run.id) as tracker:
        tracker.log(1, {"train_error": 50.0, "images_per_second": 800.0})
        tracker.log(2, {"train_error": 25.0, "images_per_second": 900.0})
        tracker.finish(make_record(run))
    assert mirror_summary(findings, verdicts, RunStore(folder))
    assert not mirror_summary(findings, verdicts, RunStore(folder))


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Warnings are told once in a process; here, once in a test."""
    monkeypatch.setattr(session, "told", set())


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    code = "from pathlib import Path; from tests.wandb_mirror.test_mirror import *; mirror_offline(Path({!r}))"
    outside(code.format(str(folder)), folder, {})
    return folder


def file_of(folder: Path, name: str) -> Path:
    [path] = folder.glob(f"wandb/offline-run-*/run-{name}.wandb")
    return path


def test_every_value_of_a_run_is_in_its_offline_file(written: Path) -> None:
    experiment = made_up_experiment()
    run = experiment.runs()[-1]
    path = file_of(written, run.id)
    line = {"published/test_error": 22.2}
    assert history(path) == [
        {"epoch": 1, "train_error": 50.0, "images_per_second": 800.0, **line},
        {"epoch": 2, "train_error": 25.0, "images_per_second": 900.0, **line},
    ]
    record = make_record(run)
    known = summary(path)
    assert known["test_error"] == record.value("test_error")
    assert "lost" not in known
    assert (known["parameters"], known["status"]) == (record.parameters, record.status)
    assert known["seconds"] == record.timing.seconds
    head = opened(path)
    assert (head["run_id"], head["run_group"], head["display_name"]) == (run.id, "made_up-laptop", "32x4d-s2")
    assert set(head["tags"]) == {"resnext", "train", "laptop", "32x4d"}
    told = configuration(path)
    assert (told["variant"], told["seed"], told["published"]) == ("32x4d", 2, {"top1_error": 22.2})
    assert told["deviations"] == ["data: small images"]


def test_the_sweeps_summary_has_table_verdicts_and_figure(written: Path) -> None:
    findings, verdicts = found()
    path = file_of(written, "summary-*")
    assert (opened(path)["run_group"], opened(path)["job_type"]) == ("made_up-laptop", "summary")
    *curves, logged = history(path)
    assert [step["epoch"] for step in curves] == [1, 2]
    media = path.parent / "files"

    def table(name: str) -> dict[str, Any]:
        return dict(json.loads((media / logged[f"{name}.path"]).read_text()))

    assert table("comparison")["columns"] == list(table_frame(findings).columns)
    assert table("comparison")["data"] == table_frame(findings).to_numpy().tolist()
    expected = json.loads(verdict_frame(verdicts).to_json(orient="values", double_precision=15))
    place = table("verdicts")["columns"].index("outcome")
    assert table("verdicts")["data"][0][place] == verdicts[0].outcome
    assert table("verdicts")["data"] == [[pytest.approx(cell) for cell in row] for row in expected]
    assert (media / logged["figure.path"]).read_bytes().startswith(b"\x89PNG")
    known = summary(path)
    assert {name: known[name] for name in means(findings)} == pytest.approx(means(findings))
    assert means(findings)["top1_error/32x4d/published"] == 22.2


def test_each_offline_run_is_uploaded_once(written: Path, tmp_path: Path) -> None:
    for path in written.glob("wandb/offline-run-*/*.wandb"):
        copy = tmp_path / path.relative_to(written)
        copy.parent.mkdir(parents=True)
        copy.write_bytes(path.read_bytes())
    sent: list[Path] = []

    def upload(files: Sequence[Path]) -> None:
        for path in files:
            sent.append(path)
            path.with_name(path.name + SYNCED).touch()

    assert len(offline_files(tmp_path)) == 2
    assert (upload_waiting(tmp_path, upload), upload_waiting(tmp_path, upload)) == (2, 0)
    assert len(sent) == len(set(sent)) == 2


def test_a_failing_upload_costs_a_line_and_keeps_the_files(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in written.rglob("*") if path.is_file()}

    def refuse(files: Sequence[Path]) -> None:
        raise OSError("wrong key")

    assert upload_waiting(written, refuse) == 0
    assert capsys.readouterr().err == "replicate: wandb is left out (wrong key)\n"
    assert {path: path.read_bytes() for path in written.rglob("*") if path.is_file()} == before


def test_without_login_nothing_is_sent(
    written: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(session, "has_login", lambda: False)
    monkeypatch.setattr(upload, "wandb_sync", lambda files: pytest.fail("sent"))
    assert upload_waiting(written) == 0
    assert capsys.readouterr().err == "replicate: wandb is left out (there is no login: `wandb login` makes one)\n"


def test_what_is_disabled_has_no_summary(tmp_path: Path) -> None:
    findings, verdicts = found(wandb="disabled")
    assert not mirror_summary(findings, verdicts, RunStore(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_run_in_progress_is_not_uploaded(written: Path) -> None:
    store, run = RunStore(written), made_up_experiment().runs()[-1]
    assert file_of(written, run.id) in offline_files(written)
    with store.claim(run.id):
        assert file_of(written, run.id) not in offline_files(written)
    assert file_of(written, run.id) in offline_files(written)


def test_a_summary_that_fails_costs_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise TimeoutError("no answer")

    monkeypatch.setattr(mirror, "open_run", refuse)
    findings, verdicts = found(wandb="online")
    assert not mirror_summary(findings, verdicts, RunStore(tmp_path))
    assert capsys.readouterr().err == "replicate: wandb is left out (no answer)\n"
    assert not list(tmp_path.rglob("mirrored-*"))
