"""The finished sweep in wandb: every value in the offline files, each uploaded once, and failures that cost a line."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from replicate.report import Findings, judge
from replicate.report.findings import gather
from replicate.report.table import table_frame
from replicate.runs.store import RunStore
from replicate.verdicts import Verdict
from replicate.wandb_mirror import summary as mirror
from replicate.wandb_mirror import tracking
from replicate.wandb_mirror.summary import SYNCED, means, mirror_summary, offline_files, sync, verdict_frame
from tests.made_up import errors_falling, made_up_experiment
from tests.test_records import make_record
from tests.wandb_files import configuration, history, opened, summary


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
        tracker.finish(make_record(run.id))
    assert mirror_summary(findings, verdicts, RunStore(folder))
    assert not mirror_summary(findings, verdicts, RunStore(folder))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    code = (
        f"from pathlib import Path; from tests.test_mirror import mirror_offline; mirror_offline(Path({str(folder)!r}))"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WANDB")}
    environment["HOME"] = str(folder)  # no login of the person who runs the tests
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def file_of(folder: Path, name: str) -> Path:
    [path] = folder.glob(f"{name}/wandb/offline-run-*/*.wandb")
    return path


def test_every_value_of_a_run_is_in_its_offline_file(written: Path) -> None:
    experiment = made_up_experiment()
    run = experiment.runs()[-1]
    path = file_of(written, run.id)
    line = {"published/top1_error": 22.2}
    assert history(path) == [
        {"epoch": 1, "train_error": 50.0, "images_per_second": 800.0, **line},
        {"epoch": 2, "train_error": 25.0, "images_per_second": 900.0, **line},
    ]
    record = make_record(run.id)
    known = summary(path)
    assert {m.metric: known[m.metric] for m in record.measurements if m.index is None} == {
        m.metric: m.value for m in record.measurements if m.index is None
    }
    assert (known["parameters"], known["status"]) == (record.parameters, record.status)
    assert (known["seconds"], known["images_per_second"]) == (record.timing.seconds, record.timing.images_per_second)
    head = opened(path)
    assert (head.run_id, head.run_group, head.display_name) == (run.id, "made_up-laptop", "32x4d-s2")
    assert set(head.tags) == {"resnext", "train", "laptop", "32x4d"}
    told = configuration(path)
    assert (told["variant"], told["seed"], told["published"]) == ("32x4d", 2, {"top1_error": 22.2})
    assert told["deviations"] == ["data: small images"]


def test_the_sweeps_summary_has_table_verdicts_and_figure(written: Path) -> None:
    findings, verdicts = found()
    path = file_of(written, "summary-*")
    assert (opened(path).run_group, opened(path).job_type) == ("made_up-laptop", "summary")
    [logged] = history(path)
    media = path.parent / "files"

    def table(name: str) -> dict[str, Any]:
        return dict(json.loads((media / logged[f"{name}/path"]).read_text()))

    assert table("comparison")["columns"] == list(table_frame(findings).columns)
    assert table("comparison")["data"] == table_frame(findings).to_numpy().tolist()
    expected = json.loads(verdict_frame(verdicts).to_json(orient="values", double_precision=15))
    assert table("verdicts")["data"][0][0] == verdicts[0].outcome
    assert table("verdicts")["data"] == [[pytest.approx(cell) for cell in row] for row in expected]
    assert (media / logged["figure/path"]).read_bytes().startswith(b"\x89PNG")
    known = summary(path)
    assert {name: known[name] for name in means(findings)} == pytest.approx(means(findings))
    assert means(findings)["top1_error/32x4d/published"] == 22.2


def test_each_offline_run_is_uploaded_once(written: Path, tmp_path: Path) -> None:
    for path in written.glob("*/wandb/offline-run-*/*.wandb"):
        copy = tmp_path / path.relative_to(written)
        copy.parent.mkdir(parents=True)
        copy.write_bytes(path.read_bytes())
    sent: list[Path] = []

    def upload(files: Sequence[Path]) -> None:
        for path in files:
            sent.append(path)
            path.with_name(path.name + SYNCED).touch()

    assert len(offline_files(tmp_path)) == 2
    assert (sync(tmp_path, upload), sync(tmp_path, upload)) == (2, 0)
    assert len(sent) == len(set(sent)) == 2


def test_a_failing_upload_costs_a_line_and_keeps_the_files(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in written.rglob("*") if path.is_file()}

    def refuse(files: Sequence[Path]) -> None:
        raise OSError("wrong key")

    assert sync(written, refuse) == 0
    assert capsys.readouterr().err == "replicate: wandb is left out (wrong key)\n"
    assert {path: path.read_bytes() for path in written.rglob("*") if path.is_file()} == before


def test_without_login_nothing_is_sent(
    written: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tracking, "has_login", lambda: False)
    monkeypatch.setattr(mirror, "wandb_sync", lambda files: pytest.fail("sent"))
    assert sync(written) == 0
    assert capsys.readouterr().err == "replicate: wandb is left out (there is no login: `wandb login` makes one)\n"


@pytest.mark.parametrize("settings", [{"wandb": "disabled"}, {"wandb": "offline", "study": "count"}])
def test_what_is_not_tracked_has_no_summary(tmp_path: Path, settings: dict[str, str]) -> None:
    findings, verdicts = found(claims=[], **settings)
    assert not mirror_summary(findings, verdicts, RunStore(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_summary_that_fails_costs_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise TimeoutError("no answer")

    monkeypatch.setattr(mirror, "open_mirror", refuse)
    findings, verdicts = found(wandb="online")
    assert not mirror_summary(findings, verdicts, RunStore(tmp_path))
    assert capsys.readouterr().err == "replicate: wandb is left out (no answer)\n"
    assert not list(tmp_path.rglob("mirrored"))
