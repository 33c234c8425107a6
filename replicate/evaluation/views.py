"""The views of an image in a protocol: from tensors (..., c, h, w) to (..., v, c, h, w)."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as resizing

from replicate.evaluation.protocol import Protocol

GRID = 5  # crops along a side of VGG's regular grid: 50 crops a scale with flips (section 3.2)


def cut(images: Tensor, top: int, left: int, size: int) -> Tensor:
    """The size x size window with this upper left corner."""
    return images[..., top : top + size, left : left + size]


def centre(images: Tensor, size: int) -> Tensor:
    """The central window, rounded as torchvision's CenterCrop rounds."""
    height, width = images.shape[-2:]
    return cut(images, round((height - size) / 2), round((width - size) / 2), size)


def corners(images: Tensor, size: int) -> list[Tensor]:
    """Four corners and the centre (Krizhevsky et al. 2012, section 4.1)."""
    bottom, right = images.shape[-2] - size, images.shape[-1] - size
    four = [cut(images, top, left, size) for top in (0, bottom) for left in (0, right)]
    return [*four, centre(images, size)]


def grid(images: Tensor, size: int) -> list[Tensor]:
    """GRID x GRID windows, evenly spread from edge to edge."""
    tops, lefts = (spread(side - size, GRID) for side in images.shape[-2:])
    return [cut(images, top, left, size) for top in tops for left in lefts]


def spread(free: int, count: int) -> list[int]:
    """`count` whole numbers from 0 to `free`, evenly apart up to rounding."""
    return [round(free * place / (count - 1)) for place in range(count)]


def squares(images: Tensor, size: int) -> list[Tensor]:
    """The four corners, the centre and the resized whole of the left, central and right square of an image.

    An upright image has upper, central and lower squares; in a square image the three are one (Szegedy et al. 2015,
    section 7).
    """
    height, width = images.shape[-2:]
    side, free = min(height, width), abs(height - width)
    offsets = [0, round(free / 2), free] if free else [0]
    found = [cut(images, *((0, offset) if width > height else (offset, 0)), side) for offset in offsets]
    return [view for square in found for view in (*corners(square, size), resized(square, size))]


def resized(images: Tensor, size: int) -> Tensor:
    """Bilinear with antialiasing, as torchvision's Resize."""
    return resizing.resize(images, [size, size], antialias=True)


CROPS: dict[str, Callable[[Tensor, int], Sequence[Tensor]]] = {
    "centre": lambda images, size: [centre(images, size)],
    "corners": corners,
    "grid": grid,
    "squares": squares,
}


def views(images: Tensor, protocol: Protocol) -> Tensor:
    """The protocol's views of images (..., c, h, w) of one scale: (..., v, c, size, size), whole images if dense.

    A mirrored view is the mirror image of a view, as Krizhevsky et al. 2012 say. torchvision's TenCrop cuts the
    mirrored image, whose centre lies a pixel further if the margin is odd.
    """
    if protocol.dense:
        seen = [images]
    else:
        assert protocol.crops is not None
        assert protocol.crop is not None
        seen = list(CROPS[protocol.crops](images, protocol.crop))
    stacked = torch.stack(seen, dim=-4)
    return torch.cat([stacked, stacked.flip(-1)], dim=-4) if protocol.flip else stacked
