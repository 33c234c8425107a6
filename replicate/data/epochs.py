"""What the loaders of resident and of ImageNet images share: epochs that can be entered at any batch."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from replicate.errors import UserError

Batch = tuple[Tensor, Tensor]
"""Normalised float32 images (n, c, h, w) and int64 labels (n,)."""


@dataclass(frozen=True)
class Share:
    """Into how many parts each batch is cut, and which of them are one device's: every `devices`-th from `rank` on."""

    parts: int = 1
    devices: int = 1
    rank: int = 0


WHOLE = Share()


@dataclass(frozen=True)
class Plan:
    """Which of an epoch's `images`, in the epoch's order, make which batch, and how batches are cut into parts.

    Each batch, the smaller last one of an epoch too, is cut into nearly equal parts in order, as torch.tensor_split
    cuts. The parts of a batch make one step: so an epoch has as many steps whatever their number is, and no step
    reaches into the next epoch. The parts of the plan's own device are its unit: `len` and every `index` count these.
    """

    images: int
    batch_size: int
    share: Share = WHOLE
    drop_last: bool = False

    @property
    def steps(self) -> int:
        """Batches in an epoch; a last one that is not full counts unless it is dropped."""
        return self.images // self.batch_size if self.drop_last else -(-self.images // self.batch_size)

    def __len__(self) -> int:
        return self.steps * self.share.parts // self.share.devices

    def place(self, index: int) -> int:
        """The place of part `index` among the parts of all devices."""
        return index * self.share.devices + self.share.rank

    def part(self, index: int) -> slice:
        """The places in the epoch's order of the images in part `index` of the epoch."""
        step, part = divmod(self.place(index), self.share.parts)
        size, more = divmod(self.batch(step), self.share.parts)
        start = step * self.batch_size + part * size + min(part, more)
        return slice(start, start + size + (part < more))

    def batch(self, step: int) -> int:
        """Images in batch `step` of the epoch."""
        return min(self.batch_size, self.images - step * self.batch_size)

    def weight(self, index: int) -> float:
        """What the mean loss of a part counts among the parts of its batch, on average 1."""
        chosen = self.part(index)
        parts = self.share.parts
        return (chosen.stop - chosen.start) * parts / self.batch(self.place(index) // parts)


def training_plan(images: int, batch_size: int, share: Share = WHOLE) -> Plan:
    """The plan of a training; the last batch is dropped if a part of it had one image: that has no batch statistics.

    Where the parts of full batches have no more, all must have one. Raises UserError when no batch is left.
    """
    fewest, full = (images % batch_size or batch_size) // share.parts, batch_size // share.parts
    plan = Plan(images, batch_size, share, drop_last=fewest < min(2, full))
    if not plan.steps:
        raise UserError(f"{images} training images are too few for a batch of {share.parts} parts of at least two")
    return plan


class ResumableLoader(ABC):
    """Iterates over the images once per epoch, in batches that depend on (seed, epoch, batch) and on nothing else.

    What is called a batch here is what goes through the network at once: a part of the recipe's, where it has several.

    So a run that was interrupted after a batch continues with the very next one, from two integers. Call `set_epoch`
    or `load_state_dict` before each epoch. Lightning keeps the `state_dict` of such loaders in its checkpoints.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.epoch = 0
        self._position = 0  # batches handed out in this epoch
        self._start = 0  # where the next iteration begins; only a loaded state moves it

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self.plan)

    @abstractmethod
    def batches(self, epoch: int, start: int) -> Iterator[Batch]:
        """The batches of `epoch` from number `start` on."""

    def __iter__(self) -> Iterator[Batch]:
        start, self._start = self._start, 0
        for position, batch in enumerate(self.batches(self.epoch, start), start + 1):
            self._position = position  # before the yield: a checkpoint is written while the batch is out
            yield batch

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next. The epoch of a loaded state keeps its position, any other begins at batch 0."""
        if epoch != self.epoch:
            self.epoch, self._position, self._start = epoch, 0, 0

    def state_dict(self) -> dict[str, int]:
        """The epoch and how many of its batches were handed out."""
        return {"epoch": self.epoch, "batch": self._position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Let the next iteration continue after the batches that `state` counts: after the last, in the next epoch."""
        epochs, batch = divmod(state["batch"], len(self))
        self.epoch = state["epoch"] + epochs
        self._position = self._start = batch
