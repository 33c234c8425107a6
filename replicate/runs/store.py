"""The run store: one folder a run, one record a finished run, written whole or not at all.

A run's id is a hash of what decides its result (its resolved configuration) and its seed, never a time, so a finished
run is found again by whoever asks for the same thing, whichever experiment it belongs to.
"""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from replicate.errors import UserError, first_line
from replicate.files import locked, read_file, set_aside, write_atomic
from replicate.runs.records import Record, dump, parse

CHECKPOINT = "last.ckpt"
"""Where a run keeps what it needs to go on; gone when its record is there."""


class RunStore:
    """The folder of all runs."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()  # wherever the process, or a library in it, goes next

    def prepare(self) -> None:
        """Create the folder. Raises UserError if it cannot be written."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            probe = self.root / f".probe.{secrets.token_hex(8)}"
            probe.touch(exist_ok=False)
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
        return self.record_path(run).is_file()

    def begun(self) -> set[str]:
        """The names of the runs' folders, in one look at the store."""
        return set(os.listdir(self.root)) if self.root.is_dir() else set()

    def finished(self) -> set[str]:
        """The ids of all runs that left a record, in one pass over the folder."""
        if not self.root.is_dir():
            return set()
        with os.scandir(self.root) as entries:
            return {entry.name for entry in entries if os.path.isfile(os.path.join(entry.path, "record.json"))}

    def studies(self) -> set[str]:
        """The studies that the finished runs are of."""
        return {run.rpartition("-s")[0].rpartition("-")[0] for run in self.finished()}

    def read(self, run: str) -> Record | None:
        """The run's record, or None. One that is damaged or of something else is set aside with a line on stderr.

        The run will then be redone. Raises UserError for a file or folder that this user may not read.
        """
        path = self.record_path(run)
        try:
            return parse(read_file(path), run)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError as error:
            raise UserError(f"cannot read {path}: {error.strerror}; whose run is it?") from error
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}; the next call tries again") from error
        except ValueError as error:
            set_aside(path, first_line(error).splitlines()[0])
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
        with locked(self.folder(run) / "lock", wait=False) as mine:
            yield mine

    def holder(self, run: str) -> str:
        """Who has, or had last, the run's lock: process, host and boot."""
        try:
            return read_file(self.folder(run) / "lock").decode(errors="replace").strip() or "somebody"
        except (OSError, ValueError):
            return "somebody"
