"""The run store: one folder a run, one record a finished run, written whole or not at all.

A run's id is a hash of what decides its result (its resolved configuration) and its seed, never a time, so a finished
run is found again by whoever asks for the same thing, whichever experiment it belongs to.
"""

import fcntl
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from replicate.errors import UserError

Status = Literal["finished", "diverged"]
CHECKPOINT = "last.ckpt"
"""Where a run keeps what it needs to go on; gone when its record is there."""


class Measurement(BaseModel):
    """One number: `index` is the epoch, block or depth of a curve, None for a single value; None is not-a-number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    index: float | None = None
    value: float | None


class Timing(BaseModel):
    """Wall-clock seconds of the sitting that finished the run; its training images per second (None: no training)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float
    images_per_second: float | None = None


class Record(BaseModel):
    """What a finished run leaves. Everything but labels, timing and provenance is decided by configuration and seed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    experiment: str
    scale: str
    variant: str
    seed: int
    status: Status
    config: dict[str, Any]
    measurements: tuple[Measurement, ...]
    parameters: int | None
    multiply_adds: int | None
    timing: Timing
    provenance: dict[str, Any]

    def outcome(self) -> dict[str, Any]:
        """The part that must be the same whoever runs it, however often it was interrupted."""
        return self.model_dump(exclude={"experiment", "scale", "variant", "timing", "provenance"})

    def value(self, metric: str) -> float | None:
        """The single value of `metric`, None if it is absent or not a number."""
        return next((m.value for m in self.measurements if m.metric == metric and m.index is None), None)


def canonical(data: object) -> str:
    """JSON with sorted keys and no spare blanks: equal data, equal text."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def run_id(study: str, config: dict[str, Any], seed: int) -> str:
    """`train-1a2b3c4d5e6f-s0`: the study, twelve digits of the configuration's hash, the seed."""
    return f"{study}-{digest(canonical(config))[:12]}-s{seed}"


def write_atomic(path: Path, data: bytes) -> None:
    """Replace `path` by `data`: after a kill or a full disk it holds the old bytes or the new, never a part."""
    remove_orphans(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed: somebody is writing this
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def remove_orphans(path: Path) -> None:
    """Remove the parts of `path` that killed processes left: they hold no lock any more.

    An empty one may be about to be locked.
    """
    for part in path.parent.glob(f".{path.name}.*.part"):
        with suppress(FileNotFoundError, BlockingIOError), part.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if part.stat().st_size:
                part.unlink()


def dump(record: Record) -> bytes:
    """The record's file: its text after the text's own sha256, so that a flipped bit is seen."""
    text = canonical(record.model_dump(mode="json"))
    return f"{digest(text)}\n{text}\n".encode()


def parse(data: bytes) -> Record:
    """Read what :func:`dump` wrote. Raises ValueError for anything else."""
    checksum, _, text = data.decode().partition("\n")
    if digest(text.rstrip("\n")) != checksum:
        raise ValueError("its checksum does not match")
    return Record.model_validate_json(text)


class RunStore:
    """The folder of all runs."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def prepare(self) -> None:
        """Create the folder. Raises UserError if it cannot be written."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            probe = self.root / f".probe.{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise UserError(
                f"cannot write to the runs folder {self.root} (setting runs_dir): {error.strerror}"
            ) from error

    def folder(self, run: str) -> Path:
        """The run's own folder. Raises UserError for an id that would leave the store."""
        if not re.fullmatch(r"\w[\w-]*", run):
            raise UserError(f"'{run}' is not a run id")
        return self.root / run

    def record_path(self, run: str) -> Path:
        return self.folder(run) / "record.json"

    def trace_path(self, run: str) -> Path:
        """Where a failed run leaves its traceback."""
        return self.folder(run) / "error.txt"

    def has(self, run: str) -> bool:
        """Whether the run left a record; cheap, the record is not read."""
        return self.record_path(run).exists()

    def begun(self) -> set[str]:
        """The names of the runs' folders, in one look at the store."""
        return set(os.listdir(self.root)) if self.root.is_dir() else set()

    def finished(self) -> set[str]:
        """The ids of all runs that left a record, in one pass over the folder."""
        if not self.root.is_dir():
            return set()
        with os.scandir(self.root) as entries:
            return {entry.name for entry in entries if os.path.exists(os.path.join(entry.path, "record.json"))}

    def studies(self) -> set[str]:
        """The studies that the finished runs are of."""
        return {run.rpartition("-s")[0].rpartition("-")[0] for run in self.finished()}

    def read(self, run: str) -> Record | None:
        """The run's record, or None. A damaged one is set aside with a line on stderr, and the run will be redone."""
        path = self.record_path(run)
        try:
            return parse(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, ValidationError) as error:
            set_aside(path, str(error).splitlines()[0])
            return None

    def write(self, record: Record) -> None:
        """Keep the record; only then is the checkpoint that led to it no longer needed."""
        write_atomic(self.record_path(record.id), dump(record))
        self.tidy(record.id)

    def tidy(self, run: str) -> None:
        """Remove a finished run's checkpoint, which a kill may have left beside its record."""
        with suppress(FileNotFoundError):
            os.unlink(self.folder(run) / CHECKPOINT)

    @contextmanager
    def claim(self, run: str) -> Iterator[bool]:
        """Hold the run's lock; yields False at once when another process has it. The kernel frees a killed holder's."""
        folder = self.folder(run)
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()


def set_aside(path: Path, reason: str) -> None:
    """Move a damaged file out of the way, keeping it for inspection, and say so."""
    number = 1
    while (target := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    os.replace(path, target)
    print(f"replicate: {path} is damaged ({reason}); set aside as {target.name}, the run is redone", file=sys.stderr)
