"""Resizing of images in memory: exact integer arithmetic, the same on every machine."""

import torch
from torch import Tensor


def overlaps(inputs: int, outputs: int) -> Tensor:
    """How far each of `outputs` equal cells covers each of `inputs`, in 1/outputs input pixels: float64 integers."""
    low, high = torch.arange(outputs)[:, None] * inputs, torch.arange(inputs)[None, :] * outputs
    shared = torch.minimum(low + inputs, high + outputs) - torch.maximum(low, high)
    return shared.clamp(min=0).double()


def resize(images: Tensor, size: int | None) -> Tensor:
    """Average uint8 images (n, c, h, w) over the areas of size x size cells, rounded half up; None changes nothing.

    The sums are integers below 2^53, so float64 holds them exactly and no processor rounds a pixel differently.
    """
    height, width = images.shape[2:]
    if size is None or (height, width) == (size, size):
        return images
    rows, columns = overlaps(height, size), overlaps(width, size).T
    area = height * width  # of one output cell, in these units

    def averaged(part: Tensor) -> Tensor:
        sums = rows @ part.double() @ columns
        return torch.div(sums + area // 2, area, rounding_mode="floor").to(torch.uint8)

    # in pieces: all of it in float64 would be eight times the set
    return torch.cat([averaged(part) for part in torch.split(images, 4096)])
