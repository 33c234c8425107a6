"""A request to stop (SIGTERM, SLURM's USR1 and USR2): checkpoint at the next batch, then let the scheduler act."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NoReturn

import pytorch_lightning as pl

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""What `kill`, SLURM's `--signal=USR1@90` and submitit's jobs send before the process is ended."""


class Preempted(SystemExit):
    """Ends the process with the shell's code for the signal, 128 + its number; no `except Exception` stops it."""


class Preemption:
    """While it is entered, a signal is noted instead of ending the process; called after each batch, it obeys.

    A scheduler's own handler (submitit's, which queues the job again) gets the signal once the checkpoint is written.
    Signals reach the main thread only; entered elsewhere, nothing changes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.noted: int | None = None
        self.previous: dict[int, Any] = {}
        self.first = True

    def __enter__(self) -> "Preemption":
        if threading.current_thread() is threading.main_thread():
            self.previous = {number: signal.signal(number, self.note) for number in SIGNALS}
        return self

    def take_over(self) -> None:
        """Lightning put a handler of its own before ours, which would leave between two batches without a word."""
        for number in self.previous:
            signal.signal(number, self.note)
        self.first = False

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        if kind is None and self.noted is not None:  # it came after the last batch
            os.kill(os.getpid(), self.noted)

    def note(self, number: int, frame: FrameType | None) -> None:
        self.noted = number

    def __call__(self, module: pl.LightningModule, done: int) -> None:
        if self.first:
            self.take_over()
        if self.noted is None:
            return
        module.trainer.save_checkpoint(self.path)
        self.obey(self.noted)

    def obey(self, number: int) -> NoReturn:
        """Let the scheduler's handler act, then leave."""
        handler: Callable[[int, FrameType | None], Any] | Any = self.previous[number]
        if callable(handler):
            handler(number, None)
        raise Preempted(128 + number)
