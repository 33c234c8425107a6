"""The names of data sets and augmentations, and the shapes of images, without importing torch."""

from typing import NamedTuple


class Shape(NamedTuple):
    """Channels, side in pixels and classes of a data set; `train_images` as published."""

    channels: int
    size: int
    classes: int
    train_images: int


POSITION_NAMES = ("position_free", "position_crossing", "position_near", "position_far")

SHAPES = {
    "bundled": Shape(1, 28, 10, 10_000),
    "bundled_centred": Shape(1, 42, 10, 10_000),
    "bundled_shifted": Shape(1, 42, 10, 10_000),
    **dict.fromkeys(POSITION_NAMES, Shape(1, 16, 2, 10_000)),
    "fashion_mnist": Shape(1, 28, 10, 60_000),
    "mnist": Shape(1, 28, 10, 60_000),
    "cifar10": Shape(3, 32, 10, 50_000),
    "cifar100": Shape(3, 32, 100, 50_000),
    "svhn": Shape(3, 32, 10, 73_257),
    "svhn_extra": Shape(3, 32, 10, 604_388),
    "imagenet": Shape(3, 224, 1000, 1_281_167),
    "synthetic": Shape(3, 32, 10, 64),
}

IMAGENET = "imagenet"  # the one set that does not fit in memory

RESIDENT_AUGMENTATIONS = (
    "none",
    "flip",
    "pad2_crop",
    "pad2_crop_flip",
    "pad4_crop",
    "pad4_crop_flip",
    "pad4_mean_crop_flip",
    "shorter_side_24",
    "shorter_side_36",
    "shorter_side_24_48",
)
"""The names in augment.py; a test compares."""

IMAGENET_AUGMENTATIONS = (
    "none",
    "scale_aspect",
    "scale_aspect_colour",
    "scale_aspect_mild",
    "scale_aspect_mild_colour",
    "inception",
    "shorter_side_256_480",
    "shorter_side_256_512",
    "shorter_side_256",
    "shorter_side_384",
    "alexnet",
    "alexnet_no_colour",
    "crop_alone",
)
"""The names in imagenet_augment.py; a test compares."""


def data_names() -> list[str]:
    """Every data set, sorted."""
    return sorted(SHAPES)


def augmentation_names(data: str) -> list[str]:
    """The augmentations for training images of the data set `data`, sorted."""
    return sorted(IMAGENET_AUGMENTATIONS if data == IMAGENET else RESIDENT_AUGMENTATIONS)
