"""What the images of a data set look like, known without reading a file."""

from typing import NamedTuple

from replicate.data.config import DataConfig
from replicate.errors import unknown


class Shape(NamedTuple):
    """Channels, side in pixels and classes of a data set; `train_images` as published."""

    channels: int
    size: int
    classes: int
    train_images: int


SHAPES = {
    "bundled": Shape(1, 28, 10, 10_000),
    "fashion_mnist": Shape(1, 28, 10, 60_000),
    "cifar10": Shape(3, 32, 10, 50_000),
    "cifar100": Shape(3, 32, 100, 50_000),
    "svhn": Shape(3, 32, 10, 73_257),
    "svhn_extra": Shape(3, 32, 10, 604_388),
    "imagenet": Shape(3, 224, 1000, 1_281_167),
    "synthetic": Shape(3, 32, 10, 64),
}


def data_shape(config: DataConfig) -> Shape:
    """The images that a network gets under `config`."""
    if config.name not in SHAPES:
        raise unknown("data set", config.name, SHAPES)
    own = SHAPES[config.name]
    images = config.train_images or own.train_images - config.validation
    return Shape(config.channels or own.channels, config.size or own.size, config.classes or own.classes, images)
