"""ShuffleNet of Zhang et al. 2018, "ShuffleNet: An Extremely Efficient CNN for Mobile Devices".

Where paper and authors' code differ: the code shuffles after the depthwise convolution, the paper before it; both
are the same network up to the order of the depthwise filters, and the shuffle stands before it here. The code's
classifier has no bias, this one has. The paper scales "all" channels by s, but its printed costs need 12 maps in the
first convolution at 0.25x and 0.5x and 24 at 1.5x (`stem_channels`).
"""

from functools import partial
from math import ceil, floor, log2, prod
from typing import Literal

import torch
from torch import Tensor, nn

from replicate.models.layers.blocks import Classifier, Residual, Stem, bn, conv, conv_bn_relu, make_stages, named, relu
from replicate.models.registry import register, register_variants

Groups = Literal[1, 2, 3, 4, 8]

STAGE_2 = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}  # table 1: output channels of stage 2 for each number of groups
UNITS = (4, 8, 4)  # in the stages 2, 3 and 4; the channels double from stage to stage
REDUCTION = 4  # a unit's outer channels over its inner ones (section 3.3)
STEM_WIDTH, LEAST_STEM_WIDTH = 24, 12
STRIDES = {"imagenet": (2, 2, 2, 2, 2), "small": (1, 1, 2, 2, 2)}  # for the convolution, the pooling and each stage


class ChannelShuffle(nn.Module):
    """Channel j of group i becomes channel i of set j: reshape to (groups, n), transpose, flatten (section 3.1).

    torch's own ChannelShuffle gives the same, but took two to four times as long on a CPU (forward and backward).
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        sets = x.reshape(batch, self.groups, channels // self.groups, height, width)
        return sets.transpose(1, 2).reshape(x.shape)


class ConcatUnit(nn.Module):
    """y = activation([shortcut(x), branch(x)]): the unit of stride 2 keeps the pooled input as channels (figure 2c)."""

    def __init__(self, branch: nn.Module, shortcut: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.branch, self.shortcut, self.activation = branch, shortcut, activation

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(torch.cat((self.shortcut(x), self.branch(x)), dim=1))


def nearest_multiple(value: float, divisor: int) -> int:
    """The multiple of `divisor` nearest to `value`, at least one."""
    return max(1, round(value / divisor)) * divisor


def stem_channels(width: float, groups: int) -> int:
    """Maps of the first convolution: 12 up to 0.5x, 24 at 1x and 1.5x, 48 at 2x; a multiple of `groups`.

    The branch of the first unit makes the other channels of stage 2, and its last convolution has groups.
    """
    channels = max(LEAST_STEM_WIDTH, STEM_WIDTH * 2 ** floor(log2(width)))
    return ceil(channels / groups) * groups


def shuffle_branch(
    in_channels: int, out_channels: int, inner: int, stride: int, groups: tuple[int, int], shuffle: bool
) -> nn.Sequential:
    """Group 1x1, shuffle, depthwise 3x3 without activation, group 1x1 (figure 2b); `groups` of the two 1x1."""
    return named(
        conv1=conv(in_channels, inner, 1, groups=groups[0]),
        bn1=bn(inner),
        relu1=relu(),
        shuffle=ChannelShuffle(groups[1]) if shuffle else nn.Identity(),
        conv2=conv(inner, inner, 3, stride, groups=inner),
        bn2=bn(inner),
        conv3=conv(inner, out_channels, 1, groups=groups[1]),
        bn3=bn(out_channels),
    )


def shuffle_unit(
    in_channels: int, out_channels: int, stride: int, groups: int, shuffle: bool, stem_width: int
) -> nn.Module:
    """The unit of figure 2b, or of figure 2c with stride 2, whose branch gives only the channels that are new."""
    inner = nearest_multiple(out_channels / REDUCTION, groups)
    first = 1 if in_channels == stem_width else groups  # "the number of input channels is relatively small" there
    if stride == 1:
        branch = shuffle_branch(in_channels, out_channels, inner, stride, (first, groups), shuffle)
        return Residual(branch, nn.Identity(), relu())
    branch = shuffle_branch(in_channels, out_channels - in_channels, inner, stride, (first, groups), shuffle)
    return ConcatUnit(branch, nn.AvgPool2d(3, stride, padding=1), relu())


def make_stem(in_channels: int, out_channels: int, strides: tuple[int, ...]) -> nn.Sequential:
    """3x3 convolution, BN, ReLU, and a 3x3 max pooling where it has a stride."""
    stem = conv_bn_relu(in_channels, out_channels, 3, strides[0])
    stem.add_module("pool", nn.MaxPool2d(3, strides[1], padding=1) if strides[1] > 1 else nn.Identity())
    return stem


@register
def shufflenet_v1(
    groups: Groups = 3,
    shuffle: bool = True,
    stem: Stem = "imagenet",
    width: float = 1.0,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> Classifier:
    """The networks of table 1 for `groups` 1, 2, 3, 4 or 8; `width` is the scale factor s of "ShuffleNet sx".

    Where s gives channels that the groups do not divide (0.5x with 2 or 4 groups; the paper does not say what then),
    the nearest multiple is taken. The small stem has stride 1 and no pooling. Minimum input 32 pixels, 8 with
    the small stem.
    """
    strides, stem_width = STRIDES[stem], stem_channels(width, groups)
    outputs = [nearest_multiple(STAGE_2[groups] * width * 2**stage, groups) for stage in range(len(UNITS))]
    if outputs[0] <= stem_width:
        raise ValueError(f"width {width:g} leaves stage 2 no more channels than the first convolution's {stem_width}")
    plan = tuple((channels,) * units for channels, units in zip(outputs, UNITS, strict=True))
    build = partial(shuffle_unit, groups=groups, shuffle=shuffle, stem_width=stem_width)
    return Classifier(
        make_stem(in_channels, stem_width, strides),
        make_stages(build, plan, strides[2:], stem_width),
        outputs[-1],
        num_classes,
        in_channels,
        min_size=prod(strides),
    )


register_variants(shufflenet_v1, {f"shufflenet_1x_g{groups}": {"groups": groups} for groups in STAGE_2})
register_variants(
    shufflenet_v1, {f"shufflenet_{scale:g}x_g3": {"groups": 3, "width": scale} for scale in (0.25, 0.5, 1.5, 2.0)}
)
