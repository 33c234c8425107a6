"""The shape of a data configuration's images, known without reading a file."""

from replicate.data.config import DataConfig
from replicate.data.names import SHAPES, Shape


def data_shape(config: DataConfig) -> Shape:
    """The images that a network gets under `config`."""
    shape = SHAPES[config.name]
    images = config.train_images or shape.train_images - config.validation
    return Shape(config.channels or shape.channels, config.size or shape.size, config.classes or shape.classes, images)
