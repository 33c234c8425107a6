"""Epochs that can be entered at any batch: what the loaders of resident images and of ImageNet have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from replicate.errors import UserError

Batch = tuple[Tensor, Tensor]
"""Normalised float32 images (n, c, h, w) and int64 labels (n,)."""


@dataclass(frozen=True)
class Share:
    """How many micro-batches a batch is cut into. One device takes every `devices`-th of them, from `rank` on."""

    micro_batches: int = 1
    devices: int = 1
    rank: int = 0


WHOLE = Share()


@dataclass(frozen=True)
class Plan:
    """Which of an epoch's `images`, in the epoch's order, make which batch and which micro-batch.

    Each batch, also the smaller last one of an epoch, is cut into nearly equal micro-batches in order, as
    torch.tensor_split does. The micro-batches of a batch make one step. So an epoch has as many steps whatever their
    number is, and no step reaches into the next epoch. `len` and every `index` count the micro-batches of one device.
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
        return self.steps * self.share.micro_batches // self.share.devices

    def place(self, index: int) -> int:
        """The place of micro-batch `index` among those of all devices."""
        return index * self.share.devices + self.share.rank

    def micro_batch(self, index: int) -> slice:
        """The places in the epoch's order of the images in micro-batch `index` of the epoch."""
        step, number = divmod(self.place(index), self.share.micro_batches)
        size, more = divmod(self.batch(step), self.share.micro_batches)
        start = step * self.batch_size + number * size + min(number, more)
        return slice(start, start + size + (number < more))

    def batch(self, step: int) -> int:
        """Images in batch `step` of the epoch."""
        return min(self.batch_size, self.images - step * self.batch_size)

    def weight(self, index: int) -> float:
        """The weight of a micro-batch's mean loss among those of its batch, on average 1."""
        chosen, count = self.micro_batch(index), self.share.micro_batches
        return (chosen.stop - chosen.start) * count / self.batch(self.place(index) // count)


def training_plan(images: int, batch_size: int, share: Share = WHOLE) -> Plan:
    """The plan of a training. The last batch is dropped if a micro-batch of it would have no image or only one.

    One image has no batch statistics; it is allowed only where the micro-batches of full batches have no more. Raises
    UserError when no batch is left.
    """
    count = share.micro_batches
    fewest, full = (images % batch_size or batch_size) // count, batch_size // count
    plan = Plan(images, batch_size, share, drop_last=fewest < min(2, full))
    if not plan.steps:
        raise UserError(f"{images} training images are too few for a batch of {count} micro-batches of at least two")
    return plan


class ResumableLoader(ABC):
    """Batches that depend on (seed, epoch, batch) and on nothing else, so that a training can resume at any of them.

    A batch here is what passes through the network at once: a micro-batch of the recipe's batch, if that is cut.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self.plan)

    @abstractmethod
    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of `epoch` from number `start` on."""

    def __iter__(self) -> Iterator[Batch]:
        """The batches of epoch 0; evaluations have no other."""
        return self.batches(0)
