"""wandb is a mirror: it gets what it should, and nothing that goes wrong with it costs a run."""

import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from replicate.experiments.experiment import load_experiment
from replicate.runs.task import Tracker
from replicate.wandb_mirror import tracking
from replicate.wandb_mirror.tracking import WandbTracker, make_tracker, mirror_of, reference_lines
from tests.test_records import make_record


class FakeRun:
    def __init__(self) -> None:
        self.logged: list[dict[str, Any]] = []
        self.summary: dict[str, Any] = {}
        self.finished = False

    def log(self, values: dict[str, Any]) -> None:
        self.logged.append(values)

    def finish(self) -> None:
        self.finished = True


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    module = SimpleNamespace(run=FakeRun(), given={}, key=False)

    def init(**given: Any) -> FakeRun:
        module.given = given
        return module.run

    module.init, module.Settings, module.login = init, dict, lambda **_: module.key
    monkeypatch.setitem(sys.modules, "wandb", module)
    tracking.has_login.cache_clear()
    monkeypatch.setattr(tracking, "given_up", [])
    return module


def track(folder: Path, *words: str) -> Tracker:
    experiment = load_experiment("resnext_cardinality", ["scale=laptop", *words])
    run = experiment.run("32x4d", 2)
    with make_tracker(mirror_of(experiment), run, folder) as tracker:
        tracker.log(1, {"train_error": 50.0})
        tracker.finish(make_record(run.id))
    return tracker


def test_a_run_carries_curves_configuration_published_values_tags_and_group(
    tmp_path: Path, fake: SimpleNamespace
) -> None:
    track(tmp_path)
    assert fake.given["mode"] == "offline"  # no login
    assert fake.given["group"] == "resnext_cardinality-laptop"
    assert {"resnext", "laptop", "32x4d"} <= set(fake.given["tags"])
    assert fake.given["config"]["published"] == {"top1_error": 22.2}
    assert fake.given["config"]["model"]["cardinality"] == 32
    assert fake.run.logged == [{"epoch": 1, "train_error": 50.0, "published/top1_error": 22.2}]
    assert fake.run.summary["test_error"] == 12.5
    assert fake.run.finished


def test_a_login_means_online(tmp_path: Path, fake: SimpleNamespace) -> None:
    fake.key = True
    track(tmp_path)
    assert fake.given["mode"] == "online"


def test_disabled_means_not_touched(tmp_path: Path, fake: SimpleNamespace) -> None:
    track(tmp_path, "wandb=disabled")
    assert fake.given == {}


@pytest.mark.parametrize("error", [ConnectionError("no route"), TimeoutError("no answer in 20 s")])
def test_a_failing_start_costs_a_line_and_is_not_tried_again(
    tmp_path: Path, fake: SimpleNamespace, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def refuse(**given: Any) -> None:
        raise error

    fake.init = refuse
    for _ in range(3):
        assert type(track(tmp_path)) is Tracker
    assert capsys.readouterr().err == f"replicate: wandb is left out ({error})\n"


def test_failing_in_the_middle_costs_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    run = FakeRun()

    def fail(values: dict[str, Any]) -> None:
        raise OSError("disk full")

    run.log = fail  # type: ignore[method-assign]
    tracker = WandbTracker(run)
    tracker.log(1, {})
    tracker.log(2, {})
    tracker.close()
    assert capsys.readouterr().err == "replicate: wandb is left out (disk full)\n"


@pytest.mark.parametrize("place", ["init", "log", "finish"])
def test_a_hanging_wandb_costs_a_line_and_a_moment(
    tmp_path: Path,
    fake: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    place: str,
) -> None:
    def hang(*given: Any, **named: Any) -> None:
        threading.Event().wait(60)

    monkeypatch.setattr(tracking, "PATIENCE", 0.1)
    monkeypatch.setattr(fake if place == "init" else fake.run, place, hang)
    track(tmp_path)
    assert capsys.readouterr().err.startswith("replicate: wandb is left out (no answer in 0.")


def test_absent_wandb_costs_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.setattr(tracking, "given_up", [])
    tracking.has_login.cache_clear()
    assert type(track(tmp_path)) is Tracker
    assert "wandb is left out" in capsys.readouterr().err


def test_only_numbers_draw_reference_lines() -> None:
    printed = {"top1_error": 22.2, "params": 25, "fail": True, "note": "avg", "top5_error": None}
    assert reference_lines(printed) == {"published/top1_error": 22.2, "published/params": 25.0}
