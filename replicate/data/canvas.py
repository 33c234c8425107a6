"""Images on a larger black canvas, in its middle or anywhere: aligned images and images that are not."""

import torch
from torch import Tensor

from replicate.data.random import generator
from replicate.data.splits import ImageSet, Parts

MARGIN = 14  # rows and columns that a canvas has more than its image


def placed(images: Tensor, top: Tensor, left: Tensor) -> Tensor:
    """Each of the uint8 images (n, c, h, w) with its corner at row top[i], column left[i] of h + w + MARGIN pixels."""
    count, channels, height, width = images.shape
    canvas = images.new_zeros(count, channels, height + MARGIN, width + MARGIN)
    rows, columns = top[:, None] + torch.arange(height), left[:, None] + torch.arange(width)
    image = torch.arange(count)[:, None, None, None]
    channel = torch.arange(channels)[None, :, None, None]
    canvas[image, channel, rows[:, None, :, None], columns[:, None, None, :]] = images
    return canvas


def centred(parts: Parts) -> Parts:
    """Every image in the middle of its canvas."""

    def part(images: ImageSet) -> ImageSet:
        middle = torch.full((len(images),), MARGIN // 2)
        return ImageSet(placed(images.images, middle, middle), images.labels)

    return Parts(part(parts.train), part(parts.test), parts.classes)


def shifted(parts: Parts) -> Parts:
    """Every image somewhere on its canvas, at one place that no seed changes."""

    def part(name: str, images: ImageSet) -> ImageSet:
        corners = torch.randint(0, MARGIN + 1, (2, len(images)), generator=generator(0, "shifted", name))
        return ImageSet(placed(images.images, *corners), images.labels)

    return Parts(part("train", parts.train), part("test", parts.test), parts.classes)
