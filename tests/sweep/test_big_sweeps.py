"""A sweep of twice as many runs costs twice as much: counted, not timed, where counting can tell."""

import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sweeps import NAME, VARIANTS, WORDS, fill, record_of, start, write_experiment
from replicate.experiments import experiment as experiment_file
from replicate.experiments.experiment import load_experiment
from replicate.paths import OWN
from replicate.runs import progress, store
from replicate.runs.progress import Monitor, Progress, ProgressWriter
from replicate.runs.store import RunStore
from replicate.sweep import launch
from tests.helpers.made_up import made_up_experiment


class Calls:
    """Stands in for a function of a module and counts how often it is called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
        self.count, self.function = 0, getattr(module, name)
        monkeypatch.setattr(module, name, self)

    def __call__(self, *given: Any) -> Any:
        self.count += 1
        return self.function(*given)


@pytest.fixture
def many(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The words of a sweep of 1,000 runs of the user's own experiment."""
    write_experiment(workdir / "own")
    monkeypatch.setenv(OWN, str(workdir / "own"))
    return [*WORDS, f"seeds={1000 // VARIANTS}"]


def test_finished_runs_are_read_once_and_variants_resolved_once(
    many: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = load_experiment(NAME, many)
    fill(RunStore(experiment.runs_dir), experiment.runs())
    read, resolved = Calls(monkeypatch, store, "parse"), Calls(monkeypatch, experiment_file, "build_config")
    sweep = launch.run_experiment(NAME, many)
    assert (sweep.done_before, len(sweep.records)) == (1000, 1000)
    assert (read.count, resolved.count) == (1000, VARIANTS)


def test_before_the_first_run_each_variant_is_resolved_once(many: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of a run composes nothing."""
    resolved = Calls(monkeypatch, experiment_file, "build_config")
    start(many)
    assert resolved.count == VARIANTS


def test_the_monitor_looks_at_runs_that_began_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = made_up_experiment(seeds=400).runs()
    store = RunStore(tmp_path)
    monitor = Monitor(store, runs)
    for run in runs[:3]:
        store.folder(run.id).mkdir()
        told = Progress(done=25, total=100, epoch=1, epochs=4, images_per_second=9.0, seconds=5.0, done_before=0)
        ProgressWriter(store.folder(run.id))(told)
    asked = Calls(monkeypatch, progress, "read_progress")
    monitor.look()
    assert (asked.count, monitor.running) == (3, 0.75)
    store.write(record_of(runs[0]))
    monitor.look()
    assert (asked.count, monitor.running, len(monitor.waiting)) == (6, 0.5, 1199)
    assert capsys.readouterr().err.count("\n") == 4


def resolving_seconds(variants: int) -> float:
    """Processor seconds to resolve all variants of an experiment."""
    experiment = made_up_experiment({f"v{number}": None for number in range(variants)}, seeds=1)
    started = time.process_time()
    assert len(experiment.runs()) == variants
    return time.process_time() - started


def test_four_times_the_variants_take_four_times_as_long() -> None:
    """Sixteen times if each is merged with all others, as it was."""
    resolving_seconds(5)
    few, many = (min(resolving_seconds(count) for _ in range(2)) for count in (40, 160))
    assert many / few < 8
