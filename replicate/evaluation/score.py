"""From a batch's views to the scores of each image, and from scores to error rates."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from pydantic import TypeAdapter
from torch import Tensor

from replicate.errors import first_line
from replicate.files import digest, read_file, set_aside, write_atomic
from replicate.training.ranking import ranks

FORWARD_PIXELS = 2_000_000  # in one forward pass: 40 images of 224 x 224, or 2,000 of 32 x 32
FILE = "evaluation.json"
CPU = torch.device("cpu")

Network = Callable[[Tensor], Tensor]
"""Images (n, c, h, w) to logits (n, classes)."""
Group = tuple[Tensor, Tensor]
"""Places in the batch, int64 (m,), and the views of the images there, (m, v, c, h, w): images of one size."""
Slot = list[Group]
"""All images of a batch in the views of one protocol at one scale."""


@dataclass(frozen=True)
class Batch:
    """Slots by protocol and scale, in the order of the options, and labels, int64 (n,)."""

    slots: tuple[tuple[Slot, ...], ...]
    labels: Tensor


@torch.inference_mode()
def answer(network: Network, images: Tensor, device: torch.device) -> Tensor:
    """Softmax scores of images (n, c, h, w), in pieces that fit into memory, on `device`."""
    piece = max(1, FORWARD_PIXELS // (images.shape[2] * images.shape[3]))
    return torch.cat([network(some.to(device)).float().softmax(1) for some in torch.split(images, piece)])


def slot_answer(network: Network, slot: Slot, average: str, device: torch.device) -> Tensor:
    """Scores (images, classes) over the views of one scale: their mean, or the maximum of each class."""
    combined, order = [], torch.cat([places for places, _ in slot])
    for _, seen in slot:
        scores = answer(network, seen.flatten(0, 1), device).view(*seen.shape[:2], -1)
        combined.append(scores.amax(1) if average == "max" else scores.mean(1))
    return torch.cat(combined)[order.argsort().to(device)]


def protocol_answer(network: Network, slots: Sequence[Slot], average: str, device: torch.device) -> Tensor:
    """Scores (images, classes) over all scales, each of which has the same number of views."""
    scales = torch.stack([slot_answer(network, slot, average, device) for slot in slots])
    return scales.amax(0) if average == "max" else scales.mean(0)


def batch_answer(
    members: Sequence[Sequence[Network]], batch: Batch, average: str, device: torch.device = CPU
) -> list[Tensor]:
    """Scores (images, classes) for each protocol, their mean over the members.

    members: for each the networks that answer the protocols, fully convolutional where a protocol is dense.
    """
    return [
        torch.stack([protocol_answer(networks[place], slots, average, device) for networks in members]).mean(0)
        for place, slots in enumerate(batch.slots)
    ]


@dataclass
class Tally:
    """Sums over the images so far and the number of their batches: the state of an evaluation."""

    loss: float = 0.0
    wrong: int = 0
    wrong5: int = 0
    images: int = 0
    batches: int = 0

    def add(self, scores: Tensor, labels: Tensor) -> None:
        """Count one batch: softmax scores (n, classes), labels (n,)."""
        self.loss += float(F.nll_loss(scores.double().clamp(min=1e-45).log(), labels, reduction="sum"))
        places = ranks(scores, labels)
        self.wrong += int((places >= 1).sum())
        self.wrong5 += int((places >= 5).sum())
        self.images += len(labels)
        self.batches += 1

    def rates(self) -> dict[str, float]:
        """test_loss in nats, test_error and test_top5_error in percent."""
        return {
            "test_loss": self.loss / self.images,
            "test_error": 100 * self.wrong / self.images,
            "test_top5_error": 100 * self.wrong5 / self.images,
        }


Tallies = dict[str, Tally]
"""The tallies of an evaluation's readings, by the suffix of their metrics."""


def add_batch(
    tallies: Tallies, answers: Sequence[Tensor], labels: Tensor, asked: Mapping[str, Sequence[object]]
) -> None:
    """Count a batch in every reading, with the mean answer of its protocols. `asked` as in Evaluation."""
    rest = iter(answers)
    for suffix, protocols in asked.items():
        tallies[suffix].add(torch.stack([next(rest) for _ in protocols]).mean(0), labels)


def save_tallies(tallies: Tallies, folder: Path) -> None:
    """Write the tallies to `folder`, after their checksum."""
    text = json.dumps({suffix: asdict(tally) for suffix, tally in tallies.items()})
    write_atomic(folder / FILE, f"{digest(text)}\n{text}".encode())


def load_tallies(folder: Path, suffixes: Iterable[str]) -> Tallies:
    """The tallies that an earlier attempt saved, or empty ones; a damaged file, or one of others, is set aside."""
    path, empty = folder / FILE, {suffix: Tally() for suffix in suffixes}
    try:
        checksum, _, text = read_file(path).decode().partition("\n")
        if digest(text) != checksum:
            raise ValueError("its checksum does not match")
        found = TypeAdapter(Tallies).validate_json(text)
        if found.keys() != empty.keys():
            raise ValueError("it is of other protocols")
    except FileNotFoundError:
        return empty
    except ValueError as error:
        set_aside(path, first_line(error))
        return empty
    return found
