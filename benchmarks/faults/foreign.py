"""Files that are whole, and not what they should be: of another run, an older library, or no files at all."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.faults.trial import Trial
from replicate.files import canonical, digest, plain_json

Damage = Callable[[Trial, Path], None]


def reseal(path: Path, change: Callable[[dict[str, Any]], object], text: Callable[[str], str] = str) -> None:
    """Change a record and seal it again, as an older suite or a stranger would have written it."""
    body: Any = plain_json(path.read_bytes().partition(b"\n")[2])
    change(body)
    made = text(canonical(body))
    path.write_text(f"{digest(made)}\n{made}\n", encoding="utf-8")


def other_runs_record(trial: Trial, path: Path) -> None:
    """The record of the other run of the sweep."""
    path.write_bytes(next(other for other in trial.files("record.json") if other != path).read_bytes())


def other_configuration(trial: Trial, path: Path) -> None:
    reseal(path, lambda body: body["config"]["recipe"].update(lr=7.0))


def other_schema(trial: Trial, path: Path) -> None:
    reseal(path, trial.draw.choice([lambda body: body.pop("timing"), lambda body: body.update(version=2)]))


def no_number(trial: Trial, path: Path) -> None:
    word = trial.draw.choice(["NaN", "Infinity", "-Infinity"])
    reseal(path, lambda body: body.update(parameters=1234567), lambda text: text.replace("1234567", word))


def replaced(make: Callable[[Path], object]) -> Damage:
    """Something else in the file's place."""

    def damage(trial: Trial, path: Path) -> None:
        path.unlink(missing_ok=True)
        make(path)

    return damage


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def link_to_nowhere(path: Path) -> None:
    path.symlink_to("nowhere")


folder, pipe = replaced(Path.mkdir), replaced(os.mkfifo)
self_link, dead_link = replaced(link_to_itself), replaced(link_to_nowhere)


def older_checkpoint(trial: Trial, path: Path) -> None:
    """Whole, but of an older network or library."""
    from replicate.training.checkpoint import SealedCheckpointIO, seal

    saved = SealedCheckpointIO().load_checkpoint(path)
    if trial.draw.random() < 0.5:
        saved["state_dict"].pop(next(name for name in saved["state_dict"] if name.startswith("network.")))
    else:
        saved.pop("loops")
    seal(saved, path)


def garbage_checkpoint(trial: Trial, path: Path) -> None:
    """Whole, and no checkpoint."""
    data = trial.draw.randbytes(5000)
    path.write_bytes(f"{hashlib.sha256(data).hexdigest()}\n".encode() + data)


def other_runs_checkpoint(trial: Trial, path: Path) -> None:
    """Whole, with the name of another run in it."""
    checksum, _, data = path.read_bytes().partition(b"\n")
    path.write_bytes(checksum.split(b" ")[0] + b" train-000000000000-s0\n" + data)


def orphans(trial: Trial, path: Path) -> None:
    """Parts that killed writers left, one of them empty."""
    (path.parent / ".record.json.4711.part").touch()
    (path.parent / f".{path.name}.0123456789abcdef.part").write_bytes(b"half")
