"""Ways to compute one and the same convolution, unpadded and with stride 1, as the source documents name them.

"CNN engineering tips", section 2 (matrix product, FFT, Strassen, Lavin), and "Classic convolutional neural networks",
part I, section 4.3 (FFT, separable kernels). All take images (batch, channels, height, width) and kernels
(out_channels, channels, k, k) and return maps (batch, out_channels, height - k + 1, width - k + 1).
"""

from collections.abc import Callable
from fractions import Fraction
from functools import cache, partial

import torch
import torch.nn.functional as F
from torch import Tensor

Algorithm = Callable[[Tensor, Tensor], Tensor]
Product = Callable[[Tensor, Tensor], Tensor]

POINTS = (0, 1, -1, 2, -2, Fraction(1, 2), Fraction(-1, 2))  # where Winograd's polynomials are evaluated, and infinity


def torch_conv(images: Tensor, kernels: Tensor) -> Tensor:
    """What torch does, the reference."""
    return F.conv2d(images, kernels)


def output_size(images: Tensor, kernels: Tensor) -> tuple[int, int]:
    """Height and width of the maps."""
    return images.shape[2] - kernels.shape[2] + 1, images.shape[3] - kernels.shape[3] + 1


def direct(images: Tensor, kernels: Tensor) -> Tensor:
    """The sum over kernel positions, one after the other."""
    height, width = output_size(images, kernels)
    maps = images.new_zeros(len(images), len(kernels), height, width)
    for row in range(kernels.shape[2]):
        for column in range(kernels.shape[3]):
            window = images[:, :, row : row + height, column : column + width]
            maps += torch.einsum("bchw,oc->bohw", window, kernels[:, :, row, column])
    return maps


def columns_of(images: Tensor, kernels: Tensor) -> Tensor:
    """The unrolled patches: (batch, channels k k, places)."""
    return F.unfold(images, (kernels.shape[2], kernels.shape[3]))


def im2col(images: Tensor, kernels: Tensor, multiply: Product = torch.matmul) -> Tensor:
    """One product of the kernels as rows with the patches as columns."""
    maps = multiply(kernels.flatten(1), columns_of(images, kernels))
    return maps.view(len(images), len(kernels), *output_size(images, kernels))


def fft(images: Tensor, kernels: Tensor) -> Tensor:
    """Point by point in the frequency domain; the conjugate makes it the cross-correlation that networks call so.

    The transforms are as large as the image: what wraps around falls on places that an unpadded convolution lacks.
    """
    size = images.shape[2:]
    spectrum = spectral_product(torch.fft.rfft2(images), torch.fft.rfft2(kernels, s=size))
    height, width = output_size(images, kernels)
    return torch.fft.irfft2(spectrum, s=size)[:, :, :height, :width]


def spectral_product(images: Tensor, kernels: Tensor) -> Tensor:
    """Products at each frequency, summed over input channels."""
    return torch.einsum("bchw,ochw->bohw", images, kernels.conj())


def factors(kernel: Tensor) -> tuple[Tensor, Tensor]:
    """Column and row whose outer product is the kernel (k, k). Raises ValueError when its rank is not 1."""
    left, sizes, right = torch.linalg.svd(kernel)
    rank = int((sizes > 1e-5 * sizes[0]).sum())
    if rank > 1:
        raise ValueError(f"a kernel of rank {rank} is not separable")
    return left[:, 0] * sizes[0], right[0]


def separable_filter(images: Tensor, kernels: Tensor) -> Tensor:
    """Two one-dimensional passes for one rank-1 kernel, (1, 1, k, k). Raises ValueError for every other."""
    if kernels.shape[:2] != (1, 1):
        raise ValueError("two passes serve a single kernel on a single map")
    column, row = factors(kernels[0, 0])
    return F.conv2d(F.conv2d(images, row[None, None, None]), column[None, None, :, None])


@cache
def winograd_matrices(outputs: int, taps: int) -> tuple[Tensor, Tensor, Tensor]:
    """A^T, G and B^T of F(outputs, taps): y = A^T [(G g) * (B^T d)] is the filter in outputs + taps - 1 products.

    Cook and Toom's polynomial product, transposed (Winograd 1980; Lavin and Gray 2016, section 4), in double precision.
    """
    size = outputs + taps - 1

    def powers(count: int) -> Tensor:
        rows = [[float(point) ** power for power in range(count)] for point in POINTS[: size - 1]]
        infinity = [0.0] * (count - 1) + [1.0]
        return torch.tensor([*rows, infinity], dtype=torch.float64)

    return powers(outputs).T, powers(taps), torch.linalg.inv(powers(size)).T


def winograd_tiles(images: Tensor, outputs: int, taps: int) -> Tensor:
    """The overlapping tiles, transformed: (batch, channels, rows, columns, n, n) with n = outputs + taps - 1."""
    _, _, data = winograd_matrices(outputs, taps)
    size = outputs + taps - 1
    room = [-(side - taps + 1) % outputs for side in images.shape[2:]]
    tiles = F.pad(images, (0, room[1], 0, room[0])).unfold(2, size, outputs).unfold(3, size, outputs)
    change = data.to(tiles)
    return change @ tiles @ change.T


def winograd_kernels(kernels: Tensor, outputs: int) -> Tensor:
    """The kernels, transformed: (out_channels, channels, n, n)."""
    _, change, _ = winograd_matrices(outputs, kernels.shape[2])
    return change.to(kernels) @ kernels @ change.to(kernels).T


def winograd_product(tiles: Tensor, kernels: Tensor) -> Tensor:
    """Element by element, summed over input channels: the only products of data with weights."""
    return torch.einsum("bcyxij,ocij->boyxij", tiles, kernels)


def winograd(images: Tensor, kernels: Tensor, outputs: int) -> Tensor:
    """F(outputs x outputs, k x k): minimal filtering of tiles, `outputs` pixels a side at a time."""
    taps = kernels.shape[2]
    products = winograd_product(winograd_tiles(images, outputs, taps), winograd_kernels(kernels, outputs))
    back = winograd_matrices(outputs, taps)[0].to(products)
    maps = (back @ products @ back.T).permute(0, 1, 2, 4, 3, 5).flatten(4).flatten(2, 3)
    height, width = output_size(images, kernels)
    return maps[:, :, :height, :width]


def strassen(a: Tensor, b: Tensor, levels: int = 1, multiply: Product = torch.matmul) -> Tensor:
    """The product of matrices by seven products of their quarters in place of eight (Strassen 1969), `levels` deep.

    Odd sides are filled up with zeros. `multiply` does the products at the bottom.
    """
    if levels == 0:
        return multiply(a, b)
    rows, columns = a.shape[-2], b.shape[-1]
    a, b = even(a), even(b)
    (a11, a12), (a21, a22) = quarters(a)
    (b11, b12), (b21, b22) = quarters(b)
    times = partial(strassen, levels=levels - 1, multiply=multiply)
    m1, m2 = times(a11 + a22, b11 + b22), times(a21 + a22, b11)
    m3, m4 = times(a11, b12 - b22), times(a22, b21 - b11)
    m5, m6, m7 = times(a11 + a12, b22), times(a21 - a11, b11 + b12), times(a12 - a22, b21 + b22)
    top = torch.cat([m1 + m4 - m5 + m7, m3 + m5], -1)
    bottom = torch.cat([m2 + m4, m1 - m2 + m3 + m6], -1)
    return torch.cat([top, bottom], -2)[..., :rows, :columns]


def even(matrix: Tensor) -> Tensor:
    """The matrix with a row or column of zeros more where it has an odd number."""
    return F.pad(matrix, (0, matrix.shape[-1] % 2, 0, matrix.shape[-2] % 2))


def quarters(matrix: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The four blocks, row by row."""
    top, bottom = matrix.chunk(2, -2)
    left, right = top.chunk(2, -1), bottom.chunk(2, -1)
    return (left[0], left[1]), (right[0], right[1])


ALGORITHMS: dict[str, Algorithm] = {
    "torch": torch_conv,
    "direct": direct,
    "im2col": im2col,
    "fft": fft,
    "winograd_2x2": partial(winograd, outputs=2),
    "winograd_4x4": partial(winograd, outputs=4),
    "strassen": partial(im2col, multiply=strassen),
    "separable": separable_filter,
}
