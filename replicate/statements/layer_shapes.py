"""Layers that the source document "Classic convolutional neural networks", chapter 3, describes and torch lacks."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import deform_conv2d


def patches(images: Tensor, kernel: int) -> Tensor:
    """Every window of `kernel` pixels: (batch, channels, rows, columns, kernel, kernel), without padding."""
    return images.unfold(2, kernel, 1).unfold(3, kernel, 1)


class TiledConv2d(nn.Module):
    """Tiled convolution (section 3.2): output (j, k) is made by kernel (j mod t, k mod t) of a set of t x t.

    Its biases follow the same pattern. Period 1 is an ordinary convolution. `weight` has the shape (t, t, out_channels,
    in_channels, kernel, kernel), `bias` (t, t, out_channels). Stride 1, no padding.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, period: int) -> None:
        super().__init__()
        self.kernel, self.period = kernel, period
        self.weight = nn.Parameter(torch.randn(period, period, out_channels, in_channels, kernel, kernel))
        self.bias = nn.Parameter(torch.randn(period, period, out_channels))

    def forward(self, images: Tensor) -> Tensor:
        windows = patches(images, self.kernel)
        rows, columns = (torch.arange(size) % self.period for size in windows.shape[2:4])
        tiles = self.weight[rows][:, columns]
        maps = torch.einsum("bcyxmn,yxocmn->boyx", windows, tiles)
        return maps + self.bias[rows][:, columns].permute(2, 0, 1)


class LocallyConnected2d(TiledConv2d):
    """Unshared convolution (section 3.1): a kernel and a bias of its own for each place of a square output.

    `side` is that of the images. It is the tiled convolution whose period is the side of the output.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, side: int) -> None:
        super().__init__(in_channels, out_channels, kernel, period=side - kernel + 1)


class DeformableConv2d(nn.Module):
    """A convolution whose taps a second convolution moves: two offsets for each tap (Dai et al. 2017, section 2.1).

    The offsets start at zero, as in the paper, and so the layer starts as an ordinary convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int) -> None:
        super().__init__()
        self.padding = kernel // 2
        self.taps = nn.Conv2d(in_channels, out_channels, kernel, padding=self.padding, bias=False)
        self.offsets = nn.Conv2d(in_channels, 2 * kernel**2, kernel, padding=self.padding)
        nn.init.zeros_(self.offsets.weight)
        nn.init.zeros_(self.offsets.bias)  # type: ignore[arg-type]  # the layer above has a bias

    def forward(self, images: Tensor) -> Tensor:
        return deform_conv2d(images, self.offsets(images), self.taps.weight, padding=self.padding)


def dilated_stack(rates: Sequence[int], kernel: int = 3) -> nn.Sequential:
    """Dilated convolutions of one channel in a row, unpadded: with rates like 1, 2, 5 a hybrid one (section 3.11)."""
    return nn.Sequential(*(nn.Conv2d(1, 1, kernel, dilation=rate, bias=False) for rate in rates))
