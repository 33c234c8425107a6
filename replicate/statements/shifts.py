"""What translation, scaling and rotation do to convolution and pooling.

Sections 2.1.3, 2.2.1 and 2.2.2 of "Classic convolutional neural networks", part I.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from replicate.statements.checks import Figures, check, holds
from replicate.statements.measure import same

SHIFTS = ((1, 0), (0, 3), (-2, 5))
ROW = (0.1, 1.0, 0.2, 0.1)
"""Detector outputs of the textbook's figure that the source document carries as an image (see the claim's check)."""
ENTERING = 0.3  # what comes in from the left when the row moves by one


def circular(image: Tensor, kernel: Tensor) -> Tensor:
    """Convolution of (height, width) with an odd square kernel on a torus."""
    margin = kernel.shape[0] // 2
    wrapped = F.pad(image[None, None], (margin,) * 4, mode="circular")
    return F.conv2d(wrapped, kernel[None, None])[0, 0]


def moved(image: Tensor, shift: tuple[int, int]) -> Tensor:
    return image.roll(shift, dims=(0, 1))


def enlarged(image: Tensor) -> Tensor:
    """Twice the size, every pixel four times."""
    return image.repeat_interleave(2, 0).repeat_interleave(2, 1)


@check
def translation_equivariance() -> Figures:
    """On a torus everywhere; with zeros around the image away from its borders, at stride s for multiples of s."""

    def on_torus(shift: tuple[int, int]) -> bool:
        x, k = torch.randn(12, 12), torch.randn(3, 3)
        return same(circular(moved(x, shift), k), moved(circular(x, k), shift))

    def padded(stride: int) -> bool:
        x, k = torch.randn(1, 1, 16, 16), torch.randn(1, 1, 3, 3)
        before = F.conv2d(x, k, padding=1, stride=stride)
        after = F.conv2d(x.roll(stride, 3), k, padding=1, stride=stride)
        return same(after[..., 1:-1, 2:-1], before[..., 1:-1, 1:-2])

    return holds([*map(on_torus, SHIFTS), padded(1), padded(2)])


@check
def not_scale_rotation_equivariant() -> Figures:
    """A random kernel commutes with neither; one that a quarter turn leaves as it is commutes with the turn."""
    x, k = torch.randn(8, 8), torch.randn(3, 3)
    symmetric = torch.stack([k.rot90(turns) for turns in range(4)]).mean(0)

    def turns(kernel: Tensor) -> bool:
        return same(circular(x.rot90(), kernel), circular(x, kernel).rot90())

    scales = same(circular(enlarged(x), k), enlarged(circular(x, k)))
    return holds([not turns(k), turns(symmetric), not scales])


def pooled(row: Tensor) -> Tensor:
    """Max over windows of 3 at every place, also over the ends."""
    return F.max_pool1d(row[None, None], 3, stride=1, padding=1)[0, 0]


def shifted_row() -> tuple[Tensor, Tensor]:
    """The textbook's row before and after it moves by one to the right."""
    row = torch.tensor(ROW)
    return row, torch.cat([torch.tensor([ENTERING]), row[:-1]])


@check
def max_pool_near_invariance() -> Figures:
    before, after = shifted_row()
    changed = pooled(before) != pooled(after)
    return holds([bool((before != after).all())]) | {"outputs changed": 100 * changed.double().mean().item()}


@check
def mean_pool_no_invariance() -> Figures:
    """A shift changes every mean of a random row but leaves some maxima; either pooling moves with its input."""
    row = torch.randn(1, 1, 16)
    means, maxima = (pool(row, 3, 1) != pool(row.roll(1, 2), 3, 1) for pool in (F.avg_pool1d, F.max_pool1d))
    unlike = [bool(means[0, 0, 1:].all()), not maxima[0, 0, 1:].all()]
    x = torch.randn(1, 1, 12, 12)
    wrapped, rolled = (F.pad(image, (1, 1, 1, 1), mode="circular") for image in (x, x.roll(2, 3)))
    moves = [
        same(pool(rolled, 3, stride=1), pool(wrapped, 3, stride=1).roll(2, 3)) for pool in (F.max_pool2d, F.avg_pool2d)
    ]
    return holds([*unlike, *moves])


@check
def rotation_pool() -> Figures:
    """The largest response to four quarter turns of a kernel, whichever way the image is turned."""
    x, k = torch.randn(1, 1, 12, 12), torch.randn(3, 3)
    kernels = torch.stack([k.rot90(turns) for turns in range(4)])[:, None]
    responses = [F.conv2d(x.rot90(turns, (2, 3)), kernels).amax() for turns in range(4)]
    alone = [F.conv2d(x.rot90(turns, (2, 3)), kernels[:1]).amax() for turns in range(4)]
    return holds(
        [same(r, responses[0]) and not same(a, alone[0]) for r, a in zip(responses[1:], alone[1:], strict=True)]
    )
