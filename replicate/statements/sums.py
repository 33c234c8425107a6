"""Convolution as a sum, as a matrix and as a derivative.

The statements of sections 1.1, 1.2.1, 1.2.3 to 1.2.5 and 2.3 of the source document "Classic convolutional neural
networks", part I.
"""

from itertools import product

import torch
import torch.nn.functional as F
from scipy.signal import convolve2d
from torch import Tensor

from replicate.statements.checks import Figures, check, holds
from replicate.statements.measure import conv, distinct, multiply_adds, same

LENGTHS = ((5, 3), (8, 4), (3, 7))
IMAGES = (((6, 7), (3, 3)), ((5, 5), (2, 4)))


def convolve(x: Tensor, w: Tensor) -> Tensor:
    """Mathematical convolution of two sequences by torch: the kernel flipped, all overlaps kept."""
    return F.conv1d(x[None, None], w.flip(0)[None, None], padding=len(w) - 1)[0, 0]


def convolve_images(image: Tensor, kernel: Tensor) -> Tensor:
    """The same for two images."""
    padding = (kernel.shape[0] - 1, kernel.shape[1] - 1)
    return F.conv2d(image[None, None], kernel.flip(0, 1)[None, None], padding=padding)[0, 0]


def shifted_differences(rows: int, columns: int) -> Tensor:
    """i - j for every row i and column j."""
    return torch.arange(rows)[:, None] - torch.arange(columns)[None, :]


def circulant(column: Tensor) -> Tensor:
    """The matrix whose columns are `column`, each turned one further: C[i, j] = c[(i - j) mod L]."""
    return column[shifted_differences(len(column), len(column)) % len(column)]


def doubly_block_circulant(kernel: Tensor) -> Tensor:
    """A circulant of circulants, one for each row of the (padded) kernel: (M N, M N)."""
    rows, columns = kernel.shape
    across, down = (shifted_differences(size, size) % size for size in (columns, rows))
    return kernel[down[:, None, :, None], across[None, :, None, :]].reshape(rows * columns, rows * columns)


def padded(values: Tensor, *sizes: int) -> Tensor:
    """`values` followed by zeros up to `sizes`."""
    room = [
        space for size, old in zip(reversed(sizes), reversed(values.shape), strict=True) for space in (0, size - old)
    ]
    return F.pad(values, room)


@check
def conv_discrete_1d() -> Figures:
    def case(m: int, n: int) -> bool:
        x, w = torch.randn(m), torch.randn(n)
        s = [sum(x[a] * w[t - a] for a in range(m) if 0 <= t - a < n) for t in range(m + n - 1)]
        return same(torch.tensor(s), convolve(x, w))

    return holds(case(*lengths) for lengths in LENGTHS)


@check
def conv_commutes() -> Figures:
    pairs = [(torch.randn(size), torch.randn(kernel)) for size, kernel in IMAGES]
    return holds(same(convolve_images(i, k), convolve_images(k, i)) for i, k in pairs)


@check
def network_conv_is_cross_correlation() -> Figures:
    def case(size: tuple[int, int], kernel: tuple[int, int]) -> bool:
        x, k = torch.randn(size), torch.randn(kernel)
        layer = F.conv2d(x[None, None], k[None, None])[0, 0]
        turned, unturned = (torch.from_numpy(convolve2d(x, w, "valid")) for w in (k.flip(0, 1), k))
        return same(layer, turned) and not same(layer, unturned)

    return holds(case(*sizes) for sizes in IMAGES)


@check
def toeplitz_1d() -> Figures:
    def case(m: int, n: int) -> bool:
        x, w = torch.randn(m), torch.randn(n)
        lag = shifted_differences(m + n - 1, m)
        matrix = torch.where((lag >= 0) & (lag < n), w[lag.clamp(0, n - 1)], 0.0)
        return same(matrix[1:, 1:], matrix[:-1, :-1]) and same(matrix @ x, convolve(x, w))

    return holds(case(*lengths) for lengths in LENGTHS)


@check
def circulant_1d() -> Figures:
    def case(m: int, n: int) -> bool:
        x, w, length = torch.randn(m), torch.randn(n), m + n - 1
        linear = convolve(x, w)
        return len(linear) == length and same(circulant(padded(w, length)) @ padded(x, length), linear)

    return holds(case(*lengths) for lengths in LENGTHS)


@check
def doubly_block_circulant_2d() -> Figures:
    def case(size: tuple[int, int], kernel: tuple[int, int]) -> bool:
        image, k = torch.randn(size), torch.randn(kernel)
        rows, columns = size[0] + kernel[0] - 1, size[1] + kernel[1] - 1
        matrix = doubly_block_circulant(padded(k, rows, columns))
        return same((matrix @ padded(image, rows, columns).flatten()).view(rows, columns), convolve_images(image, k))

    return holds(case(*sizes) for sizes in IMAGES)


@check
def doubly_block_matrix_sparse() -> Figures:
    """Most elements are zero, the others have as many values as the kernel has taps."""

    def case(side: int, kernel: int) -> bool:
        matrix = doubly_block_circulant(padded(torch.randn(kernel, kernel), side, side))
        share = matrix.ne(0).double().mean(1)
        few = distinct(matrix[matrix != 0]) == kernel**2
        return few and same(share, torch.full((side**2,), kernel**2 / side**2)) and bool((share < 0.5).all())

    return holds(case(side, kernel) for side, kernel in ((12, 3), (16, 5), (10, 2)))


@check
def multichannel_conv() -> Figures:
    v, layer = torch.randn(3, 5, 6), conv(3, 4, (2, 3))
    z, k = layer(v[None])[0], layer.weight
    indices = product(*map(range, z.shape))
    taps = [*product(range(3), range(2), range(3))]
    return holds(
        same(z[i, j, x], torch.stack([v[c, j + m, x + n] * k[i, c, m, n] for c, m, n in taps]).sum())
        for i, j, x in indices
    )


@check
def strided_conv_is_subsampled() -> Figures:
    """Sizes at which the stride divides the unstrided output, so that the work falls by s^2 exactly."""

    def case(stride: int, side: int) -> bool:
        full = conv(3, 4, 3)
        strided = conv(3, 4, 3, stride=stride)
        strided.load_state_dict(full.state_dict())
        x = torch.randn(1, 3, side, side)
        equal = same(strided(x), full(x)[:, :, ::stride, ::stride])
        work = multiply_adds(full, 3, side, side), multiply_adds(strided, 3, side, side)
        return equal and work[0] == stride**2 * work[1]

    return holds(case(stride, side) for stride, side in ((2, 10), (3, 11), (4, 18)))


@check
def kernel_gradient() -> Figures:
    """Also that with a dilated gradient it is a convolution, which the source document denies for strides above 1."""

    def case(stride: int) -> bool:
        v, k = torch.randn(2, 9, 9), torch.randn(3, 2, 3, 3, requires_grad=True)
        z = F.conv2d(v[None], k, stride=stride)[0]
        g = torch.randn_like(z)
        gradient = torch.autograd.grad(z, k, g)[0]
        grid = [[v[:, m::stride, n::stride][:, : z.shape[1], : z.shape[2]] for n in range(3)] for m in range(3)]
        formula = torch.stack([torch.stack([torch.einsum("ijk,ljk->il", g, w) for w in row], -1) for row in grid], -2)
        dilated = F.conv2d(v[:, None], g[:, None], dilation=stride).transpose(0, 1)
        return same(formula, gradient) and same(dilated[:, :, :3, :3], gradient)

    return holds(case(stride) for stride in (1, 2, 3))


@check
def input_gradient() -> Figures:
    def case(stride: int) -> bool:
        v, k = torch.randn(2, 9, 9, requires_grad=True), torch.randn(3, 2, 3, 3)
        z = F.conv2d(v[None], k, stride=stride)[0]
        g = torch.randn_like(z)
        gradient = torch.autograd.grad(z, v, g)[0]
        formula = torch.zeros(2, 9, 9)
        for m, n in product(range(3), repeat=2):
            places = (
                slice(m, m + stride * (z.shape[1] - 1) + 1, stride),
                slice(n, n + stride * (z.shape[2] - 1) + 1, stride),
            )
            formula[:, *places] += torch.einsum("ijk,il->ljk", g, k[:, :, m, n])
        return same(formula, gradient) and same(F.conv_transpose2d(g[None], k, stride=stride)[0], gradient)

    return holds(case(stride) for stride in (1, 2, 3))


@check
def weight_sharing_prior() -> Figures:
    """A dense layer with tied and zeroed weights, built tap by tap."""

    def case(side: int, kernel: int) -> bool:
        layer, x, out = conv(1, 1, kernel), torch.randn(side, side), side - kernel + 1
        dense = torch.zeros(out, out, side, side)
        for j, k, m, n in product(range(out), range(out), range(kernel), range(kernel)):
            dense[j, k, j + m, k + n] = layer.weight[0, 0, m, n].detach()
        tied = distinct(dense[dense != 0]) == kernel**2 and int(dense.count_nonzero()) == out**2 * kernel**2
        return tied and same(torch.einsum("jkab,ab->jk", dense, x), layer(x[None, None])[0, 0].detach())

    return holds(case(side, kernel) for side, kernel in ((6, 3), (7, 2), (5, 5)))
