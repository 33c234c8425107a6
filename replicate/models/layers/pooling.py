"""Pooling windows that torch does not have, or not in a form that can be trained."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TINY = 1e-12  # the root of an empty window has an infinite slope, which times the window's zeros is no number


class RootMeanSquarePool(nn.Module):
    """The L2 norm of a `window` x `window` patch over its side, with as large a stride: (n, c, h, w), sides floored.

    Divided by the window's side, so that it gives as much as mean pooling where all pixels are alike.
    """

    def __init__(self, window: int = 2) -> None:
        super().__init__()
        self.window = window

    def forward(self, maps: Tensor) -> Tensor:
        return (F.avg_pool2d(maps.square(), self.window) + TINY).sqrt()


class CentreWeightedPool(nn.Module):
    """The mean of 3 x 3 pixels with weights that fall with the distance from the middle one; stride 2, sides floored.

    Weights 4, 2, 1 (middle, side, corner) of 16. Beyond the edge stand copies of the outermost pixels.
    """

    weights: Tensor

    def __init__(self) -> None:
        super().__init__()
        row = torch.tensor([1.0, 2.0, 1.0])
        self.register_buffer("weights", torch.outer(row, row).div(16)[None, None], persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        # one row and column more than a window of 2 x 2 has: the first window's middle is the first pixel
        inside = maps[:, :, : maps.shape[2] // 2 * 2, : maps.shape[3] // 2 * 2]
        framed = F.pad(inside, (1, 0, 1, 0), mode="replicate")
        return F.conv2d(framed, self.weights.expand(maps.shape[1], 1, 3, 3), stride=2, groups=maps.shape[1])
