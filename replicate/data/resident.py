"""A loader for images in memory: no workers, no Python for each image, exact resume at any batch."""

from collections.abc import Iterator

import torch
from torch import Tensor

from replicate.data.augment import AUGMENTATIONS, Augmentation
from replicate.data.config import Sampling
from replicate.data.epochs import Batch, Plan, ResumableLoader
from replicate.data.random import generator
from replicate.data.sampling import epoch_order
from replicate.data.splits import ImageSet

__all__ = ["Batch", "ResidentLoader"]


class ResidentLoader(ResumableLoader):
    """Batches of an ImageSet: one index operation, then the augmentation and the normalisation of the whole batch.

    `mean` and `std` broadcast to (c, h, w) and are in pixel units 0 ... 255, as DataSplits has them. The images are
    copied once to `device`, a CPU or CUDA device, where the batches are made.
    """

    def __init__(
        self,
        data: ImageSet,
        plan: Plan,
        mean: Tensor,
        std: Tensor,
        *,
        seed: int = 0,
        augment: Augmentation = AUGMENTATIONS["none"],
        shuffle: bool = False,
        sampling: Sampling | None = None,
        device: torch.device | str = "cpu",
        channels_last: bool = False,
    ) -> None:
        super().__init__(plan)
        self.images, self.labels = data.images.to(device), data.labels.to(device)
        self.mean, self.std = mean.to(device), std.to(device)
        self.seed, self.augment, self.shuffle, self.sampling = seed, augment, shuffle, sampling
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        order = self._order(epoch)
        for index in range(start, len(self)):
            chosen = order[self.plan.micro_batch(index)]
            images = self.images.index_select(0, chosen)
            draw = generator(self.seed, "augmentation", epoch, self.plan.place(index))
            images = self.augment(images, draw, self.mean)
            yield self._normalised(images), self.labels.index_select(0, chosen)

    def _order(self, epoch: int) -> Tensor:
        if not self.shuffle:
            return torch.arange(len(self.labels), device=self.images.device)
        return epoch_order(self.labels.cpu(), self.seed, epoch, self.sampling).to(self.images.device)

    def _normalised(self, images: Tensor) -> Tensor:
        # converting first, then in place, takes half the time of a subtraction that converts
        return images.float().sub_(self.mean).div_(self.std).contiguous(memory_format=self.memory_format)
