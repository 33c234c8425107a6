"""The public sets: torchvision downloads and reads them, and we check every file before.

torchvision alone reports "not found or corrupted" for both faults, and never checks Fashion-MNIST's unpacked files.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from replicate.data.checksums import verify
from replicate.data.config import DataConfig
from replicate.data.splits import ImageSet, Parts
from replicate.errors import UserError

REMEDY = "set data.download=true to fetch it (delete a damaged file first), or data.root to the folder that has it"

FASHION_MNIST_MD5 = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}
MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
"""The sums of the unpacked files, for both sets; torchvision lists the sums of the packed ones."""

File = tuple[str, str]
"""A path below the data folder and its MD5 sum."""


def data_folder(config: DataConfig) -> Path:
    """`data.root`, or else the environment's REPLICATE_DATA, or else ~/.cache/replicate."""
    return Path(config.root or os.environ.get("REPLICATE_DATA") or "~/.cache/replicate").expanduser()


def read_checked(dataset: Any, parts: Iterable[dict[str, Any]], files: Iterable[File], config: DataConfig) -> list[Any]:
    """Download if allowed, check `files`, then open the torchvision `dataset` with the arguments of each of `parts`.

    Raises UserError when a download fails, a file is missing or has another checksum.
    """
    root, parts = data_folder(config), list(parts)
    if config.download:
        try:
            for arguments in parts:
                dataset(root, download=True, **arguments)
        except (OSError, RuntimeError) as error:
            raise UserError(f"downloading {config.name} into {root} failed: {error}") from error
    for path, md5 in files:
        verify(root / path, md5, REMEDY, "md5")
    return [dataset(root, **arguments) for arguments in parts]


def image_set(images: np.ndarray | Tensor, labels: Any) -> ImageSet:
    """uint8 images (n, c, h, w) in contiguous memory, and their labels."""
    return ImageSet(torch.as_tensor(images).contiguous(), torch.as_tensor(labels, dtype=torch.int64))


def _grey(dataset: Any, md5: dict[str, str], config: DataConfig) -> Parts:
    files = [(f"{dataset.__name__}/raw/{name}", digest) for name, digest in md5.items()]
    opened = read_checked(dataset, ({"train": True}, {"train": False}), files, config)
    train, test = (image_set(part.data.unsqueeze(1), part.targets) for part in opened)
    return Parts(train, test, classes=10)


def fashion_mnist(config: DataConfig) -> Parts:
    """60,000 and 10,000 gray images of 28 x 28 pixels, 10 kinds of clothing."""
    from torchvision.datasets import FashionMNIST

    return _grey(FashionMNIST, FASHION_MNIST_MD5, config)


def mnist(config: DataConfig) -> Parts:
    """60,000 and 10,000 gray images of 28 x 28 pixels, the handwritten digits."""
    from torchvision.datasets import MNIST

    return _grey(MNIST, MNIST_MD5, config)


def _cifar(dataset: Any, classes: int, config: DataConfig) -> Parts:
    listed = [*dataset.train_list, *dataset.test_list, (dataset.meta["filename"], dataset.meta["md5"])]
    files = [(f"{dataset.base_folder}/{name}", md5) for name, md5 in listed]
    opened = read_checked(dataset, ({"train": True}, {"train": False}), files, config)
    train, test = (image_set(part.data.transpose(0, 3, 1, 2), part.targets) for part in opened)
    return Parts(train, test, classes)


def cifar10(config: DataConfig) -> Parts:
    """50,000 and 10,000 colour images of 32 x 32 pixels, 10 classes."""
    from torchvision.datasets import CIFAR10

    return _cifar(CIFAR10, 10, config)


def cifar100(config: DataConfig) -> Parts:
    """50,000 and 10,000 colour images of 32 x 32 pixels, 100 classes."""
    from torchvision.datasets import CIFAR100

    return _cifar(CIFAR100, 100, config)


def _svhn(splits: tuple[str, ...], config: DataConfig) -> tuple[ImageSet, ...]:
    from torchvision.datasets import SVHN

    files = [(SVHN.split_list[split][1], SVHN.split_list[split][2]) for split in splits]
    opened = read_checked(SVHN, [{"split": split} for split in splits], files, config)
    return tuple(image_set(part.data, part.labels) for part in opened)


def svhn(config: DataConfig) -> Parts:
    """73,257 and 26,032 colour images of 32 x 32 pixels, house-number digits, not balanced over the classes."""
    train, test = _svhn(("train", "test"), config)
    return Parts(train, test, classes=10)


def svhn_extra(config: DataConfig) -> Parts:
    """SVHN with its 531,131 easier extra images for training, after the 73,257 usual ones."""
    train, extra, test = _svhn(("train", "extra", "test"), config)
    joined = ImageSet(torch.cat([train.images, extra.images]), torch.cat([train.labels, extra.labels]))
    return Parts(joined, test, classes=10)
