"""Test images as batches of the views of a list of protocols: from memory, or from an ImageNet folder.

A batch is a function of its number alone, so that an evaluation can continue where it stopped.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Protocol as Interface

import torch
from PIL.Image import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.transforms import InterpolationMode, v2

from replicate.data import IMAGENET, load
from replicate.data.config import DataConfig
from replicate.data.imagenet import ImageFiles, Key, normalise
from replicate.data.imagenet_augment import to_float
from replicate.data.imagenet_files import fingerprint, imagenet_root, labels_of, list_images
from replicate.data.images import resize
from replicate.data.splits import cut_test
from replicate.errors import UserError
from replicate.evaluation.protocol import Evaluation, Protocol
from replicate.evaluation.score import Batch, Slot
from replicate.evaluation.views import views

BATCH = 250  # images from memory
FILE_BATCH = 32  # images from a folder, each with all of its views
PART = "val"  # the images of ImageNet to test: the labels of its test images were never published


class Feed(Interface):
    """Numbered batches, how many there are, and a checksum of the images."""

    checksum: str

    def __len__(self) -> int: ...

    def batches(self, start: int) -> Iterator[Batch]: ...


def make_feed(data: DataConfig, evaluation: Evaluation, classes: int, workers: int) -> Feed:
    """The test images of `data` in the protocols' views. Raises UserError for data that are missing or do not fit."""
    data = data.model_copy(update={"test_images": evaluation.images or data.test_images})
    if data.name == IMAGENET:
        return FolderFeed(data, evaluation, classes, workers)
    return ResidentFeed(data, evaluation.every_protocol)


def by_protocol(protocols: Sequence[Protocol], slots: Sequence[Slot]) -> tuple[tuple[Slot, ...], ...]:
    """Group slots, which are in the order of protocols and scales, in one tuple for each protocol."""
    rest = iter(slots)
    return tuple(tuple(next(rest) for _ in protocol.scales) for protocol in protocols)


class ResidentFeed:
    """Images in memory, resized from their original size to every scale and normalised as the training images."""

    def __init__(self, data: DataConfig, protocols: Sequence[Protocol]) -> None:
        trained, original = load(data), load(data.model_copy(update={"size": None}))
        if trained.mean.shape[-1] != 1:
            raise UserError(
                f"data.normalisation={data.normalisation} has a mean for each pixel, so it fits one size only"
            )
        self.protocols, self.checksum = protocols, trained.checksum
        self.mean, self.std, self.labels = trained.mean, trained.std, original.test.labels
        scales = {scale for protocol in protocols for scale in protocol.scales}
        self.images = {scale: resize(original.test.images, scale) for scale in scales}

    def __len__(self) -> int:
        return -(-len(self.labels) // BATCH)

    def batches(self, start: int) -> Iterator[Batch]:
        for number in range(start, len(self)):
            chosen = slice(number * BATCH, (number + 1) * BATCH)
            slots = [self.slot(protocol, scale, chosen) for protocol in self.protocols for scale in protocol.scales]
            yield Batch(by_protocol(self.protocols, slots), self.labels[chosen])

    def slot(self, protocol: Protocol, scale: int, chosen: slice) -> Slot:
        images = self.images[scale][chosen].float().sub_(self.mean).div_(self.std)
        return [(torch.arange(len(images)), views(images, protocol))]


class EveryView(nn.Module):
    """From a decoded image to its views, (v, c, h, w) for each protocol and scale."""

    def __init__(self, data: DataConfig, evaluation: Evaluation) -> None:
        super().__init__()
        self.protocols, self.rest = evaluation.every_protocol, v2.Compose([*to_float(), normalise(data)])
        self.mode = InterpolationMode(evaluation.interpolation)

    def forward(self, image: Image | Tensor) -> list[Tensor]:
        scales = {scale for protocol in self.protocols for scale in protocol.scales}
        resize = partial(v2.functional.resize, interpolation=self.mode, antialias=True)
        resized = {scale: self.rest(resize(image, [scale])) for scale in scales}
        return [views(resized[scale], protocol) for protocol in self.protocols for scale in protocol.scales]


class FolderFeed:
    """The images in ROOT/val or in the shards of val, decoded by worker processes."""

    def __init__(self, data: DataConfig, evaluation: Evaluation, classes: int, workers: int) -> None:
        root = imagenet_root(data, [PART])
        samples, names = list_images(root, PART)
        if len(names) != classes:
            raise UserError(
                f"{root} has {len(names)} classes and the network {classes}: a label is a class's place among all"
            )
        kept = cut_test(labels_of(samples), data, classes)
        chosen = [samples[place] for place in kept.tolist()]
        self.protocols, self.workers = evaluation.every_protocol, workers
        self.images = ImageFiles(chosen, [EveryView(data, evaluation)], 0, data.decoder)
        self.checksum = fingerprint(root / PART, chosen)

    def __len__(self) -> int:
        return -(-len(self.images) // FILE_BATCH)

    def batches(self, start: int) -> Iterator[Batch]:
        places = range(start * FILE_BATCH, len(self.images), FILE_BATCH)
        keys: list[list[Key]] = [
            [(0, index, 0) for index in range(first, min(first + FILE_BATCH, len(self.images)))] for first in places
        ]
        yield from DataLoader(
            self.images, batch_sampler=keys, num_workers=self.workers, collate_fn=Collate(self.protocols)
        )


class Collate:
    """Makes a batch of images with all their views: images whose views have the same size are stacked."""

    def __init__(self, protocols: Sequence[Protocol]) -> None:
        self.protocols = protocols

    def __call__(self, images: Sequence[tuple[list[Tensor], int]]) -> Batch:
        slots = [grouped(seen) for seen in zip(*(image for image, _ in images), strict=True)]
        return Batch(by_protocol(self.protocols, slots), torch.tensor([label for _, label in images]))


def grouped(seen: Sequence[Tensor]) -> Slot:
    """The views of each image, stacked where their sizes agree."""
    places: dict[torch.Size, list[int]] = {}
    for place, image in enumerate(seen):
        places.setdefault(image.shape, []).append(place)
    return [(torch.tensor(group), torch.stack([seen[place] for place in group])) for group in places.values()]
