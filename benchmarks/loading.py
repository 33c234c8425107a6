"""Images/s of the resident loader and of torchvision's per-image pipeline on the same 32-pixel images."""

import time
from collections.abc import Iterable

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from replicate.data.augment import augmentation
from replicate.data.epochs import Plan
from replicate.data.resident import ResidentLoader
from replicate.data.splits import ImageSet

BATCH, IMAGES, WORKERS = 128, 10_000, 2
MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)


class PerImage(Dataset[tuple[Tensor, int]]):
    """What most CIFAR code does: PIL image, random crop with padding 4, flip, tensor, normalise, one by one."""

    def __init__(self, images: np.ndarray, labels: list[int]) -> None:
        self.images, self.labels = images, labels
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index])), self.labels[index]


def images_and_labels() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (IMAGES, 3, 32, 32), dtype=torch.uint8, generator=draw)
    return images, torch.randint(0, 10, (IMAGES,), generator=draw)


def resident() -> ResidentLoader:
    images, labels = images_and_labels()
    mean, std = (torch.tensor(values).view(3, 1, 1) * 255 for values in (MEAN, STD))
    plan, augment = Plan(IMAGES, BATCH), augmentation("pad4_crop_flip")
    return ResidentLoader(ImageSet(images, labels), plan, mean, std, augment=augment, shuffle=True)


def per_image() -> DataLoader[tuple[Tensor, int]]:
    images, labels = images_and_labels()
    data = PerImage(images.permute(0, 2, 3, 1).contiguous().numpy(), labels.tolist())
    return DataLoader(data, BATCH, shuffle=True, num_workers=WORKERS, persistent_workers=True)


def epoch_speed(loader: Iterable[tuple[Tensor, Tensor]]) -> float:
    """Images/s of one epoch."""
    started = time.perf_counter()
    count = sum(len(labels) for _, labels in loader)
    return count / (time.perf_counter() - started)
