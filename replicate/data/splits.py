"""Images in memory and what is done to them once, at load: subset, validation images, resizing, statistics.

Pixels are computed in exact integer arithmetic, so the same file gives the same images on every machine.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from replicate.data.augment import training_size
from replicate.data.config import DataConfig, Normalisation
from replicate.data.images import resize
from replicate.data.random import generator
from replicate.errors import UserError


@dataclass(frozen=True)
class ImageSet:
    """Images, uint8 (n, c, h, w), and labels, int64 (n,)."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: Tensor, size: int | None = None) -> "ImageSet":
        """The images and labels at `index`, in that order; resized to size x size pixels unless `size` is None."""
        return ImageSet(resize(self.images.index_select(0, index), size), self.labels.index_select(0, index))


class Parts(NamedTuple):
    """A data set as published: training images and test images."""

    train: ImageSet
    test: ImageSet
    classes: int


@dataclass(frozen=True)
class DataSplits:
    """The training, validation and test images of a run.

    mean, std: float32, broadcastable to (c, h, w), in pixel units 0 ... 255, computed on the training images alone.
    checksum: SHA-256 of the set as read, before images are selected or resized.
    """

    train: ImageSet
    validation: ImageSet | None
    test: ImageSet
    classes: int
    mean: Tensor
    std: Tensor
    checksum: str


def balanced_index(labels: Tensor, count: int | None, classes: int, setting: str) -> Tensor:
    """The places of the first images of each class, `count` in all, in file order; all images for None.

    If the number of classes does not divide `count`, the first classes give one image more. Raises UserError, naming
    `setting`, when a class has too few images.
    """
    if count is None:
        return torch.arange(len(labels))
    share, more = divmod(count, classes)
    wanted = share + (torch.arange(classes) < more).long()
    found = torch.bincount(labels, minlength=classes)
    for label in (found < wanted).nonzero().flatten().tolist():
        raise UserError(f"{setting}={count} needs {wanted[label]} images of class {label}, which has {found[label]}")
    by_class = labels.argsort(stable=True)
    place = torch.arange(len(labels)) - (found.cumsum(0) - found).repeat_interleave(found)  # within its class
    return by_class[place < wanted.repeat_interleave(found)].sort().values


def validation_index(labels: Tensor, count: int, classes: int) -> tuple[Tensor, Tensor]:
    """The places of the remaining and of the `count` validation images, which do not depend on the seed."""
    shuffled = torch.randperm(len(labels), generator=generator(0, "validation"))
    picked = shuffled[balanced_index(labels[shuffled], count, classes, "data.validation")].sort().values
    rest = torch.ones(len(labels), dtype=torch.bool).index_fill_(0, picked, False)
    return rest.nonzero().squeeze(1), picked


def cut_training(labels: Tensor, config: DataConfig, classes: int) -> tuple[Tensor, Tensor]:
    """The places of the training and of the validation images among all images for training."""
    rest, validation = validation_index(labels, config.validation, classes)
    if not len(rest):
        raise UserError(f"data.validation={config.validation} leaves no image to train on")
    train = balanced_index(labels[rest], config.train_images, classes, "data.train_images")
    return rest[train], validation


def cut_test(labels: Tensor, config: DataConfig, classes: int) -> Tensor:
    """The places of the test images that are used."""
    return balanced_index(labels, config.test_images, classes, "data.test_images")


def channel_statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation per channel of uint8 images (n, c, h, w): float64 (c, 1, 1), from exact counts."""
    values = torch.arange(256, dtype=torch.float64)
    counts = torch.stack([torch.bincount(channel.flatten(), minlength=256) for channel in images.unbind(1)]).double()
    share = counts / counts.sum(1, keepdim=True)
    mean = (share @ values).view(-1, 1)
    variance = (share * (values - mean).square()).sum(1)
    return mean.view(-1, 1, 1), variance.sqrt().view(-1, 1, 1)


def statistics(images: Tensor, normalisation: Normalisation) -> tuple[Tensor, Tensor]:
    """(mean, std), float32; the network's input is (pixel - mean) / std.

    channel: zero mean and unit variance in each channel (fb.resnet.torch). channel_mean: only the mean is subtracted,
    the scale stays 0 ... 255 (Caffe's AlexNet and VGG). mean_image: the same with a mean for each pixel (He et al.
    2015, section 4.2). unit: pixels / 255 (DenseNet's SVHN). inception: -1 ... 1 (TensorFlow's Inception networks).
    """
    mean, std = channel_statistics(images)
    if normalisation == "mean_image":
        mean = images.sum(0, dtype=torch.int64) / len(images)
    elif normalisation == "unit":
        mean, std = torch.zeros_like(mean), torch.full_like(std, 255)
    elif normalisation == "inception":
        mean, std = torch.full_like(mean, 127.5), torch.full_like(std, 127.5)
    if normalisation in ("channel_mean", "mean_image"):
        std = torch.ones_like(std)
    if not std.all():
        raise UserError("a channel of the training images has one value only, so they cannot be normalised")
    return mean.float(), std.float()


def fingerprint(parts: Iterable[ImageSet]) -> str:
    """SHA-256 over the shapes, pixels and labels of `parts`."""
    digest = hashlib.sha256()
    for tensor in (tensor for part in parts for tensor in (part.images, part.labels)):
        digest.update(repr(tuple(tensor.shape)).encode())
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()


def prepare(parts: Parts, config: DataConfig) -> DataSplits:
    """Select, split and resize the images of a data set as `config` says. Test images stay out of all statistics."""
    kept, split_off = cut_training(parts.train.labels, config, parts.classes)
    train = parts.train.take(kept, training_size(config))
    validation = parts.train.take(split_off, config.size) if config.validation else None
    test = parts.test.take(cut_test(parts.test.labels, config, parts.classes), config.size)
    mean, std = statistics(train.images, config.normalisation)
    return DataSplits(train, validation, test, parts.classes, mean, std, fingerprint((parts.train, parts.test)))
