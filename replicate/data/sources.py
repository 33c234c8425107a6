"""The resident data sets by name: functions from a configuration to training images, test images and class count."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from replicate.data import canvas, position, public
from replicate.data.checksums import verify
from replicate.data.config import DataConfig
from replicate.data.random import generator
from replicate.data.splits import ImageSet, Parts

BUNDLED_FILE = Path(__file__).parent / "bundled" / "fashion_mnist_10k.npz"
BUNDLED_SHA256 = "8670241601ad40fffff3d27ed8e6822eb2ed4be6ae7f543c9c9d4446fdb26bf2"


def bundled(config: DataConfig) -> Parts:
    """10,000 training and all 10,000 test images of Fashion-MNIST, 28 x 28 gray, that come with the package."""
    verify(BUNDLED_FILE, BUNDLED_SHA256, remedy="install the package again")
    with np.load(BUNDLED_FILE, allow_pickle=False) as arrays:
        tensors = {name: torch.from_numpy(arrays[name]) for name in arrays.files}

    def part(name: str) -> ImageSet:
        return ImageSet(tensors[f"{name}_images"].unsqueeze(1), tensors[f"{name}_labels"].long())

    return Parts(part("train"), part("test"), classes=10)


def synthetic(config: DataConfig) -> Parts:
    """Random pixels, the same ones every time, to try a network at its paper's sizes without its data.

    The configuration sets their number and shape; the default is 64 and 64 images of 3 x 32 x 32 in 10 classes.
    """
    classes, shape = config.classes or 10, (config.channels or 3, config.size or 32, config.size or 32)

    def part(name: str, labels: Tensor) -> ImageSet:
        draw = generator(0, "synthetic", name)
        return ImageSet(torch.randint(0, 256, (len(labels), *shape), dtype=torch.uint8, generator=draw), labels)

    # each count is balanced, so that load() can split off the validation images and keep the rest
    counts = (config.validation, config.train_images or 64)
    train = torch.cat([torch.arange(count) % classes for count in counts])
    return Parts(part("train", train), part("test", torch.arange(config.test_images or 64) % classes), classes)


Source = Callable[[DataConfig], Parts]

SOURCES: dict[str, Source] = {
    "bundled": bundled,
    "bundled_centred": lambda config: canvas.centred(bundled(config)),
    "bundled_shifted": lambda config: canvas.shifted(bundled(config)),
    **position.SOURCES,
    "cifar10": public.cifar10,
    "cifar100": public.cifar100,
    "fashion_mnist": public.fashion_mnist,
    "mnist": public.mnist,
    "svhn": public.svhn,
    "svhn_extra": public.svhn_extra,
    "synthetic": synthetic,
}
