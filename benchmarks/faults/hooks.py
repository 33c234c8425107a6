"""What a sitting does differently from a plain `replicate run`: it keeps a log, and it meets its fault.

A hook is a function that is called in the sitting's process and wraps what it wants to.
"""

import fcntl
import fnmatch
import os
import signal
import sys
import time
from collections.abc import Callable
from errno import EBADF, ENOSPC
from itertools import count
from pathlib import Path
from typing import Any, Literal
from unittest.mock import MagicMock

Hook = Callable[[], None]
Stage = Literal["half", "whole", "renamed"]
STAGES: tuple[Stage, ...] = ("half", "whole", "renamed")
"""Half of the bytes are in the temporary file, all of them are, it has its name."""
FUSE = "fuse"  # a file in the trial's folder: the fault happened, and happens once
EVENTS = "events"


def note(log: Path, *words: object) -> None:
    """Append a line in one write, so that processes can share the log."""
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.write(descriptor, (" ".join(map(str, words)) + "\n").encode())
    os.close(descriptor)


def keep_log(log: Path) -> Hook:
    """Log `trained RUN BATCH` before and `saved RUN BATCH` after each batch's checkpoint, and `recorded RUN`."""

    def install() -> None:
        from replicate.runs.store import RunStore
        from replicate.training.checkpoint import Checkpoint
        from replicate.training.preemption import Preemption

        save, obey, write = Checkpoint.__call__, Preemption.__call__, RunStore.write

        def logged_save(self: Checkpoint, module: Any, done: int) -> None:
            run = self.path.parent.name
            note(log, "trained", run, done)
            before = self.saved
            save(self, module, done)
            if self.saved != before:
                note(log, "saved", run, done)

        def logged_obey(self: Preemption, module: Any, done: int) -> None:
            try:
                obey(self, module, done)
            except SystemExit:
                note(log, "saved", self.path.parent.name, done)
                raise

        def logged_write(self: RunStore, record: Any) -> None:
            write(self, record)
            note(log, "recorded", record.id)

        Checkpoint.__call__, Preemption.__call__ = logged_save, logged_obey  # type: ignore[method-assign]
        RunStore.write = logged_write  # type: ignore[method-assign]

    return install


def blow(fuse: Path) -> bool:
    """True for the first caller only."""
    try:
        os.close(os.open(fuse, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def failing(number: int) -> Callable[[], None]:
    """A call to the file system that fails with this error number."""

    def fail() -> None:
        raise OSError(number, os.strerror(number))

    return fail


disk_full = failing(ENOSPC)


def nfs_locks() -> None:
    """As on NFS: an exclusive lock of a descriptor that only reads is an error."""
    flock = fcntl.flock

    def strict(file: Any, operation: int) -> None:
        descriptor = file if isinstance(file, int) else file.fileno()
        if operation & fcntl.LOCK_EX and fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            failing(EBADF)()
        flock(file, operation)

    fcntl.flock = strict


def at_write(pattern: str, nth: int, stage: Stage, act: Callable[[], None], fuse: Path) -> Hook:
    """At the `nth` atomic write of a file whose name matches `pattern`, in its `stage`, `act`."""

    def install() -> None:
        seen, fsync, replace = count(1), os.fsync, os.replace

        def strikes(name: str) -> bool:
            return fnmatch.fnmatch(name, pattern) and next(seen) == nth and blow(fuse)

        def faulty_fsync(descriptor: int) -> None:
            if stage != "renamed" and strikes(target(os.readlink(f"/proc/self/fd/{descriptor}"))):
                if stage == "half":
                    os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
                act()
            fsync(descriptor)

        def faulty_replace(source: Any, destination: Any) -> None:
            replace(source, destination)
            if stage == "renamed" and strikes(Path(destination).name):
                act()

        os.fsync, os.replace = faulty_fsync, faulty_replace  # type: ignore[assignment]

    return install


def target(part: str) -> str:
    """The file that a temporary file is to become: `.record.json.123.part` -> `record.json`."""
    return Path(part).name.removeprefix(".").removesuffix(".part").rpartition(".")[0]


def clock_behind(seconds: float) -> Hook:
    """The wall clock stands that far in the past from the first look on."""

    def install() -> None:
        now = time.time
        time.time = lambda: now() - seconds

    return install


def wandb_that(where: str, act: Callable[[], None], fuse: Path) -> Hook:
    """A wandb whose `where` (init, log, summary or finish) does `act`, and a person with little patience."""

    def install() -> None:
        from replicate.wandb_mirror import session

        def at(place: str) -> None:
            if place == where:
                blow(fuse)
                act()

        run = MagicMock(offline=True)
        run.log.side_effect = lambda values: at("log")
        run.summary.update.side_effect = lambda values: at("summary")
        run.finish.side_effect = lambda **_: at("finish")

        def init(**given: Any) -> MagicMock:
            at("init")
            return run

        sys.modules["wandb"] = MagicMock(init=init)
        session.PATIENCE = 0.2

    return install


def refuse() -> None:
    raise ConnectionError("no route to host")


def hang() -> None:
    time.sleep(3600)


HOOKED: list[bool] = []
"""Whether the hooks of a worker are installed in this process."""


def in_workers(*hooks: Hook) -> Hook:
    """Have `hooks` installed in the processes that the launcher starts, too, once in each."""

    def install() -> None:
        from replicate.sweep import executors
        from replicate.sweep.execute import Done, Job, execute

        def hooked(job: Job) -> Done:
            from benchmarks.faults.hooks import HOOKED  # of the process: with each job a worker gets a new closure

            if not HOOKED:
                HOOKED.append(True)
                for hook in hooks:
                    hook()
            return execute(job)

        HOOKED.append(True)  # a last job is done here, where the hooks of the sweep itself are
        setattr(executors, "execute", hooked)  # noqa: B010 - the name that executors hand to their workers

    return install
