"""Each process of a sweep has a GPU of its own; stand-ins for GPUs, since a lock file is all that is taken."""

import multiprocessing
import os
from pathlib import Path

import pytest
import torch

from replicate.experiments.run_config import MachineConfig
from replicate.sweep import gpus


@pytest.fixture(autouse=True)
def no_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "held", [])
    monkeypatch.delenv(gpus.VISIBLE, raising=False)


def take(folder: Path, runs_per_gpu: int, taken: "multiprocessing.Queue[str | None]", leave: object) -> None:
    taken.put(gpus.take_gpu(MachineConfig(runs_per_gpu=runs_per_gpu), ["0", "1"], folder))
    leave.wait(60)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("runs_per_gpu", "expected"), [(1, ["0", "1"]), (2, ["0", "0", "1", "1"])])
def test_processes_share_the_gpus_evenly(tmp_path: Path, runs_per_gpu: int, expected: list[str]) -> None:
    context = multiprocessing.get_context("spawn")
    taken, leave = context.Queue(), context.Event()
    started = [context.Process(target=take, args=(tmp_path, runs_per_gpu, taken, leave)) for _ in expected]
    for process in started:
        process.start()
    assert sorted(taken.get(timeout=60) for _ in expected) == expected
    leave.set()
    for process in started:
        process.join(60)
    assert gpus.take_gpu(MachineConfig(), ["0", "1"], tmp_path) == "0"  # those that ended gave theirs back


def test_a_process_keeps_its_gpu_and_sees_no_other(tmp_path: Path) -> None:
    assert gpus.take_gpu(MachineConfig(), ["4", "7"], tmp_path) == "4"
    assert os.environ[gpus.VISIBLE] == "4"
    assert gpus.take_gpu(MachineConfig(), ["4", "7"], tmp_path) is None
    del os.environ[gpus.VISIBLE]


def test_what_a_scheduler_made_visible_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(gpus.VISIBLE, "3")
    assert gpus.gpus_of_run(MachineConfig()) == ["3"]
    assert gpus.take_gpu(MachineConfig(), ["3"], tmp_path) is None
    assert gpus.gpus_of_run(MachineConfig(accelerator="cpu")) == []


def test_without_a_driver_torch_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep counts GPUs before its processes start, and torch takes more than a second to import."""
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    monkeypatch.setattr(gpus, "DRIVERS", ("no such driver",))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: pytest.fail("asked"))
    assert gpus.gpus_of_run(MachineConfig()) == []
    monkeypatch.setattr(gpus, "DRIVERS", ("null",))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert gpus.gpus_of_run(MachineConfig()) == ["0", "1"]
