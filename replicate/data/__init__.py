"""Images: the bundled set, the public sets and ImageNet, each with its training, validation and test images.

    splits = load(DataConfig(name="bundled", size=16))
    loader = ResidentLoader(splits.train, training_plan(len(splits.train), 64), splits.mean, splits.std, shuffle=True)

torch is imported only when images are loaded.
"""

from typing import TYPE_CHECKING

from replicate.data.config import DataConfig
from replicate.data.names import IMAGENET, augmentation_names, data_names
from replicate.errors import UserError

if TYPE_CHECKING:
    from replicate.data.splits import DataSplits

__all__ = ["IMAGENET", "DataConfig", "augmentation_names", "data_names", "load"]


def load(config: DataConfig) -> "DataSplits":
    """Read a resident data set, check its files, and select and resize its images as `config` says.

    Raises UserError for a missing or damaged file, too few images of a class, and for ImageNet, which is read from
    disk batch by batch.
    """
    if config.name == IMAGENET:
        raise UserError("data set imagenet does not fit in memory, and this study needs its images there")
    from replicate.data.sources import SOURCES
    from replicate.data.splits import prepare

    return prepare(SOURCES[config.name](config), config)
