"""Disks that fill up: a small tmpfs where one may be mounted."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIZE = 8 << 20  # bytes; what the sweep of a trial needs at its peak, several times


def call(*words: str | Path) -> bool:
    """Whether the command succeeded."""
    try:
        return subprocess.run(list(map(str, words)), capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def mountable(folder: Path) -> bool:
    """Whether this process may mount a tmpfs, tried in `folder`."""
    place = folder / "mountable"
    place.mkdir()
    mounted = call("mount", "-t", "tmpfs", "tmpfs", place)
    return mounted and call("umount", place)


@contextmanager
def small_disk(place: Path, free: int) -> Iterator[Path]:
    """A tmpfs at `place` with `free` bytes left; yields the file that takes the others, to be removed for room."""
    place.mkdir()
    if not call("mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=777", "tmpfs", place):
        raise OSError(f"no tmpfs could be mounted at {place}")
    try:
        filler = place / ".filler"
        filler.write_bytes(bytes(SIZE - free))
        yield filler
    finally:
        call("umount", "--lazy", place)
