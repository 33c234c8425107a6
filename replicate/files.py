"""Files written whole or not at all, read only if they are files, and the digests that name and seal them."""

import errno
import fcntl
import hashlib
import json
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


def canonical(data: object) -> str:
    """JSON with sorted keys and no spare blanks: equal data, equal text."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def plain_json(text: str | bytes) -> object:
    """JSON as it is defined. Raises ValueError also for NaN and Infinity, which Python reads, and a key that stands
    twice."""

    def refuse(constant: str) -> object:
        raise ValueError(f"{constant} is no number of JSON")

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a key stands twice")
        return found

    try:
        return json.loads(text, parse_constant=refuse, object_pairs_hook=once)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def read_file(path: Path) -> bytes:
    """The bytes of a regular file. Raises ValueError for a folder, a pipe, which could block for ever, or a link to
    itself in its place.

    Raises OSError as open does: FileNotFoundError also for a link to nowhere.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ValueError("it is a link to itself") from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("it is no regular file")
    with open(descriptor, "rb") as file:
        return file.read()


def write_atomic(path: Path, data: bytes) -> None:
    """Replace `path` by `data`: after a kill or a full disk it holds the old bytes or the new, never a part."""
    remove_orphans(path)
    part, file = open_part(path)
    try:
        with file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            os.replace(part, path)  # while it is locked, so that nobody takes it for an orphan
    finally:
        part.unlink(missing_ok=True)


def open_part(path: Path) -> tuple[Path, BinaryIO]:
    """A new file beside `path`, locked until it is closed.

    Its name is random: processes of two containers have equal numbers. Between its creation and its lock another
    writer may take it for an orphan and remove it; then the next is tried.
    """
    while True:
        part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
        file = part.open("x+b")
        with suppress(OSError):  # a file system without locks; there orphans stay
            fcntl.flock(file, fcntl.LOCK_EX)
        if same_file(part, file):
            return part, file
        file.close()


def same_file(path: Path, file: BinaryIO) -> bool:
    """Whether the open file still has this name."""
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def remove_orphans(path: Path) -> None:
    """Remove the parts of `path` that killed processes left: they hold no lock any more.

    They are opened for writing: NFS makes an exclusive lock of a descriptor that only reads an error.
    """
    for part in path.parent.glob(f".{path.name}.*.part"):
        with suppress(OSError):
            descriptor = os.open(part, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            with open(descriptor, "r+b", buffering=0) as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                part.unlink()


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold a lock on the file `path`; yields False at once when another process has it and `wait` is false.

    The kernel frees a killed holder's lock. Whoever holds it stands in the file, with host and boot, for a folder that
    several machines share. What is no file is set aside.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(os.lstat(path).st_mode):
            set_aside(path, "it is no regular file")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    with open(descriptor, "r+b", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        with suppress(OSError):  # a full disk; the text is for readers only
            file.truncate()
            file.write(f"{holder()}\n".encode())
        yield True


def holder() -> str:
    """This process, its host and that host's boot, by which a lock's text tells who has or had it."""
    boot = "unknown"
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"process {os.getpid()} host {os.uname().nodename} boot {boot}"


def set_aside(path: Path, reason: str, remedy: str = "the run is redone") -> None:
    """Move what is damaged out of the way, keeping it for inspection, and say so. Another process may be first."""
    number = 1
    while os.path.lexists(target := path.with_name(f"{path.name}.damaged-{number}")):
        number += 1
    with suppress(FileNotFoundError):
        os.rename(path, target)
        print(f"replicate: {path} is damaged ({reason}); set aside as {target.name}, {remedy}", file=sys.stderr)
