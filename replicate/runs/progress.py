"""How far a sweep is: each run writes a small file, the launching process reads them all and tells the person."""

import json
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from pydantic import TypeAdapter

from replicate.experiments.run_config import Run
from replicate.files import plain_json, read_file, write_atomic
from replicate.runs.store import RunStore

FILE = "progress.json"
WRITE_EVERY = 1.0  # seconds
STALE_AFTER = 120.0  # seconds without news after which a run no longer counts as running


@dataclass(frozen=True)
class Progress:
    """Where a run stands: `done` of `total` steps in epoch `epoch` of `epochs`, `images_per_second` lately."""

    done: int
    total: int
    epoch: int
    epochs: int
    images_per_second: float | None
    seconds: float  # since this sitting began
    done_before: int  # steps of earlier sittings

    @property
    def seconds_left(self) -> float | None:
        """At the speed of this sitting."""
        fresh = self.done - self.done_before
        return self.seconds / fresh * (self.total - self.done) if fresh > 0 else None


class ProgressWriter:
    """Writes a run's progress at most once a second. Trouble with the file never touches the run."""

    def __init__(self, folder: Path) -> None:
        self.path, self.written = folder / FILE, 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self.written < WRITE_EVERY and progress.done < progress.total:
            return
        self.written = now
        try:
            write_atomic(self.path, json.dumps(asdict(progress)).encode())
        except OSError:
            return


def read_progress(folder: Path) -> Progress | None:
    """The run's last word, None if it said nothing lately, or nothing that makes sense."""
    path = folder / FILE
    try:
        if time.time() - path.stat().st_mtime > STALE_AFTER:
            return None
        return TypeAdapter(Progress).validate_python(plain_json(read_file(path)))
    except (OSError, ValueError):
        return None


class Monitor:
    """While it is entered, prints one line for each epoch that any run of the sweep finishes."""

    def __init__(self, store: RunStore, runs: Sequence[Run], interval: float = 1.0) -> None:
        self.store, self.interval = store, interval
        self.waiting = {run.id: run for run in runs}
        self.total = len(runs)
        self.started = time.monotonic()
        self.told: dict[str, int] = {}
        self.running = 0.0  # runs, each counted by the share of it that is done
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Monitor":
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop.set()
        self.thread.join()
        if kind is None:
            self.look()

    def _watch(self) -> None:
        while not self.stop.wait(self.interval):
            self.look()

    def look(self) -> None:
        """Tell what is new since the last look. Runs in the queue have no folder: thousands of them cost nothing."""
        folders = self.store.begun()
        begun = [name for name in self.waiting if name in folders]
        active = {name: told for name in begun if (told := read_progress(self.store.folder(name)))}
        shares = {name: progress.done / max(progress.total, 1) for name, progress in active.items()}
        self.running = sum(shares.values())
        for name, progress in active.items():
            if progress.epoch > self.told.get(name, 0) and progress.done < progress.total:
                self.told[name] = progress.epoch
                self.say(f"{label(self.waiting[name])}  {describe(progress)}{self.sweep_left()}")
        for name in filter(self.store.has, begun):
            self.running -= shares.get(name, 0.0)
            self.say(f"{label(self.waiting.pop(name))}  done{self.sweep_left()}")

    def sweep_left(self) -> str:
        """An estimate for the whole sweep from what the finished and running runs have taken."""
        done = self.total - len(self.waiting) + self.running
        if done <= 0 or not self.waiting:
            return ""
        left = (time.monotonic() - self.started) / done * (self.total - done)
        return f"  sweep {clock(left)} left"

    def say(self, text: str) -> None:
        finished = self.total - len(self.waiting)
        print(f"[{finished:{len(str(self.total))}d}/{self.total}] {text}", file=sys.stderr, flush=True)


def label(run: Run) -> str:
    return f"{run.variant} seed {run.seed}"


def describe(progress: Progress) -> str:
    parts = [f"epoch {progress.epoch}/{progress.epochs}"]
    if progress.images_per_second:
        parts.append(f"{progress.images_per_second:.0f} images/s")
    if progress.seconds_left is not None:
        parts.append(f"run {clock(progress.seconds_left)} left")
    return "  ".join(parts)


def clock(seconds: float) -> str:
    """65 -> 1:05, 3700 -> 1:01:40."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
