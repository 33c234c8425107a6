"""Requests to stop (SIGTERM, Ctrl-C, SLURM's USR1 and USR2): save a checkpoint after the next step, then stop."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NoReturn

import pytorch_lightning as pl

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""The signals that `kill`, SLURM's `--signal=USR1@90` and submitit's jobs send before they end the process."""


def signals() -> list[signal.Signals]:
    """Those, and Ctrl-C where this process listens to it: the workers of a sweep leave it to the sweep."""
    listens = signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    return [*SIGNALS, *([signal.SIGINT] if listens else [])]


class Preempted(SystemExit):
    """Ends the process with the shell's code for the signal, 128 + its number; no `except Exception` catches it."""


class Preemption:
    """A context in which a signal is noted instead of ending the process, and obeyed by the call after each step.

    A scheduler's handler (submitit's, which queues the job again) gets the signal once the checkpoint is written.
    Signals reach the main thread only; in another thread the context changes nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.noted: int | None = None
        self.previous: dict[int, Any] = {}
        self.first = True

    def __enter__(self) -> "Preemption":
        if threading.current_thread() is threading.main_thread():
            self.previous = {number: signal.signal(number, self.note) for number in signals()}
        return self

    def take_over(self) -> None:
        """Replace the handler that Lightning has set over ours, which would end the training without a checkpoint."""
        for number in self.previous:
            signal.signal(number, self.note)
        self.first = False

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        if kind is None and self.noted is not None:  # the signal came after the last step
            os.kill(os.getpid(), self.noted)

    def note(self, number: int, frame: FrameType | None) -> None:
        if self.noted == number == signal.SIGINT:
            os._exit(128 + number)
        self.noted = number

    def __call__(self, module: pl.LightningModule, done: int) -> None:
        if self.first:
            self.take_over()
        if self.noted is None:
            return
        module.trainer.save_checkpoint(self.path)
        self.obey(self.noted)

    def obey(self, number: int) -> NoReturn:
        """Call the scheduler's handler, then end the process."""
        handler: Callable[[int, FrameType | None], Any] | Any = self.previous[number]
        if callable(handler):
            handler(number, None)
        raise Preempted(128 + number)
