"""BN-Inception of Ioffe & Szegedy 2015, "Batch Normalization", figure 5: also called Inception v2.

Where paper and well-known code differ: the paper's first convolution is separable with depth multiplier 8, the
Caffe port has an ordinary one and biases beside batch normalisation (`separable_stem`, `conv_bias`). Rows 4c and 4d
print 576 output channels, but their branches add up to 608; TF-slim projects the pool to 96 instead of 128
to get 576 (`projection_4cd`).
"""

from functools import partial
from typing import Literal, NamedTuple

from torch import nn

from replicate.models.layers import inception_blocks as parts
from replicate.models.layers.blocks import Stem
from replicate.models.layers.inception_blocks import Conv, Fork, Pool, Units
from replicate.models.registry import register

DEPTH_MULTIPLIER = 8  # kernels of the first convolution for each input channel (appendix)


class Row(NamedTuple):
    """A row of figure 5, in channels. `one` 0: no 1x1 branch; `projection` 0: the pool is passed on as it is."""

    one: int
    reduce3: int
    three: int
    reduce_double: int
    double: int
    pool: Literal["avg", "max"]
    projection: int


ROWS = {
    "3": {
        "a": Row(64, 64, 64, 64, 96, "avg", 32),
        "b": Row(64, 64, 96, 64, 96, "avg", 64),
        "c": Row(0, 128, 160, 64, 96, "max", 0),
    },
    "4": {
        "a": Row(224, 64, 96, 96, 128, "avg", 128),
        "b": Row(192, 96, 128, 96, 128, "avg", 128),
        "c": Row(160, 128, 160, 128, 160, "avg", 128),
        "d": Row(96, 128, 192, 160, 192, "avg", 128),
        "e": Row(0, 128, 192, 192, 256, "max", 0),
    },
    "5": {
        "a": Row(352, 192, 320, 160, 224, "avg", 128),
        "b": Row(352, 192, 320, 192, 224, "max", 128),
    },
}


def module(row: Row) -> Fork:
    """1x1, 3x3, double 3x3 and pool. The rows without a 1x1 branch (3c, 4e) halve the map.

    Their max pool is padded like the convolutions, so that all branches have the same size for odd inputs too.
    """
    stride = 1 if row.one else 2
    branches: list[list[Conv | Pool]] = [
        [Conv(row.reduce3), Conv(row.three, 3, stride)],
        [Conv(row.reduce_double), Conv(row.double, 3), Conv(row.double, 3, stride)],
        [Pool(row.pool, stride)],
    ]
    if row.one:
        branches.insert(0, [Conv(row.one)])
    if row.projection:
        branches[-1].append(Conv(row.projection))
    return Fork(*branches)


def first_conv(inputs: int, units: Units, kernel: int, stride: int, separable: bool) -> nn.Sequential:
    """Convolution to 64 channels; separable: 8 kernels for each input channel, then 1x1 (appendix)."""
    if not separable:
        return units.conv(inputs, Conv(64, kernel, stride))
    wide = inputs * DEPTH_MULTIPLIER
    depthwise = nn.Conv2d(inputs, wide, kernel, stride, kernel // 2, groups=inputs, bias=False)
    return nn.Sequential(depthwise, units.conv(wide, Conv(64)))


def make_stem(units: Units, in_channels: int, stem: Stem, separable: bool) -> nn.Sequential:
    """7x7/2 64, pool, 1x1 64, 3x3 192, pool; at small size 3x3 64 first, and no stride and no pool."""
    kernel, stride = (7, 2) if stem == "imagenet" else (3, 1)
    rest: list[parts.Step] = [Pool("max", 2), Conv(64), Conv(192, 3), Pool("max", 2)]
    first = partial(first_conv, units=units, kernel=kernel, stride=stride, separable=separable)
    after = partial(units.stem, steps=rest, stem=stem)
    return parts.grow(in_channels, {"first": first, "rest": after})


@register
def bn_inception(
    batch_norm: bool = True,
    activation: parts.Activation = "relu",
    separable_stem: bool = True,
    conv_bias: bool = False,
    projection_4cd: int = 128,
    dropout: float = 0.0,
    stem: Stem = "imagenet",
    width: float = 1.0,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> parts.InceptionNet:
    """Figure 5. batch_norm=False is the "Inception" that figure 2 compares with, activation="sigmoid" BN-x5-Sigmoid.

    Without batch normalisation every convolution has a bias. Minimum input 32 pixels, with the small stem 4.
    """
    units = Units(width, batch_norm, conv_bias, activation)
    rows = {stage: dict(blocks) for stage, blocks in ROWS.items()}
    for name in ("c", "d"):
        rows["4"][name] = rows["4"][name]._replace(projection=projection_4cd)
    stages = {
        stage: units.builders({name: module(row) for name, row in blocks.items()}) for stage, blocks in rows.items()
    }
    return parts.InceptionNet(
        make_stem(units, in_channels, stem, separable_stem), stages, num_classes, in_channels, dropout
    )
