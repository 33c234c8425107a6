"""The upload of what was written offline, or did not reach its server."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from replicate.errors import UserError
from replicate.runs.store import RunStore
from replicate.wandb_mirror.session import PATIENCE, SYNCED, attempt, check_server

SYNC_SECONDS = 3600

Upload = Callable[[Sequence[Path]], None]


def offline_files(runs_dir: Path) -> list[Path]:
    """The runs under `runs_dir`/wandb that are not on a server as a whole, oldest first; runs in progress are not done.

    Raises UserError if there is no such folder.
    """
    if not runs_dir.is_dir():
        raise UserError(f"there is no folder of runs {runs_dir}")
    store = RunStore(runs_dir)
    found = sorted(runs_dir.glob("wandb/*run-*/run-*.wandb"), key=begun)
    waiting = [path for path in found if not marker(path).exists() and not path.parent.is_symlink()]
    return [path for path in waiting if not in_progress(store, path.stem.removeprefix("run-"))]


def begun(path: Path) -> str:
    """When a run was begun, as its folder's name says."""
    return path.parent.name.removeprefix("offline-")


def marker(path: Path) -> Path:
    """The file by which wandb marks an uploaded run."""
    return path.with_name(path.name + SYNCED)


def in_progress(store: RunStore, run: str) -> bool:
    """Whether another process is at the run; what it would add later could not be uploaded any more."""
    if not store.folder(run).is_dir():
        return False
    with store.claim(run) as mine:
        return not mine


def upload_waiting(runs_dir: Path, upload: Upload | None = None) -> int:
    """Upload every run that is waiting once; how many were uploaded now."""
    files = offline_files(runs_dir)

    def send() -> None:
        if upload is None:
            check_server(PATIENCE)
        (upload or wandb_sync)(files)

    if files:
        attempt(send)
    return sum(marker(path).exists() for path in files)


def wandb_sync(files: Sequence[Path]) -> None:
    """wandb's own upload, which marks each file that is done. Raises OSError with what it said last."""
    folders = [str(path.parent) for path in files]
    command = [sys.executable, "-m", "wandb", "sync", "--yes", "--include-online", *folders]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SYNC_SECONDS, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise OSError(said[-1] if said else f"wandb sync ended with code {done.returncode}")
