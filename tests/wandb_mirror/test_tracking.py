"""wandb is a mirror: which mode it runs in, and that nothing that goes wrong with it costs a run."""

import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from replicate.experiments.experiment import load_experiment
from replicate.papers.units import converted
from replicate.runs.task import Tracker
from replicate.wandb_mirror import session, tracking
from replicate.wandb_mirror.mirrored import as_measured, mirror_of, published_values, references
from replicate.wandb_mirror.session import mode_of
from replicate.wandb_mirror.tracking import make_tracker
from tests.helpers.made_up import made_up_experiment
from tests.runs.test_records import make_record


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A wandb that does as it is told, without a login; `WANDB_MODE` is what a test sets."""
    module = MagicMock()
    module.init.return_value.offline = True
    module.login.return_value = False
    module.setup.return_value.settings = SimpleNamespace(mode="online", project=None, entity=None, base_url="here")
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setattr(session, "told", set())
    monkeypatch.setattr(session, "dead", {})
    monkeypatch.setattr(tracking, "given_up", [])
    monkeypatch.setattr(tracking, "provenance", lambda *_: {})  # imports torch
    return module


def track(folder: Path, *words: str) -> Tracker:
    experiment = load_experiment("resnext_cardinality", ["scale=laptop", *words])
    run = experiment.run("32x4d", 2)
    with make_tracker(mirror_of(experiment), run, folder / run.id) as tracker:
        tracker.log(1, {"train_error": 50.0})
        tracker.finish(make_record(run))
    return tracker


@pytest.mark.parametrize(
    ("asked", "environment", "login", "mode"),
    [
        ("auto", {}, False, "offline"),
        ("auto", {}, True, "online"),
        ("auto", {"WANDB_MODE": "disabled"}, True, "disabled"),
        ("auto", {"WANDB_MODE": "offline"}, True, "offline"),
        ("auto", {"WANDB_MODE": "dryrun"}, True, "offline"),
        ("auto", {"WANDB_MODE": "online"}, False, "online"),
        ("auto", {"WANDB_MODE": ""}, True, "online"),
        ("auto", {"WANDB_DISABLED": "true"}, True, "disabled"),
        ("auto", {"WANDB_DISABLED": "false"}, True, "online"),
        ("offline", {"WANDB_MODE": "online"}, True, "offline"),
        ("online", {"WANDB_MODE": "disabled"}, True, "online"),
        ("disabled", {"WANDB_MODE": "online"}, True, "disabled"),
    ],
)
def test_the_command_line_wins_over_wandbs_variables_and_these_over_the_login(
    fake: Any, monkeypatch: pytest.MonkeyPatch, asked: str, environment: Mapping[str, str], login: bool, mode: str
) -> None:
    fake.login.return_value = login
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert mode_of(asked) == mode


def test_what_wandbs_own_settings_file_says_is_respected(fake: Any) -> None:
    fake.login.return_value = True
    fake.setup.return_value.settings.mode = "offline"  # `wandb offline` wrote it
    assert mode_of("auto") == "offline"


def test_the_project_is_wandbs_or_else_our_own(tmp_path: Path, fake: Any) -> None:
    track(tmp_path)
    assert fake.init.call_args.kwargs["project"] == "replicate"
    fake.setup.return_value.settings.project = "mine"
    track(tmp_path)
    assert fake.init.call_args.kwargs["project"] == "mine"


def test_the_files_of_all_runs_lie_in_one_folder(tmp_path: Path, fake: Any) -> None:
    track(tmp_path)
    assert fake.init.call_args.kwargs["dir"] == str(tmp_path)


@pytest.mark.parametrize("scale", ["laptop", "paper"])
def test_system_metrics_are_logged_at_the_papers_size_only(tmp_path: Path, fake: Any, scale: str) -> None:
    track(tmp_path, f"scale={scale}")
    [settings] = [call.kwargs for call in fake.Settings.call_args_list if "x_disable_stats" in call.kwargs]
    assert settings["x_disable_stats"] == (scale == "laptop")


def test_disabled_means_not_touched(tmp_path: Path, fake: Any) -> None:
    track(tmp_path, "wandb=disabled")
    assert not fake.mock_calls


@pytest.mark.parametrize("error", [ConnectionError("no route"), TimeoutError("no answer in 20 s")])
def test_a_failing_start_costs_a_line_and_is_not_tried_again(
    tmp_path: Path, fake: Any, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    fake.init.side_effect = error
    for _ in range(3):
        assert type(track(tmp_path)) is Tracker
    assert capsys.readouterr().err == f"replicate: wandb is left out ({error})\n"
    assert fake.init.call_count == 1


def test_online_without_a_login_is_written_offline(
    tmp_path: Path, fake: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    track(tmp_path, "wandb=online")
    assert fake.init.call_args.kwargs["mode"] == "offline"
    said = "replicate: wandb is written offline, for `replicate sync` (there is no login: `wandb login` makes one)\n"
    assert capsys.readouterr().err == said


def test_failing_in_the_middle_costs_one_line(tmp_path: Path, fake: Any, capsys: pytest.CaptureFixture[str]) -> None:
    fake.init.return_value.log.side_effect = OSError("disk full")
    track(tmp_path)
    assert capsys.readouterr().err == "replicate: not all is in wandb, `replicate sync` uploads the rest (disk full)\n"


@pytest.mark.parametrize("place", ["init", "log", "finish"])
def test_a_hanging_wandb_costs_a_line_and_a_moment(
    tmp_path: Path, fake: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    hanging = fake.init if place == "init" else getattr(fake.init.return_value, place)
    hanging.side_effect = lambda *_, **__: threading.Event().wait(60)
    monkeypatch.setattr(session, "PATIENCE", 0.1)
    monkeypatch.setattr(session, "FINISH", -1.9)  # two seconds are added, for wandb's own limit comes first
    track(tmp_path)
    [line] = capsys.readouterr().err.splitlines()
    assert "(no answer in 0." in line


def test_a_run_that_fails_shows_as_failed(tmp_path: Path, fake: Any) -> None:
    track(tmp_path)
    assert fake.init.return_value.finish.call_args.kwargs == {"exit_code": 0}
    experiment = load_experiment("resnext_cardinality", ["scale=laptop"])
    run = experiment.run("32x4d", 2)
    with pytest.raises(SystemExit), make_tracker(mirror_of(experiment), run, tmp_path / run.id):
        raise SystemExit(143)
    assert fake.init.return_value.finish.call_args.kwargs == {"exit_code": 1}


def test_absent_wandb_costs_a_line(tmp_path: Path, fake: Any, capsys: pytest.CaptureFixture[str]) -> None:
    sys.modules["wandb"] = None  # type: ignore[assignment]
    assert type(track(tmp_path)) is Tracker
    assert "wandb is left out" in capsys.readouterr().err


def test_a_server_that_was_dead_is_not_asked_again_at_once(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.login.return_value = True
    fake.Api.side_effect = lambda **_: threading.Event().wait(60)
    monkeypatch.setattr(session, "PROBE", -0.9)
    for _ in range(3):
        with pytest.raises(ConnectionError, match="no answer from here"):
            session.check_server()
    assert fake.Api.call_count == 1
    fake.setup.return_value.settings.base_url = "elsewhere"
    with pytest.raises(ConnectionError, match="no answer from elsewhere"):
        session.check_server()


def test_the_learning_rate_of_an_epochs_last_batch_is_logged() -> None:
    from replicate.training.watch import Watch

    module, task = MagicMock(history=[{"train_loss": 1.0}], accumulate=2, total_steps=10), MagicMock()
    module.plan.steps, module.learning_rate = 5, lambda index: index / 100
    Watch(task, 64)(module, 5)
    [(epoch, values)] = [call.args for call in task.tracker.log.call_args_list]
    assert (epoch, values["lr"], values["train_loss"]) == (1, 0.09, 1.0)


def test_published_numbers_are_in_the_unit_of_the_measured_metric() -> None:
    mirror = mirror_of(made_up_experiment(metrics={"top1_error": "test_error"}))
    printed = {"top1_error": 22.2, "params": 25, "fail": True, "note": "avg", "top5_error": None}
    assert references(mirror, printed) == {"published/test_error": 22.2, "published/params": 25.0}


@pytest.mark.parametrize(
    ("column", "metric", "unit", "counted"),
    [
        ("top1_accuracy", "test_error", "percent", False),
        ("accuracy", "test_error", "fraction", False),
        ("params", "parameters", "million", False),
        ("weights", "kernel_weights", "thousands (1024)", True),
        ("top1_error", "test_error", "percent", False),
    ],
)
def test_the_unit_of_the_metric_undoes_that_of_the_column(column: str, metric: str, unit: str, counted: bool) -> None:
    import pandas as pd

    measured = pd.Series([12.5])
    [printed] = converted(measured, column, metric, unit, counted)
    assert as_measured(printed, column, metric, unit, counted) == pytest.approx(12.5)


def test_a_variant_shows_only_the_published_columns_that_it_measures() -> None:
    metrics = {"top1_error": "test_error", "top5_error": "test_top5_error"}
    experiment = made_up_experiment(metrics=metrics)
    run = experiment.run("32x4d", 0).model_copy(update={"columns": ("top5_error",)})
    assert "top1_error" not in published_values(mirror_of(experiment), run)
