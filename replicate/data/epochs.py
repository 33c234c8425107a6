"""What the loaders of resident and of ImageNet images share: epochs that can be entered at any batch."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from torch import Tensor

Batch = tuple[Tensor, Tensor]
"""Normalised float32 images (n, c, h, w) and int64 labels (n,)."""


class ResumableLoader(ABC):
    """Iterates over the images once per epoch, in batches that depend on (seed, epoch, batch) and on nothing else.

    So a run that was interrupted after a batch continues with the very next one, from two integers. Call `set_epoch`
    or `load_state_dict` before each epoch. Lightning keeps the `state_dict` of such loaders in its checkpoints.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self._position = 0  # batches handed out in this epoch
        self._start = 0  # where the next iteration begins; only a loaded state moves it

    @abstractmethod
    def __len__(self) -> int:
        """Batches in an epoch."""

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


def batch_count(images: int, batch_size: int, drop_last: bool) -> int:
    """Batches in `images`; a last one that is not full counts unless it is dropped."""
    return images // batch_size if drop_last else -(-images // batch_size)
