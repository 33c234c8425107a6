"""Aggregated residual networks of Xie et al. 2017, "Aggregated Residual Transformations for Deep Neural Networks".

A block sums C branches of bottleneck width d; figure 3 gives three equal forms, and a test checks that they are.
Shortcuts are option B everywhere (also on CIFAR) and the stride sits in the 3x3, as in the official Torch code.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from replicate.models.layers.blocks import (
    BlockBuilder,
    Classifier,
    Residual,
    Stem,
    bn,
    conv,
    conv_bn,
    post_activation,
    relu,
    scaled,
)
from replicate.models.registry import register, register_variants
from replicate.models.resnet import (
    BOTTLENECK_LAYERS,
    EXPANSION,
    TORCHVISION_NAMES,
    BottleneckDepth,
    assemble,
    basic_branch,
    bottleneck_branch,
    cifar_blocks,
    make_shortcut,
)
from replicate.models.weights import register_reference

Form = Literal["a", "b", "c", "two_layer"]
BASE_WIDTH = 64  # d is stated for conv2 of the ImageNet network; in ResNet its bottleneck has 64 channels


class SumBranches(nn.Module):
    """Form (a): C branches 1x1, 3x3, 1x1, summed; the last BN comes after the sum."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, cardinality: int, width: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*split_branch(in_channels, width, stride), conv(width, out_channels, 1))
            for _ in range(cardinality)
        )
        self.bn = bn(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(torch.stack([branch(x) for branch in self.branches]).sum(dim=0))


class ConcatBranches(nn.Module):
    """Form (b): C branches 1x1, 3x3, concatenated, then one 1x1 convolution with BN."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, cardinality: int, width: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(split_branch(in_channels, width, stride) for _ in range(cardinality))
        self.fuse = conv_bn(cardinality * width, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.fuse(torch.cat([branch(x) for branch in self.branches], dim=1))


def split_branch(in_channels: int, width: int, stride: int) -> nn.Sequential:
    """The part of one branch that forms (a) and (b) share: 1x1 to `width`, 3x3, each with BN and ReLU."""
    return post_activation(conv(in_channels, width, 1), conv(width, width, 3, stride), last_relu=True)


def two_layer_branch(in_channels: int, out_channels: int, stride: int, inner: int) -> nn.Sequential:
    """Blocks of depth 2 (section 3.3): summing C two-layer branches is one dense branch of C d channels."""
    branch = basic_branch(in_channels, inner, stride)
    branch.conv2 = conv(inner, out_channels, 3)
    branch.bn2 = bn(out_channels)
    return branch


def make_branch(
    in_channels: int, out_channels: int, stride: int, cardinality: int, width: int, form: Form
) -> nn.Module:
    """The aggregated transformation in one of its forms; `width` is d at this stage, in channels."""
    if form == "a":
        return SumBranches(in_channels, out_channels, stride, cardinality, width)
    if form == "b":
        return ConcatBranches(in_channels, out_channels, stride, cardinality, width)
    if form == "c":
        inner = cardinality * width
        return bottleneck_branch(in_channels, out_channels, stride, inner=inner, groups=cardinality)
    return two_layer_branch(in_channels, out_channels, stride, cardinality * width)


def aggregated_block(base: int, cardinality: int, base_width: int, form: Form, residual: bool) -> BlockBuilder:
    """A builder of blocks for a network whose first bottleneck would have `base` channels; d grows with the stage."""
    if base * base_width < BASE_WIDTH:
        raise ValueError(f"base_width {base_width} leaves branches without a channel where ResNet has {base}")

    def build(inputs: int, outputs: int, stride: int) -> Residual:
        width = outputs // EXPANSION * base_width // BASE_WIDTH  # D = floor(n d / 64) as the Torch code
        branch = make_branch(inputs, outputs, stride, cardinality, width, form)
        return Residual(branch, make_shortcut("B", inputs, outputs, stride) if residual else None, relu())

    return build


@register
def resnext(
    depth: BottleneckDepth = 50,
    cardinality: int = 32,
    base_width: int = 4,
    form: Form = "c",
    residual: bool = True,
    stem: Stem = "imagenet",
    width: float = 1.0,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> Classifier:
    """The ImageNet networks of table 1: depth 50, 101, 152 or 200, C = `cardinality`, d = `base_width`.

    Cardinality 1 with base width 64 is ResNet. Minimum input 32 pixels (8 with the small stem).
    """
    base = scaled(BASE_WIDTH, width)
    build = aggregated_block(base, cardinality, base_width, form, residual)
    return assemble(build, BOTTLENECK_LAYERS[depth], base, base * EXPANSION, num_classes, in_channels, stem)


@register
def resnext_cifar(
    depth: int = 29,
    cardinality: int = 8,
    base_width: int = 64,
    form: Form = "c",
    residual: bool = True,
    width: float = 1.0,
    num_classes: int = 10,
    in_channels: int = 3,
) -> Classifier:
    """The CIFAR networks of appendix A: depth 9n + 2, three stages of n blocks with outer widths 256, 512, 1024."""
    base = scaled(BASE_WIDTH, width)
    build = aggregated_block(base, cardinality, base_width, form, residual)
    return assemble(build, (cifar_blocks(depth, 3),) * 3, base, base * EXPANSION, num_classes, in_channels, "small")


register_variants(
    resnext,
    {
        f"resnext{depth}_{cardinality}x{width}d": {"depth": depth, "cardinality": cardinality, "base_width": width}
        for depth, cardinality, width in ((50, 32, 4), (101, 32, 8), (101, 64, 4))
    },
)
register_reference("torchvision", ["resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"], TORCHVISION_NAMES)
