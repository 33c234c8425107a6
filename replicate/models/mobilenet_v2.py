"""MobileNetV2 of Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks".

Where paper and well-known code differ: the text counts 19 residual bottlenecks, table 2 and all code have 17. The
shortcut between expansions of figure 6(b) is drawn in figure 3(a) only; here the same layers are cut into units that
begin at the expanded maps, and a unit of unchanged shape adds its input before the ReLU6 as in He et al. 2015. It has
as many shortcuts as the network of the paper, and the same parameters.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Literal

from torch import nn

from replicate.models.layers.blocks import Classifier, Residual, Stem, conv_bn, conv_bn_relu, named, relu6
from replicate.models.registry import register, register_variants
from replicate.models.weights import Rule, register_reference

Shortcut = Literal["bottleneck", "expansion", "none"]
ActiveConv = Callable[..., nn.Sequential]
"""(in_channels, out_channels, kernel, stride=1, groups=1) -> convolution, BN, activation"""

STEM_WIDTH, HEAD_WIDTH = 32, 1280
ROWS = ((16, 1), (24, 2), (32, 3), (64, 4), (96, 3), (160, 3), (320, 1))  # table 2: output width c, repeats n
# The strides of the first convolution and of the first block of each row.
STRIDES = {"imagenet": (2, 1, 2, 2, 2, 1, 2, 1), "small": (1, 1, 1, 2, 2, 1, 2, 1)}
DIVISOR = 8  # the released code rounds every width to a multiple of 8


def round_width(channels: float) -> int:
    """The nearest multiple of 8, at least 8 and at least 90 % of `channels` (the released code's rule)."""
    rounded = max(DIVISOR, int(channels + DIVISOR / 2) // DIVISOR * DIVISOR)
    return rounded if rounded >= 0.9 * channels else rounded + DIVISOR


@dataclass(frozen=True)
class Shape:
    """Channels and stride of one inverted residual; `inner` is the width of its expanded maps."""

    in_channels: int
    inner: int
    out_channels: int
    stride: int

    @property
    def unchanged(self) -> bool:
        """Whether a shortcut fits without a projection."""
        return self.stride == 1 and self.in_channels == self.out_channels


def table_2(width: float, expansion: int, strides: Sequence[int]) -> list[list[Shape]]:
    """The shapes of the blocks, row by row; the first row does not expand."""
    channels, rows = round_width(STEM_WIDTH * width), []
    for index, ((output, repeats), stride) in enumerate(zip(ROWS, strides, strict=True)):
        row = []
        for block in range(repeats):
            inner = channels if index == 0 else channels * expansion
            row.append(Shape(channels, inner, round_width(output * width), stride if block == 0 else 1))
            channels = row[-1].out_channels
        rows.append(row)
    return rows


conv_bn_relu6 = partial(conv_bn_relu, activation=relu6)


def filter_and_project(shape: Shape, linear: bool, active: ActiveConv = conv_bn_relu6) -> dict[str, nn.Module]:
    """The depthwise 3x3 on the expanded maps and the 1x1 back to the bottleneck, `linear` or with an activation."""
    project = conv_bn if linear else active
    return {
        "depthwise": active(shape.inner, shape.inner, 3, shape.stride, shape.inner),
        "project": project(shape.inner, shape.out_channels, 1),
    }


def inverted_residual(shape: Shape, linear: bool, shortcut: bool, active: ActiveConv = conv_bn_relu6) -> Residual:
    """Table 1: expand by a 1x1, filter, project; the shortcut joins the narrow ends (figure 3b).

    `active` builds a convolution with BN and activation.
    """
    layers = filter_and_project(shape, linear, active)
    if shape.inner != shape.in_channels:
        layers = {"expand": active(shape.in_channels, shape.inner, 1), **layers}
    return Residual(named(**layers), nn.Identity() if shortcut and shape.unchanged else None)


def expansion_unit(shape: Shape, following: Shape | None, linear: bool) -> Residual:
    """From the expanded maps of a block to those of the `following` one; the shortcut joins the wide ends."""
    layers = filter_and_project(shape, linear)
    if following is None:
        return Residual(named(**layers))
    layers["expand"] = conv_bn(following.in_channels, following.inner, 1)
    fits = shape.unchanged and shape.inner == following.inner
    return Residual(named(**layers), nn.Identity() if fits else None, relu6())


def make_row(row: list[Shape], following: Shape | None, linear: bool, shortcut: Shortcut) -> nn.Sequential:
    """The blocks of one row of table 2; `following` is the first block of the next row."""
    if shortcut == "expansion":
        pairs = zip(row, [*row[1:], following], strict=True)
        return nn.Sequential(*(expansion_unit(shape, after, linear) for shape, after in pairs))
    return nn.Sequential(*(inverted_residual(shape, linear, shortcut == "bottleneck") for shape in row))


def make_head(in_channels: int, out_channels: int, dropout: float) -> nn.Sequential:
    """The last 1x1 convolution, the global average pool and dropout before the classifier."""
    head = conv_bn_relu6(in_channels, out_channels, 1)
    head.add_module("pool", nn.AdaptiveAvgPool2d(1))
    head.add_module("dropout", nn.Dropout(dropout))
    return head


@register
def mobilenet_v2(
    linear: bool = True,
    shortcut: Shortcut = "bottleneck",
    expansion: int = 6,
    scale_last: bool = False,
    dropout: float = 0.2,
    stem: Stem = "imagenet",
    width: float = 1.0,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> Classifier:
    """The network of table 2; `width` is the width multiplier and `expansion` the factor t.

    linear=False puts a ReLU6 behind each projection (figure 6a); `shortcut` joins bottlenecks, expansions, or nothing
    (figure 6b). The 1280 maps of the last convolution shrink with a width under 1 only if `scale_last` (section 6.1).
    The small stem leaves out the first two strides. Minimum input 32 pixels (8 with the small stem).
    """
    if expansion < (least := 2 if shortcut == "expansion" else 1):
        raise ValueError(f"expansion is at least {least} with shortcut {shortcut!r}, not {expansion}")
    strides = STRIDES[stem]
    rows = table_2(width, expansion, strides[1:])
    followers = [*(row[0] for row in rows[1:]), None]
    stages = (make_row(row, after, linear, shortcut) for row, after in zip(rows, followers, strict=True))
    features = round_width(HEAD_WIDTH * (width if scale_last else max(width, 1.0)))
    return Classifier(
        conv_bn_relu6(in_channels, rows[0][0].in_channels, 3, strides[0]),
        nn.Sequential(*stages),
        features,
        num_classes,
        in_channels,
        min_size=prod(strides),
        final=make_head(rows[-1][-1].out_channels, features, dropout),
    )


TIMM_WIDTHS = {f"mobilenetv2_{round(width * 100):03}": width for width in (0.35, 0.5, 0.75, 1.0, 1.4)}
register_variants(mobilenet_v2, {name: {"width": width} for name, width in TIMM_WIDTHS.items()})


def torchvision_block(match: re.Match[str]) -> str:
    """torchvision counts the blocks of all stages in one row after the stem: features.5 is block 1 of stage 2."""
    block = int(match[1]) - 1
    for stage, (_, repeats) in enumerate(ROWS):
        if block < repeats:
            return f"stages.{stage}.{block}.branch."
        block -= repeats
    return "final."


TIMM_LAYERS = {
    **{"conv_pw": "expand.conv", "bn1": "expand.bn", "conv_dw": "depthwise.conv", "bn2": "depthwise.bn"},
    **{"conv_pwl": "project.conv", "bn3": "project.bn"},
}
TIMM_FIRST = {"conv_dw": "depthwise.conv", "bn1": "depthwise.bn", "conv_pw": "project.conv", "bn2": "project.bn"}


def timm_layer(match: re.Match[str]) -> str:
    """timm's first block does not expand and calls the projection conv_pw."""
    layers = TIMM_FIRST if match[1] == "0.0" else TIMM_LAYERS
    return f"stages.{match[1]}.branch.{layers[match[2]]}."


TORCHVISION_NAMES: tuple[Rule, ...] = (
    (r"^features\.0\.", "stem."),
    (r"^features\.(\d+)\.(?:conv\.)?", torchvision_block),
    (r"^(stages\.0\.0\.branch)\.([012])\.", lambda match: f"{match[1]}.{int(match[2]) + 1}."),  # no expansion
    (r"\.branch\.0\.", ".branch.expand."),
    (r"\.branch\.1\.", ".branch.depthwise."),
    (r"\.branch\.2\.", ".branch.project.0."),
    (r"\.branch\.3\.", ".branch.project.1."),
    (r"^(stem|final|.+\.(?:expand|depthwise|project))\.0\.", r"\1.conv."),
    (r"^(stem|final|.+\.(?:expand|depthwise|project))\.1\.", r"\1.bn."),
    (r"^classifier\.1\.", "fc."),
)
TIMM_NAMES: tuple[Rule, ...] = (
    (r"^conv_stem\.", "stem.conv."),
    (r"^bn1\.", "stem.bn."),
    (r"^blocks\.(\d+\.\d+)\.(\w+)\.", timm_layer),
    (r"^conv_head\.", "final.conv."),
    (r"^bn2\.", "final.bn."),
    (r"^classifier\.", "fc."),
)
register_reference("torchvision", ["mobilenet_v2"], TORCHVISION_NAMES)
register_reference("timm", TIMM_WIDTHS, TIMM_NAMES)
