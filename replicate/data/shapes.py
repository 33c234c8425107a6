"""What the images of a data configuration look like, known without reading a file."""

from replicate.data.config import DataConfig
from replicate.data.names import SHAPES, Shape


def data_shape(config: DataConfig) -> Shape:
    """The images that a network gets under `config`."""
    own = SHAPES[config.name]
    images = config.train_images or own.train_images - config.validation
    return Shape(config.channels or own.channels, config.size or own.size, config.classes or own.classes, images)
