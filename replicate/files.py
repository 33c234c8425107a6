"""Files written whole or not at all, and the digests that name and seal them."""

import fcntl
import hashlib
import json
import os
import sys
from contextlib import suppress
from pathlib import Path


def canonical(data: object) -> str:
    """JSON with sorted keys and no spare blanks: equal data, equal text."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


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


def set_aside(path: Path, reason: str) -> None:
    """Move a damaged file out of the way, keeping it for inspection, and say so."""
    number = 1
    while (target := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    os.replace(path, target)
    print(f"replicate: {path} is damaged ({reason}); set aside as {target.name}, the run is redone", file=sys.stderr)
