"""A request to stop is answered at the next batch: checkpoint, scheduler's handler, exit; nothing is trained again."""

import os
import signal
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from replicate.runs.store import CHECKPOINT
from replicate.training import checkpoint
from replicate.training.fit import fit
from replicate.training.preemption import SIGNALS, Preempted, Preemption
from tests.helpers.quick_training import noisy_net, quick_run, record_of, task

assert noisy_net  # the network of these runs, a fixture for every test here


def send_after(number: int, batches: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let the process signal itself in batch `batches`; returns the list that will hold the batches done."""
    done: list[int] = []

    def count(self: checkpoint.Checkpoint, module: Any, batch: int) -> None:
        done.append(batch)
        if batch == batches:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(checkpoint.Checkpoint, "__call__", count)
    return done


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_costs_no_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    run = quick_run()
    unbroken = record_of(run, tmp_path / "unbroken")
    first = send_after(number, 4, monkeypatch)
    with pytest.raises(Preempted) as leaving:
        record_of(run, tmp_path / "broken")
    assert leaving.value.code == 128 + number
    assert first == [1, 2, 3, 4]
    second = send_after(number, 0, monkeypatch)
    assert record_of(run, tmp_path / "broken").outcome() == unbroken.outcome()
    assert second == [5, 6, 7, 8, 9, 10]


def test_the_schedulers_handler_finds_the_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = quick_run()
    found: list[bool] = []

    def requeue(number: int, frame: FrameType | None) -> None:
        found.append((tmp_path / run.id / CHECKPOINT).exists())

    before = signal.signal(signal.SIGUSR2, requeue)
    try:
        send_after(signal.SIGUSR2, 3, monkeypatch)
        with pytest.raises(Preempted):
            fit(task(run, tmp_path))
        assert found == [True]
        assert signal.getsignal(signal.SIGUSR2) is requeue
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_a_signal_after_the_last_batch_is_not_swallowed(tmp_path: Path) -> None:
    got: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: got.append(number))
    try:
        with Preemption(tmp_path / CHECKPOINT):
            os.kill(os.getpid(), signal.SIGUSR1)
            assert got == []
        assert got == [signal.SIGUSR1]
    finally:
        signal.signal(signal.SIGUSR1, before)
