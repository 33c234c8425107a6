"""A mirror of each run in wandb. The run store is the truth: whatever goes wrong here costs a warning, never a run."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from replicate.experiments.run_config import Run
from replicate.runs.provenance import provenance
from replicate.runs.records import Record
from replicate.runs.task import Tracker
from replicate.wandb_mirror.artifacts import keep
from replicate.wandb_mirror.mirrored import (
    Mirror,
    axis,
    define_axes,
    end,
    head,
    levels,
    mirror_of,
    published_values,
    references,
    rows,
)
from replicate.wandb_mirror.session import LEFT, UPLOAD, OpenRun, answers, mode_of, open_run, patiently, warn, within

__all__ = ["Mirror", "WandbTracker", "make_tracker", "mirror_of"]

given_up: list[str] = []
"""Not empty once a run could not even be opened offline: the next runs of the process do not try again."""


class WandbTracker(Tracker):
    """Mirrors to a wandb run. The first failure is told once and ends the mirroring."""

    def __init__(self, opened: OpenRun, mirror: Mirror, folder: Path, lines: Mapping[str, float]) -> None:
        self.opened, self.mirror, self.folder, self.lines = opened, mirror, folder, dict(lines)
        self.failed, self.code = False, 0

    def _try(self, action: Callable[[Any], object], wait: Callable[[Callable[[], object]], object] = patiently) -> None:
        if self.failed:
            return
        try:
            wait(lambda: action(self.opened.run))
        except Exception as error:  # wandb raises many kinds; none of them may touch the run
            self.failed = True
            warn(error, LEFT)

    def log(self, step: int, values: Mapping[str, float | None]) -> None:
        measured = {key: value for key, value in values.items() if value is not None}
        self._try(lambda run: run.log({"epoch": step, **measured, **levels(self.lines)}))

    def finish(self, record: Record) -> None:
        x = axis(self.mirror.study)
        if x == "index":  # curves over epochs were logged as they came
            self._try(lambda run: [run.log(row) for row in rows(record, x)])
        self._try(lambda run: end(run, record, self.lines, x))
        if self.mirror.large and (self.opened.run.offline or answers()):
            self._try(lambda run: keep(run, record, self.folder), partial(within, UPLOAD))

    def close(self) -> None:
        if not self.failed:
            self.opened.close(self.code)


def start(mirror: Mirror, run: Run, folder: Path) -> WandbTracker:
    """Open the mirror of `run`. The files of all runs lie in one folder, where `wandb leet` finds them together."""
    published = published_values(mirror, run)
    told = head(mirror, run, provenance(mirror.machine, run.config.devices, None), published)
    opened = open_run(mirror.mode, folder.parent, mirror.large, id=run.id, **told)
    define_axes(opened.run, axis(mirror.study))
    return WandbTracker(opened, mirror, folder, references(mirror, published))


@contextmanager
def make_tracker(mirror: Mirror, run: Run, folder: Path) -> Iterator[Tracker]:
    """The tracker of `run`, closed on the way out. Without wandb, or when it fails, one that tracks nothing."""
    tracker = Tracker()
    if not given_up:
        try:
            if mode_of(mirror.mode) != "disabled":
                tracker = start(mirror, run, folder)
        except Exception as error:  # wandb raises many kinds; none of them may touch the run
            given_up.append(mirror.experiment)
            warn(error)
    try:
        yield tracker
    except BaseException:
        if isinstance(tracker, WandbTracker):
            tracker.code = 1  # as which wandb shows it until it is resumed
        raise
    finally:
        tracker.close()
