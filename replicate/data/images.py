"""Resizing of images in memory: exact integer arithmetic, the same on every machine."""

import torch
from torch import Tensor


def overlaps(inputs: int, outputs: int) -> Tensor:
    """How much each of `outputs` cells covers of each of `inputs` pixels, in 1/outputs pixels: float64 integers."""
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

    def averaged(piece: Tensor) -> Tensor:
        sums = rows @ piece.double() @ columns
        return torch.div(sums + area // 2, area, rounding_mode="floor").to(torch.uint8)

    # in pieces, because float64 takes eight times the memory of the set
    return torch.cat([averaged(piece) for piece in torch.split(images, 4096)])
