"""Sizes and costs of one layer.

Sections 1.2.2, 2.1.1, 2.2 and 2.4 of "Classic convolutional neural networks", part I.
"""

from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.statements.checks import Figures, check, holds
from replicate.statements.counted import counted
from replicate.statements.measure import chain, conv, dependence, only, output_shape, weights, with_ones

LAYERS = ((3, 1), (3, 4), (5, 2), (2, 3))  # kernel and number of layers


def side_after(width: int, kernel: int, layers: int, padding: int | str) -> int:
    """Width of a map of `width` pixels after that many convolutions."""
    row = chain(*[1] * (layers + 1), kernel=kernel, padding=padding)
    return output_shape(row, 1, width, width)[2]


def times_used(layer: nn.Module, side: int) -> Tensor:
    """By how many outputs each pixel of a (side, side) image is read."""
    return dependence(with_ones(layer), 1, side, side).sum(0).view(side, side)


counted(__name__, "valid_padding_size same_padding_size")


@check
def full_padding_size() -> Figures:
    """Every pixel is then read k times along each axis."""
    grows = [side_after(20, k, d, k - 1) == 20 + (k - 1) * d for k, d in LAYERS]
    used = [bool((times_used(conv(1, 1, k, padding=k - 1), 6) == k**2).all()) for k in (2, 3, 4)]
    return holds(grows + used)


@check
def same_padding_edge_use() -> Figures:
    used = times_used(conv(1, 1, 3, padding=1), 7)
    edge = torch.cat([used[0], used[-1], used[:, 0], used[:, -1]])
    centre = used[3, 3]
    return holds([bool((edge < centre).all())]) | {"outputs of the centre": int(centre), "of a corner": int(used[0, 0])}


@check
def sparse_interaction() -> Figures:
    """A row of pixels and a kernel of 3; pixels at the ends aside."""
    row = nn.Conv1d(1, 1, 3, padding=1, bias=False)
    reads = dependence(with_ones(row), 1, 9)  # type: ignore[arg-type]
    return {"outputs reached": only(reads[:, 1:-1].sum(0)), "inputs read": only(reads[1:-1].sum(1))}


@check
def pool_output_size() -> Figures:
    cases = [*product(range(5, 12), (2, 3), (1, 2, 3))]
    sides = {case: F.max_pool1d(torch.randn(1, 1, case[0]), case[1], case[2]).shape[2] for case in cases}
    figures = holds(side == (n - w) // s + 1 for (n, w, s), side in sides.items())
    return figures | {"outputs of 6 units": sides[6, 3, 2]}


@check
def pool_costs() -> Figures:
    """Window operations are counted by unfolding the windows that the pool looks at."""

    def case(channels: int, side: int, window: int, stride: int) -> bool:
        pool = nn.MaxPool2d(window, stride)
        x = torch.randn(1, channels, side, side)
        windows = x.unfold(2, window, stride).unfold(3, window, stride).flatten(4).amax(4)
        shape = pool(x).shape
        return torch.equal(windows, pool(x)) and windows.numel() == channels * shape[2] * shape[3]

    cases = [case(3, 12, 2, 2), case(4, 13, 3, 2), case(2, 9, 3, 1)]
    return holds(cases) | {"parameters": weights(nn.MaxPool2d(3, 2), nn.AvgPool2d(2))}


counted(__name__, "conv_output_size conv_cost fc_vs_conv_params fc_vs_conv_compute")


@check
def pooling_loses_small_objects() -> Figures:
    """Pixels a side that end in one cell of the last map: those read by neighbouring cells do not overlap."""
    pools = nn.Sequential(*(nn.AvgPool2d(2, 2) for _ in range(4)))
    used = times_used(pools, 64)
    reads = dependence(pools, 1, 64, 64).view(-1, 64, 64)
    return holds([bool((used == 1).all())]) | {"pixels": int(reads[0].any(1).sum())}
