"""Grouped and depthwise convolutions and the channel shuffle.

Section 2 of "CNN convolution and channels", section 5 of "Types of convolution kernels and what they do", sections 3.3
and 3.9 of "Classic convolutional neural networks", part I.
"""

import torch
import torch.nn.functional as F
from torch import nn

from replicate.models import create_model
from replicate.models.mobilefacenet import GlobalDepthwise
from replicate.models.shufflenet_v1 import ChannelShuffle
from replicate.statements.checks import Figures, check, holds
from replicate.statements.counted import counted
from replicate.statements.measure import channel_dependence, conv, distinct, only, same, weights

GROUPS = (2, 3, 4, 6, 12)


def block_diagonal(groups: int, outputs: int, inputs: int) -> torch.Tensor:
    """Which outputs may read which inputs, both split into as many groups: bool (outputs, inputs)."""
    out_group, in_group = (torch.arange(size) * groups // size for size in (outputs, inputs))
    return out_group[:, None] == in_group[None, :]


counted(__name__, "group_conv_params")


@check
def group_conv_example() -> Figures:
    """12 inputs, 6 outputs, 3 groups, 5x5: what a filter reads, and how many outputs read an input."""
    full, grouped = conv(12, 6, 5), conv(12, 6, 5, groups=3)
    reads = channel_dependence(grouped, 12, 5)
    return {
        "inputs": only(reads.sum(1)),
        "outputs": only(reads.sum(0)),
        "ratio of weights": weights(full) / weights(grouped),
    }


@check
def group_conv_structured_sparsity() -> Figures:
    """A full convolution with (C - C/G) K K weights of each kernel held at zero."""

    def case(groups: int) -> bool:
        grouped, x = conv(12, 24, 3, groups=groups), torch.randn(1, 12, 6, 6)
        dense, mask = torch.zeros(24, 12, 3, 3), block_diagonal(groups, 24, 12)
        dense[mask] = grouped.weight.detach().flatten(0, 1)
        zeros = dense.eq(0).flatten(1).sum(1)
        return bool((zeros == (12 - 12 // groups) * 9).all()) and same(F.conv2d(x, dense), grouped(x))

    return holds(map(case, GROUPS))


@check
def group_conv_blocks_information() -> Figures:
    """Two grouped layers keep the groups apart; a shuffle between them does not."""

    def case(groups: int) -> bool:
        first, second = (conv(12, 12, 3, groups=groups) for _ in range(2))
        apart = channel_dependence(nn.Sequential(first, second), 12, 5)
        mixed = channel_dependence(nn.Sequential(first, ChannelShuffle(groups), second), 12, 5)
        blocks = block_diagonal(groups, 12, 12)
        return torch.equal(apart, blocks) and not torch.equal(mixed, blocks)

    return holds(map(case, (2, 3, 4)))


@check
def alexnet_groups_merge_late() -> Figures:
    """Do all convolutions after the first keep to their tower?"""
    features = create_model("alexnet_krizhevsky", width=0.1).get_submodule("features")
    layers = {name: layer for name, layer in features.named_children() if isinstance(layer, nn.Conv2d)}
    apart = {name: keeps_groups(layer, 2) for name, layer in layers.items() if name != "conv1"}
    mixing = next(int(name.removeprefix("conv")) for name, kept in apart.items() if not kept)
    return holds([all(apart.values())]) | {"first layer that mixes": mixing}


def keeps_groups(layer: nn.Conv2d, groups: int) -> bool:
    """Whether no output of the layer reads an input of another group."""
    unpadded = conv(layer.in_channels, layer.out_channels, 3, groups=layer.groups)
    reads = channel_dependence(unpadded, layer.in_channels, 3)
    return not (reads & ~block_diagonal(groups, *reads.shape)).any()


@check
def depthwise_limit() -> Figures:
    def case(channels: int, kernel: int) -> bool:
        layer = conv(channels, channels, kernel, groups=channels)
        apart = channel_dependence(layer, channels, kernel).equal(torch.eye(channels, dtype=torch.bool))
        return apart and weights(layer) == channels * kernel**2

    return holds([case(4, 3), case(6, 5), case(1, 3)])


@check
def global_depthwise_conv() -> Figures:
    """A vector of C entries; with every weight 1/(HW) it is the average, which has no parameters."""

    def case(channels: int, side: int) -> bool:
        layer, maps = GlobalDepthwise(channels, side), torch.randn(2, channels, side, side)
        free = layer(maps).shape == (2, channels, 1, 1) and weights(layer) == channels * side**2
        nn.init.constant_(layer.weight, 1 / side**2)
        average = nn.AdaptiveAvgPool2d(1)
        return free and same(layer(maps), average(maps)) and weights(average) == 0

    return holds([case(4, 7), case(3, 5), case(8, 1)])


def shuffled(channels: int, groups: int) -> torch.Tensor:
    """Where each channel comes from."""
    order = torch.arange(channels).view(1, channels, 1, 1)
    return ChannelShuffle(groups)(order).flatten()


@check
def channel_shuffle() -> Figures:
    """A permutation, undone by the shuffle of n groups, after which each group holds min(n, g) of the old ones."""

    def case(groups: int, n: int) -> bool:
        order = shuffled(groups * n, groups)
        bijective = order.sort().values.equal(torch.arange(groups * n))
        undone = order[shuffled(groups * n, n)].equal(torch.arange(groups * n))
        seen = [distinct(part // n) for part in order.view(groups, n)]
        return bijective and undone and set(seen) == {min(n, groups)}

    return holds(case(g, n) for g, n in ((3, 4), (2, 6), (4, 4), (8, 3)))


@check
def shufflenet_groups_are_depthwise() -> Figures:
    """The grouped 1x1 convolutions of a ShuffleNet: does each filter read a single channel?"""
    model = create_model("shufflenet_v1", groups=4, width=0.25)
    grouped = [m for m in model.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (1, 1) and m.groups > 1]
    read = [only(channel_dependence(layer, layer.in_channels, 1).sum(1)) for layer in grouped[:6]]
    return holds(inputs == 1 for inputs in read) | {"fewest channels read": min(read)}


counted(__name__, "separable_example")
