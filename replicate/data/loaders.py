"""From a data configuration to the loaders of one run."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import torch

from replicate.data import IMAGENET, load
from replicate.data.augment import augmentation
from replicate.data.config import DataConfig
from replicate.data.epochs import WHOLE, Batch, Plan, ResumableLoader, Share, training_plan
from replicate.data.resident import ResidentLoader
from replicate.data.splits import ImageSet

EVALUATION_BATCH = 500


@dataclass(frozen=True)
class Loaders:
    """Training batches by epoch, validation batches or None, and the test batches, which are used once."""

    train: ResumableLoader
    validation: Iterable[Batch] | None
    test: Iterable[Batch]
    checksum: str


@cache
def check_data(config: DataConfig) -> None:
    """Read the data once, for ImageNet only the folder's layout. Raises UserError if they are missing or damaged."""
    if config.name == IMAGENET:
        from replicate.data.imagenet import transforms  # imports torchvision
        from replicate.data.imagenet_files import imagenet_root

        imagenet_root(config)
        transforms(config)
    else:
        augmentation(config.augmentation, config.size)
        load(config)


def make_loaders(
    config: DataConfig,
    batch_size: int,
    seed: int,
    device: torch.device,
    channels_last: bool,
    workers: int = 0,
    share: Share = WHOLE,
) -> Loaders:
    """Loaders whose order and augmentation follow from `seed`; images that fit in memory are on `device`.

    Training loads the micro-batches of this device's `share`. `workers` processes decode ImageNet's files.
    """
    if config.name == IMAGENET:
        from replicate.data.imagenet import imagenet_loaders

        return Loaders(*imagenet_loaders(config, batch_size, seed=seed, workers=workers, share=share))
    splits = load(config)

    def evaluation(part: ImageSet) -> ResidentLoader:
        plan = Plan(len(part), EVALUATION_BATCH)
        return ResidentLoader(part, plan, splits.mean, splits.std, device=device, channels_last=channels_last)

    train = ResidentLoader(
        splits.train,
        training_plan(len(splits.train), batch_size, share),
        splits.mean,
        splits.std,
        seed=seed,
        augment=augmentation(config.augmentation, config.size),
        shuffle=True,
        sampling=config.sampling,
        device=device,
        channels_last=channels_last,
    )
    validation = evaluation(splits.validation) if splits.validation is not None else None
    return Loaders(train, validation, evaluation(splits.test), splits.checksum)
