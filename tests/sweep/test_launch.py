"""Sweeps: failures stay their own, nobody does a run twice, a killed sweep goes on where it was."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from replicate.errors import UserError
from replicate.experiments.experiment import load_experiment
from replicate.runs.progress import Monitor, Progress, ProgressWriter, clock, read_progress
from replicate.runs.records import Record
from replicate.runs.store import RunStore
from replicate.sweep import execute, launch
from replicate.sweep.execute import Done, Job
from replicate.sweep.interruption import Interruption
from replicate.sweep.select import selected
from tests.helpers.quick_training import INLINE
from tests.runs.test_records import make_record


def test_a_failing_run_leaves_its_traceback_and_the_others_go_on(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measure = execute.measure

    def fail_for_b(job: Job, store: RunStore) -> Record:
        if job.run.variant == "B":
            raise RuntimeError("out of luck")
        return measure(job, store)

    monkeypatch.setattr(execute, "measure", fail_for_b)
    sweep = launch.run_experiment("resnet_shortcuts", INLINE)
    assert [run.variant for run in sweep.failed] == ["B"]
    assert len(sweep.records) == 3
    assert "out of luck" in (workdir / "runs" / sweep.failed[0].id / "error.txt").read_text()
    assert "B seed 0 failed: RuntimeError: out of luck" in capsys.readouterr().err
    monkeypatch.setattr(execute, "measure", measure)
    again = launch.run_experiment("resnet_shortcuts", INLINE)
    assert (again.done_before, len(again.records), again.failed) == (3, 4, [])
    assert not (workdir / "runs" / sweep.failed[0].id / "error.txt").exists()


@pytest.mark.parametrize(
    ("word", "variants", "seeds"),
    [
        ("variant=original, 110", ["original, 110"], [0]),
        ("variant='original, 110','original, 164'", ["original, 110", "original, 164"], [0]),
        ("variant=['original, 110', 'original, 164']", ["original, 110", "original, 164"], [0]),
        ("seed=range(2)", None, [0, 1]),
        ("seed=[3,5]", None, [3, 5]),
    ],
)
def test_the_command_line_narrows_the_sweep(word: str, variants: list[str] | None, seeds: list[int]) -> None:
    experiment = load_experiment("preact_activations", ["scale=smoke"])
    runs = selected(experiment, [word])
    assert list(dict.fromkeys(run.variant for run in runs)) == (variants or list(experiment.variants))
    assert list(dict.fromkeys(run.seed for run in runs)) == seeds


def slow_sweep(folder: Path) -> None:
    """A sweep whose runs take half a second and are written to a common log."""
    os.chdir(folder)

    def log_and_wait(job: Job, store: RunStore) -> Record:
        with (folder / "log").open("a") as log:
            log.write(f"{job.run.id}\n")
        time.sleep(0.5)
        return make_record(job.run)

    execute.measure = log_and_wait
    launch.run_experiment("resnet_shortcuts", INLINE, quiet=True)


def test_two_sweeps_at_once_do_each_run_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    sweeps = [context.Process(target=slow_sweep, args=(tmp_path,)) for _ in range(2)]
    for sweep in sweeps:
        sweep.start()
    for sweep in sweeps:
        sweep.join(200)
        assert sweep.exitcode == 0
    done = (tmp_path / "log").read_text().split()
    assert len(done) == len(set(done)) == 4


def test_a_killed_sweep_goes_on_and_ends_with_the_same_records(tmp_path: Path) -> None:
    """The unbroken one is in this process, whose records are those of any other."""
    words = [*INLINE, "variant=A,B", "recipe.epochs=40", "model.depth=8", "machine.checkpoint_seconds=0"]
    unbroken = launch.run_experiment("resnet_shortcuts", [*words, f"runs_dir={tmp_path}/unbroken"], quiet=True)
    command = [sys.executable, "-m", "replicate.cli", "run", "resnet_shortcuts", *words]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as sweep:
        wait_for(partial(any_checkpoint, tmp_path))
        sweep.send_signal(signal.SIGKILL)
    killed = RunStore(tmp_path / "runs")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    outcomes = {run: record.outcome() for run in killed.finished() if (record := killed.read(run))}
    assert outcomes == {record.id: record.outcome() for record in unbroken.records}
    assert len(outcomes) == 2


def test_the_workers_of_a_killed_sweep_save_their_runs_and_end(workdir: Path) -> None:
    words = ["scale=smoke", "launcher=local", "machine.workers=2", "wandb=disabled", "variant=A,B"]
    command = [sys.executable, "-m", "replicate.cli", "run", "resnet_shortcuts", *words, "recipe.epochs=5000"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as sweep:
        wait_for(lambda: any(Path("runs").glob("*/progress.json")))
        workers = [process for process in processes() if process.parent == sweep.pid]
        sweep.send_signal(signal.SIGKILL)
    assert any(worker.command.find("loky") >= 0 for worker in workers)
    wait_for(lambda: not {worker.pid for worker in workers} & {process.pid for process in processes()})
    assert any_checkpoint(workdir), "checkpoints come every minute; this one came of the sweep's end"


@pytest.mark.parametrize("launcher", ["local", "inline"])
def test_ctrl_c_saves_says_what_is_done_and_the_same_command_goes_on(workdir: Path, launcher: str) -> None:
    words = ["scale=smoke", f"launcher={launcher}", "machine.workers=1", "wandb=disabled", "variant=A,B"]
    command = [sys.executable, "-m", "replicate.cli", "run", "resnet_shortcuts", *words, "recipe.epochs=5000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as sweep:
        wait_for(lambda: any(Path("runs").glob("*/progress.json")))
        workers = {process.pid for process in processes() if process.parent == sweep.pid}
        sweep.send_signal(signal.SIGINT)
        told = sweep.communicate(timeout=200)[1]
    assert sweep.returncode == 130, told
    assert "stopping: trainings save where they are" in told
    assert "replicate: stopped: 0 of 2 runs are done; the same command goes on" in told
    assert "Traceback" not in told
    assert any_checkpoint(workdir), "checkpoints come every minute; this one came of Ctrl-C"
    assert not any(Path("runs").glob(".stop*"))
    wait_for(lambda: not workers & {process.pid for process in processes()})


def test_a_second_ctrl_c_leaves_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    monkeypatch.setattr("os._exit", left.append)
    with Interruption(tmp_path, workers=True) as interruption:
        interruption.obey(signal.SIGINT, None)
        assert interruption.file.exists()
        interruption.obey(signal.SIGINT, None)
    assert left == [130]
    assert not interruption.file.exists()


class Process(NamedTuple):
    pid: int
    parent: int
    command: str


def processes() -> list[Process]:
    """Those of this machine that have not ended."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                found.append(Process(int(folder.name), int(parent), (folder / "cmdline").read_text()))
    return found


def test_a_dying_worker_costs_the_sweep_nothing(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What joblib raises when it loses a worker comes after one run of two was finished."""
    launched: list[int] = []

    def lose_a_worker(pending: list[Job]) -> list[Done]:
        launched.append(len(pending))
        store, first = RunStore(pending[0].runs_dir), pending[0].run
        store.folder(first.id).mkdir(parents=True, exist_ok=True)
        store.write(make_record(first))
        if len(pending) > 1:
            raise BrokenExecutor("a worker process died")
        return [(first.id, "done")]

    monkeypatch.setattr(launch, "executor_of", lambda settings: lose_a_worker)
    monkeypatch.setattr(launch, "BUSY_WAIT", 0)
    sweep = launch.run_experiment("resnet_shortcuts", [*INLINE, "variant=A,B"], quiet=True)
    assert launched == [2, 1]
    assert (len(sweep.records), sweep.failed) == (2, [])
    assert "the launcher failed (BrokenExecutor: a worker process died)" in capsys.readouterr().err


def test_a_launcher_that_gets_nothing_done_is_not_tried_for_ever(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(pending: list[Job]) -> list[Done]:
        raise BrokenExecutor

    monkeypatch.setattr(launch, "executor_of", lambda settings: fail)
    with pytest.raises(UserError, match="no run was finished"):
        launch.run_experiment("resnet_shortcuts", INLINE, quiet=True)


def any_checkpoint(folder: Path) -> bool:
    return any((folder / "runs").glob("*/last.ckpt"))


def wait_for(happened: Callable[[], bool]) -> None:
    for _ in range(1200):
        if happened():
            return
        time.sleep(0.05)
    raise AssertionError("not in a minute")


def progress(**values: float) -> Progress:
    told = {"done": 30, "total": 90, "epoch": 1, "epochs": 3, "images_per_second": 500.0, "seconds": 10.0}
    return Progress(**{**told, "done_before": 0, **values})  # type: ignore[arg-type]


def test_time_left_counts_this_sitting_only() -> None:
    assert progress().seconds_left == pytest.approx(20)
    assert progress(done=60, done_before=30).seconds_left == pytest.approx(10)
    assert progress(done=30, done_before=30).seconds_left is None


def test_progress_file_comes_back_and_damage_is_no_news(tmp_path: Path) -> None:
    ProgressWriter(tmp_path)(progress())
    assert read_progress(tmp_path) == progress()
    (tmp_path / "progress.json").write_text("{")
    assert read_progress(tmp_path) is None
    ProgressWriter(tmp_path / "missing")(progress())  # trouble with the file never touches the run


def test_monitor_says_which_run_epoch_speed_and_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = RunStore(tmp_path)
    from replicate.experiments.experiment import load_experiment

    runs = load_experiment("resnet_shortcuts", INLINE).runs()[:2]
    monitor = Monitor(store, runs)
    for run in runs:
        store.folder(run.id).mkdir()
    ProgressWriter(store.folder(runs[0].id))(progress())
    monitor.look()
    monitor.look()
    store.write(make_record(runs[1]))
    monitor.look()
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2  # an epoch is told once
    assert told[0].startswith("[0/2] plain seed 0  epoch 1/3  500 images/s  run 0:20 left")
    assert told[1].startswith("[1/2] A seed 0  done  sweep")


def test_clock() -> None:
    assert [clock(seconds) for seconds in (5, 65, 3700)] == ["0:05", "1:05", "1:01:40"]
