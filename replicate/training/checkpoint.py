"""Checkpoints: written atomically, sealed with a checksum, read as plain data, set aside if damaged."""

import hashlib
import io
import re
import time
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from pytorch_lightning.plugins.io import CheckpointIO
from torch import nn

from replicate.files import read_file, set_aside, write_atomic
from replicate.runs.store import CHECKPOINT
from replicate.training.module import Classification

WEIGHTS = "weights.pt"
NO_COMMENT = b"\0\0"
"""How a zip archive without a comment ends: the length of the comment, two bytes."""
COMMENT = re.compile(rb"([0-9a-f]{64}) ([^ \0\n]+)\Z")
"""What ends a sealed file: the checksum and the run."""
HEX_DIGITS = re.compile(rb"[0-9a-f]{64}")
PARTS = ("state_dict", "optimizer_states", "loops", "global_step", "replicate")
"""What a checkpoint needs to go on exactly."""


class SealedCheckpointIO(CheckpointIO):
    """Lightning's checkpoint, sealed with its sha256."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        seal(checkpoint, Path(path))

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        checkpoint: dict[str, Any] = torch.load(
            io.BytesIO(unseal(Path(path))), map_location=map_location or "cpu", weights_only=True
        )
        missing = [part for part in PARTS if part not in checkpoint]
        if missing:  # Lightning would begin to count anew, and go on with trained weights
            raise ValueError(f"it lacks {', '.join(missing)}")
        return checkpoint

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)


def seal(content: object, path: Path) -> None:
    """Write `content` by torch.save, with a comment in the archive: torch.load reads the file.

    The comment has the sha256 of the bytes and the run, and the run, which is the name of the folder.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    data, run = buffer.getvalue(), run_of(path)
    assert data.endswith(NO_COMMENT), "torch.save ends with a zip archive's last record"
    comment = hashlib.sha256(data + run).hexdigest().encode() + b" " + run
    write_atomic(path, data.removesuffix(NO_COMMENT) + len(comment).to_bytes(2, "little") + comment)


def unseal(path: Path) -> bytes:
    """What torch.save wrote. Raises ValueError if the file differs from what was written, or is another run's.

    Files of earlier versions have the checksum in a line before the archive, and do not name the run.
    """
    content, run = read_file(path), b""
    checksum, _, data = content.partition(b"\n")
    if not HEX_DIGITS.fullmatch(checksum):
        comment = COMMENT.search(content)
        if comment is None:
            raise ValueError("its checksum does not match")
        checksum, run = comment.groups()
        length = len(comment.group()).to_bytes(2, "little")
        data = content[: comment.start()].removesuffix(length) + NO_COMMENT
    if hashlib.sha256(data + run).hexdigest().encode() != checksum:
        raise ValueError("its checksum does not match")
    if run and run != run_of(path):  # older files do not say
        raise ValueError(f"it is of {run.decode(errors='replace')}")
    return data


def run_of(path: Path) -> bytes:
    """The run whose folder the file lies in."""
    return path.absolute().parent.name.encode()


def usable_checkpoint(folder: Path) -> Path | None:
    """The folder's checkpoint if it is intact; a damaged one is set aside."""
    path = folder / CHECKPOINT
    try:
        unseal(path)
    except FileNotFoundError:
        return None
    except ValueError as error:
        set_aside(path, str(error))
        return None
    return path


def save_weights(network: nn.Module, folder: Path) -> None:
    """Keep a finished network's weights. A kill may follow, so the checkpoint stays until the record is written."""
    seal(network.state_dict(), folder / WEIGHTS)


MISFITS = (ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError, RuntimeError, UnpicklingError)
"""What torch and Lightning raise for whole files of another network or library."""


def load_weights(network: nn.Module, folder: Path) -> None:
    """Give `network` the weights of the finished run in `folder`. Raises FileNotFoundError, or one of MISFITS."""
    network.load_state_dict(torch.load(io.BytesIO(unseal(folder / WEIGHTS)), map_location="cpu", weights_only=True))


def weights_loaded(network: nn.Module, folder: Path) -> bool:
    """Whether the run's weights are in `network` now; those that are damaged or do not fit are set aside."""
    try:
        load_weights(network, folder)
    except FileNotFoundError:
        return False
    except MISFITS as error:
        set_aside(folder / WEIGHTS, reason(error))
        return False
    return True


def reason(error: BaseException) -> str:
    """The kind of an error and its first line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


def is_misfit(error: BaseException) -> bool:
    """Whether an error while a checkpoint was loaded speaks against the checkpoint, not against the machine."""
    machine = isinstance(error, torch.OutOfMemoryError) or str(error).startswith("CUDA")
    return isinstance(error, MISFITS) and not machine


class StaleCheckpoint(Exception):
    """A whole checkpoint that no longer fits its training; it was set aside, and the training begins again."""


def load_training(module: Classification, folder: Path) -> None:
    """Load into `module` the last checkpoint in `folder`, of a training that has ended."""
    checkpoint = SealedCheckpointIO().load_checkpoint(folder / CHECKPOINT)
    module.on_load_checkpoint(checkpoint)
    module.load_state_dict(checkpoint["state_dict"])


class Checkpoint:
    """Saves after a step if the last save is `seconds` old, and after the last step, since the test may be long."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.path, self.seconds = folder / CHECKPOINT, seconds
        self.saved = time.monotonic()

    def __call__(self, module: Classification, done: int) -> None:
        if module.ends(done) or self.due():
            self.save(module)

    def due(self) -> bool:
        return time.monotonic() - self.saved >= self.seconds

    def save(self, module: Classification) -> None:
        module.trainer.save_checkpoint(self.path)
        self.saved = time.monotonic()
