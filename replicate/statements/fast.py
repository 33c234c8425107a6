"""What the fast algorithms compute and how many products they need, and kernels as filters.

Sections 2 and 3 of "CNN engineering tips", sections 1.2.1 and 4.3 of "Classic convolutional neural networks", part I.
"""

from math import log2

import torch
import torch.nn.functional as F
from torch import Tensor

from replicate.statements import algorithms as by
from replicate.statements.checks import Figures, check, holds
from replicate.statements.measure import multiplications, same

SOBEL_X = torch.tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=torch.float64)
SOBEL_Y = torch.tensor([[1, 2, 1], [0, 0, 0], [-1, -2, -1]], dtype=torch.float64)
BOX = torch.full((3, 3), 1 / 9, dtype=torch.float64)
LAPLACIAN = torch.tensor([[0, 1, 0], [1, -4, 1], [0, 1, 0]], dtype=torch.float64)


def pair(kernel: int, side: int = 12, channels: int = 3, outputs: int = 4) -> tuple[Tensor, Tensor]:
    """Random images and kernels."""
    return torch.randn(2, channels, side, side), torch.randn(outputs, channels, kernel, kernel)


@check
def im2col() -> Figures:
    """One matrix product; its buffer holds K K CI HO WO numbers."""

    def case(kernel: int) -> bool:
        x, w = pair(kernel)
        maps = F.conv2d(x, w)
        buffer = by.columns_of(x[:1], w).numel() == kernel**2 * 3 * maps.shape[2] * maps.shape[3]
        return buffer and same(by.im2col(x, w), maps)

    return holds(map(case, (1, 3, 5)))


@check
def fft_conv() -> Figures:
    """Circular without padding, linear when padded to M + N - 1, cross-correlation by the conjugate."""

    def case(m: int, n: int) -> bool:
        x, w = torch.randn(m), torch.randn(n)
        linear = F.conv1d(x[None, None], w.flip(0)[None, None], padding=n - 1)[0, 0]
        wrapped = linear[:m].clone()
        wrapped[: n - 1] += linear[m:]
        padded, circular = (
            torch.fft.irfft(torch.fft.rfft(x, size) * torch.fft.rfft(w, size), size) for size in (m + n - 1, m)
        )
        return same(padded, linear) and same(circular, wrapped)

    images, kernels = pair(5)
    return holds([case(12, 5), case(9, 3), same(by.fft(images, kernels), F.conv2d(images, kernels))])


@check
def separable_kernel() -> Figures:
    """Rank-1 kernels in two passes of w taps each, in d dimensions in d passes; a kernel of full rank is refused."""

    def case(w: int) -> bool:
        image, kernel = torch.randn(1, 1, 12, 12), torch.outer(torch.randn(w), torch.randn(w))[None, None]
        passes = same(by.separable_filter(image, kernel), F.conv2d(image, kernel))
        return passes and multiplications(by.separable_filter, image[..., :w, :w], kernel) == w**2 + w

    def cube(w: int) -> bool:
        a, b, c, x = torch.randn(w), torch.randn(w), torch.randn(w), torch.randn(1, 1, 7, 7, 7)
        kernel = torch.einsum("i,j,k->ijk", a, b, c)
        lines = [a.view(1, 1, w, 1, 1), b.view(1, 1, 1, w, 1), c.view(1, 1, 1, 1, w)]
        maps = x
        for line in lines:
            maps = F.conv3d(maps, line)
        cheaper = sum(line.numel() for line in lines) == 3 * w and kernel.numel() == w**3
        return cheaper and same(maps, F.conv3d(x, kernel[None, None]))

    return holds([case(3), case(5), cube(3), refused(torch.randn(1, 1, 3, 3))])


def refused(kernel: Tensor) -> bool:
    try:
        by.separable_filter(torch.randn(1, 1, 6, 6), kernel)
    except ValueError:
        return True
    return False


@check
def strassen() -> Figures:
    """Products of blocks at one and two levels, counted as they are asked for; the exponent follows from them."""
    a, b = torch.randn(8, 6), torch.randn(6, 10)
    products: dict[int, int] = {}
    right = []
    for levels in (1, 2):
        asked: list[Tensor] = []

        def multiply(x: Tensor, y: Tensor, asked: list[Tensor] = asked) -> Tensor:
            asked.append(x)
            return x @ y

        right.append(same(by.strassen(a, b, levels, multiply), a @ b))
        products[levels] = len(asked)
    exponent = log2(products[2]) - log2(products[1])
    return holds([*right, products[2] == products[1] ** 2]) | {"products": products[1], "exponent": exponent}


@check
def lavin_winograd() -> Figures:
    """Products of data with weights for one tile of m x m outputs and 3x3 kernels, for each pair of channels."""
    figures: Figures = {}
    right = []
    for m in (2, 4):
        x, w = torch.randn(1, 2, m + 2, m + 2), torch.randn(3, 2, 3, 3)
        right.append(same(by.winograd(x, w, m), F.conv2d(x, w)))
        counted = multiplications(by.winograd_product, by.winograd_tiles(x, m, 3), by.winograd_kernels(w, m)) / 6
        plain = multiplications(F.conv2d, x, w) / 6
        figures |= {f"F({m}x{m})": counted, f"direct {m}x{m}": plain, f"ratio {m}x{m}": plain / counted}
    images, kernels = pair(3, side=11)
    right += [same(by.winograd(images, kernels, m), F.conv2d(images, kernels)) for m in (2, 4)]
    return holds(right) | figures


@check
def sobel_kernels() -> Figures:
    """Steps of brightness across and down; both kernels are separable."""
    across = torch.arange(8).ge(4).double().expand(8, 8)
    down = across.T

    def answers(kernel: Tensor, image: Tensor) -> bool:
        return bool(F.conv2d(image[None, None], kernel[None, None]).abs().max() > 0)

    x, y = SOBEL_X, SOBEL_Y
    steps = [answers(x, across), not answers(x, down), answers(y, down), not answers(y, across)]
    return holds([*steps, *(int(torch.linalg.matrix_rank(kernel)) == 1 for kernel in (x, y))])


def response(kernel: Tensor, size: int = 32) -> Tensor:
    """Amplification of each frequency, (size, size), from 0 (index 0) to the highest (index size / 2)."""
    return torch.fft.fft2(kernel, s=(size, size)).abs()


@check
def low_high_pass() -> Figures:
    """What a box and a Laplacian do to a constant image and to the finest stripes."""
    box, laplacian = response(BOX), response(LAPLACIAN)
    low, high = (0, 0), (0, 16)
    order = [box[low] > box[high], laplacian[low] < laplacian[high]]
    gains = {"box at 0": box[low].item(), "Laplacian at 0": laplacian[low].item()}
    return holds(map(bool, order)) | {name: round(gain, 12) for name, gain in gains.items()}
