"""ImageNet from folders or tar shards, decoded by worker processes, whose number changes neither images nor order."""

import os
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from torchvision.transforms import v2

from replicate.data.config import DataConfig, Sampling
from replicate.data.decoding import decode
from replicate.data.epochs import WHOLE, Batch, Plan, ResumableLoader, Share, training_plan
from replicate.data.imagenet_augment import (
    CHANNEL_MEAN,
    CHANNEL_STD,
    IMAGENET_AUGMENTATIONS,
    Steps,
    centre_crop,
    ten_crop,
)
from replicate.data.imagenet_files import check_classes, fingerprint, imagenet_root, labels_of, list_images
from replicate.data.random import derived_seed, generator
from replicate.data.sampling import epoch_order, times_before
from replicate.data.shards import Sample
from replicate.data.splits import cut_test, cut_training
from replicate.errors import UserError

CROP = 224
Key = tuple[int, int, int]
"""An epoch, the place of an image among the loader's images, and how often the epoch has shown it before."""


class ImageFiles(Dataset[tuple[Tensor, int]]):
    """Decoded, augmented, normalised images, addressed by their keys.

    The generator that the transforms use is seeded for each image from its key, so it does not matter which worker
    draws; the global generator is left as it was.
    """

    def __init__(self, samples: list[Sample], steps: Steps, seed: int, decoder: str | None = None) -> None:
        self.samples, self.transform, self.seed, self.decoder = samples, v2.Compose(steps), seed, decoder

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: Key) -> tuple[Tensor, int]:
        epoch, index, before = key
        again = (before,) if before else ()
        sample = self.samples[index]
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(derived_seed(self.seed, "augmentation", epoch, index, *again))
            return self.transform(decode(sample, self.decoder)), sample.label


class EpochBatches(Sampler[list[Key]]):
    """The keys of each batch of `epoch`, from batch `start` on."""

    def __init__(self, plan: Plan, labels: Tensor, seed: int, shuffle: bool, sampling: Sampling | None = None) -> None:
        self.plan, self.labels, self.seed, self.shuffle, self.sampling = plan, labels, seed, shuffle, sampling
        self.epoch = self.start = 0

    def __len__(self) -> int:
        return len(self.plan)

    def __iter__(self) -> Iterator[list[Key]]:
        epoch, order = self.epoch, torch.arange(self.plan.images)
        if self.shuffle:
            order = epoch_order(self.labels, self.seed, epoch, self.sampling)
        keys = torch.stack([order, times_before(order)], dim=1)
        for batch in range(self.start, len(self)):
            yield [(epoch, index, before) for index, before in keys[self.plan.micro_batch(batch)].tolist()]


class ImageFileLoader(ResumableLoader):
    """Batches of ImageFiles, prepared by `workers` processes (0: by this one). Tensors are on the CPU."""

    def __init__(
        self,
        images: ImageFiles,
        plan: Plan,
        *,
        shuffle: bool = False,
        sampling: Sampling | None = None,
        workers: int = 0,
    ) -> None:
        super().__init__(plan)
        self.images = images
        self.keys = EpochBatches(plan, labels_of(images.samples), images.seed, shuffle, sampling)
        self.loader = DataLoader(
            images,
            batch_sampler=self.keys,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
            generator=generator(images.seed, "workers"),  # otherwise the loader would draw from the global generator
        )

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        self.keys.epoch, self.keys.start = epoch, start
        try:
            yield from self.loader
        except UserError as error:  # from a worker it comes with the worker's traceback
            last = str(error).strip().splitlines()[-1]
            raise UserError(last.removeprefix(f"{UserError.__module__}.{UserError.__name__}: ")) from error


def normalise(config: DataConfig) -> v2.Normalize:
    """The step from pixels in 0 ... 1 to the network's input; splits.statistics explains the names."""
    if config.normalisation == "mean_image":
        raise UserError("data.normalisation=mean_image: ImageNet has no mean image here; channel_mean is nearest")
    if config.normalisation == "inception":
        return v2.Normalize((0.5,) * 3, (0.5,) * 3)
    mean = (0.0, 0.0, 0.0) if config.normalisation == "unit" else CHANNEL_MEAN
    if config.normalisation == "channel_mean":  # (255 x - 255 mean): the scale stays 0 ... 255
        return v2.Normalize(mean, (1 / 255,) * 3)
    return v2.Normalize(mean, CHANNEL_STD if config.normalisation == "channel" else (1.0, 1.0, 1.0))


def transforms(config: DataConfig) -> tuple[Steps, Steps]:
    """The steps of training and of test images, normalised."""
    size = config.size or CROP
    if config.decoder is not None and config.augmentation == "inception":
        raise UserError(
            "augmentation inception also resizes with a box filter, which only Pillow has: data.decoder=null"
        )
    augment = IMAGENET_AUGMENTATIONS[config.augmentation].steps(size)
    test = ten_crop if config.test_crops == 10 else centre_crop
    plain = test(config.test_size or size, config.test_resize)
    return [*augment, normalise(config)], [*plain, normalise(config)]


class ImageNetLoaders(NamedTuple):
    """Loaders of the training, validation and test images, and the fingerprint of the files."""

    train: ImageFileLoader
    validation: ImageFileLoader | None
    test: ImageFileLoader
    checksum: str


def imagenet_loaders(
    config: DataConfig, batch_size: int, *, seed: int = 0, workers: int | None = None, share: Share = WHOLE
) -> ImageNetLoaders:
    """The loaders of an ImageNet folder: val has the test images, validation images come from train.

    Images are 3 x size x size (224), at test time test_size. Training loads the micro-batches of this device's `share`;
    other batches are no larger. `workers` processes decode, one per core for None. Raises UserError for a folder that
    is not as expected.
    """
    folder = imagenet_root(config)
    (train, classes), (test, test_classes) = list_images(folder, "train"), list_images(folder, "val")
    check_classes(classes, test_classes)
    kept, split_off = cut_training(labels_of(train), config, len(classes))
    used = cut_test(labels_of(test), config, len(classes))
    augment, plain = transforms(config)
    processes = workers if workers is not None else os.cpu_count() or 1

    def loader(samples: list[Sample], index: Tensor, steps: Steps, training: bool = False) -> ImageFileLoader:
        images = ImageFiles([samples[place] for place in index.tolist()], steps, seed, config.decoder)
        whole = Plan(len(images), batch_size // share.micro_batches)
        plan = training_plan(len(images), batch_size, share) if training else whole
        return ImageFileLoader(images, plan, shuffle=training, sampling=config.sampling, workers=processes)

    return ImageNetLoaders(
        loader(train, kept, augment, training=True),
        loader(train, split_off, plain) if config.validation else None,
        loader(test, used, plain),
        fingerprint(folder, [*train, *test]),
    )
