"""Checkpoints: written atomically, sealed with a checksum, read as plain data, set aside if damaged."""

import hashlib
import io
import re
import time
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import CheckpointIO
from torch import nn

from replicate.files import set_aside, write_atomic
from replicate.runs.store import CHECKPOINT
from replicate.training.module import Classification

WEIGHTS = "weights.pt"
NO_COMMENT = b"\0\0"
"""How a zip archive without a comment ends: the length of the comment, two bytes."""
SEAL = 64  # digits of a sha256
HEX_DIGITS = re.compile(rb"[0-9a-f]{64}")


class SealedCheckpointIO(CheckpointIO):
    """Lightning's checkpoint, sealed with its sha256."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        seal(checkpoint, Path(path))

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        checkpoint: dict[str, Any] = torch.load(
            io.BytesIO(unseal(Path(path))), map_location=map_location or "cpu", weights_only=True
        )
        return checkpoint

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)


def seal(content: object, path: Path) -> None:
    """Write `content` by torch.save, the bytes' sha256 as the archive's comment: torch.load reads the file."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    data = buffer.getvalue()
    assert data.endswith(NO_COMMENT), "torch.save ends with a zip archive's last record"
    checksum = hashlib.sha256(data).hexdigest().encode()
    write_atomic(path, data.removesuffix(NO_COMMENT) + len(checksum).to_bytes(2, "little") + checksum)


def unseal(path: Path) -> bytes:
    """What torch.save wrote. Raises ValueError if the file differs from what was written.

    Files of earlier versions have the checksum in a line before the archive.
    """
    content = path.read_bytes()
    checksum, _, data = content.partition(b"\n")
    if not HEX_DIGITS.fullmatch(checksum):
        data, checksum = content[: -len(NO_COMMENT) - SEAL] + NO_COMMENT, content[-SEAL:]
    if hashlib.sha256(data).hexdigest().encode() != checksum:
        raise ValueError("its checksum does not match")
    return data


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


def load_weights(network: nn.Module, folder: Path) -> None:
    """Give `network` the weights of the finished run in `folder`. Raises FileNotFoundError, ValueError if damaged."""
    network.load_state_dict(torch.load(io.BytesIO(unseal(folder / WEIGHTS)), map_location="cpu", weights_only=True))


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
