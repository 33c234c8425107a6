"""Ctrl-C in a sweep: the first lets trainings save where they are and ends the sweep; a second leaves at once.

The process that launches decides. Workers on this machine do not hear Ctrl-C; they see a file in the runs folder.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any


def stop_file(runs_dir: Path, sweep: int) -> Path:
    """What tells the workers of the process `sweep` to save and stop."""
    return runs_dir / f".stop.{sweep}"


class Interruption:
    """While it is entered, Ctrl-C is obeyed this way; `asked`: it has come. Only the main thread gets signals.

    workers: the runs are done by processes of this machine that look for the file; else by this one, or elsewhere.
    """

    def __init__(self, runs_dir: Path, workers: bool) -> None:
        self.file, self.workers, self.asked = stop_file(runs_dir, os.getpid()), workers, False
        self.previous: Any = None

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():
            self.previous = signal.signal(signal.SIGINT, self.obey)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.previous is not None:
            signal.signal(signal.SIGINT, self.previous)
        self.file.unlink(missing_ok=True)

    def obey(self, number: int, frame: FrameType | None) -> None:
        """The handler. A training in this process calls it without a frame once it has saved, and ends by itself."""
        if self.asked:
            self.file.unlink(missing_ok=True)
            os._exit(128 + number)
        self.asked = True
        print("\nreplicate: stopping: trainings save where they are; Ctrl-C again leaves at once", file=sys.stderr)
        if self.workers:
            self.file.touch()
        elif frame is not None:
            raise KeyboardInterrupt
