"""Residual and plain networks of He et al. 2015, "Deep Residual Learning for Image Recognition".

Where paper and well-known code differ: the paper's Caffe bottleneck strides its first 1x1, fb.resnet.torch and
torchvision stride the 3x3 (`stride_in`); the paper's 18 and 34 layer comparison uses option A shortcuts,
torchvision builds option B (`shortcut`).
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from torch import nn

from replicate.models.layers.blocks import (
    BlockBuilder,
    Classifier,
    Residual,
    Stem,
    ZeroPadShortcut,
    conv,
    conv_bn,
    conv_bn_relu,
    imagenet_stem,
    make_stages,
    post_activation,
    relu,
    scaled,
)
from replicate.models.registry import register, register_variants
from replicate.models.weights import Rule, register_reference

Shortcut = Literal["A", "B", "C"]
StrideIn = Literal["1x1", "3x3"]
Depth = Literal[18, 34, 50, 101, 152, 200]
BottleneckDepth = Literal[50, 101, 152, 200]

BASIC_LAYERS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
BOTTLENECK_LAYERS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3), 200: (3, 24, 36, 3)}
EXPANSION = 4  # a bottleneck's outer width over its inner width


def basic_convolutions(in_channels: int, out_channels: int, stride: int) -> list[nn.Conv2d]:
    """Two 3x3 convolutions (figure 5, left)."""
    return [conv(in_channels, out_channels, 3, stride), conv(out_channels, out_channels, 3)]


def bottleneck_convolutions(
    in_channels: int,
    out_channels: int,
    stride: int,
    stride_in: StrideIn = "3x3",
    inner: int | None = None,
    groups: int = 1,
) -> list[nn.Conv2d]:
    """1x1, 3x3 and 1x1 convolutions (figure 5, right). `inner` defaults to out / 4."""
    inner = inner if inner is not None else out_channels // EXPANSION
    first, second = (stride, 1) if stride_in == "1x1" else (1, stride)
    return [conv(in_channels, inner, 1, first), conv(inner, inner, 3, second, groups), conv(inner, out_channels, 1)]


def basic_branch(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """Two 3x3 convolutions, each with BN, a ReLU between them."""
    return post_activation(*basic_convolutions(in_channels, out_channels, stride))


def bottleneck_branch(in_channels: int, out_channels: int, stride: int, **options: Any) -> nn.Sequential:
    """The three convolutions with BN, ReLU between them; `options` as in :func:`bottleneck_convolutions`."""
    return post_activation(*bottleneck_convolutions(in_channels, out_channels, stride, **options))


def make_shortcut(option: Shortcut, in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """Option A: zero padding; B: projection where the shape changes; C: projection everywhere (section 3.3)."""
    same = in_channels == out_channels and stride == 1
    if option == "C" or (option == "B" and not same):
        return conv_bn(in_channels, out_channels, 1, stride)
    return nn.Identity() if same else ZeroPadShortcut(in_channels, out_channels, stride)


def residual_block(branch: BlockBuilder, shortcut: Shortcut, residual: bool = True) -> BlockBuilder:
    """A builder of blocks; without `residual` they are plain blocks."""

    def build(in_channels: int, out_channels: int, stride: int) -> Residual:
        link = make_shortcut(shortcut, in_channels, out_channels, stride) if residual else None
        return Residual(branch(in_channels, out_channels, stride), link, relu())

    return build


def assemble(
    build: BlockBuilder,
    layers: tuple[int, ...],
    stem_width: int,
    out_width: int,
    num_classes: int,
    in_channels: int,
    stem: Stem,
    final: Callable[[int], nn.Module] | None = None,
) -> Classifier:
    """Stages of `layers` blocks; the output width doubles and the map halves from stage to stage.

    `final` builds what stands between the last block and the pooling, given its channels.
    """
    widths = [(out_width * 2**index,) * blocks for index, blocks in enumerate(layers)]
    stages = make_stages(build, widths, [1] + [2] * (len(layers) - 1), stem_width)
    channels, reduction = widths[-1][0], (4 if stem == "imagenet" else 1) * 2 ** (len(layers) - 1)
    start = imagenet_stem(in_channels, stem_width) if stem == "imagenet" else conv_bn_relu(in_channels, stem_width, 3)
    last = final(channels) if final is not None else None
    return Classifier(start, stages, channels, num_classes, in_channels, reduction, last)


@register
def resnet(
    depth: Depth = 50,
    shortcut: Shortcut = "B",
    residual: bool = True,
    stride_in: StrideIn = "3x3",
    stem: Stem = "imagenet",
    width: float = 1.0,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> Classifier:
    """The ImageNet networks of table 1: depth 18, 34 (basic blocks), 50, 101, 152, 200 (bottlenecks).

    residual=False gives the plain network. Minimum input 32 pixels (8 with the small stem).
    """
    base = scaled(64, width)
    if depth in BASIC_LAYERS:
        build = residual_block(basic_branch, shortcut, residual)
        return assemble(build, BASIC_LAYERS[depth], base, base, num_classes, in_channels, stem)
    build = residual_block(partial(bottleneck_branch, stride_in=stride_in), shortcut, residual)
    return assemble(build, BOTTLENECK_LAYERS[depth], base, base * EXPANSION, num_classes, in_channels, stem)


def cifar_blocks(depth: int, layers: int) -> int:
    """Blocks of `layers` convolutions in each of three stages: n of depth 6n + 2 (basic) or 9n + 2 (bottleneck)."""
    period = 3 * layers
    blocks, rest = divmod(depth - 2, period)
    if rest or blocks < 1:
        raise ValueError(f"depth is {period}n + 2 ({period + 2}, {2 * period + 2}, ...), not {depth}")
    return blocks


@register
def resnet_cifar(
    depth: int = 20,
    shortcut: Shortcut = "A",
    residual: bool = True,
    width: float = 1.0,
    num_classes: int = 10,
    in_channels: int = 3,
) -> Classifier:
    """The CIFAR-10 networks of section 4.2: depth 6n + 2, three stages of n basic blocks of 16, 32, 64 channels."""
    base = scaled(16, width)
    build = residual_block(basic_branch, shortcut, residual)
    return assemble(build, (cifar_blocks(depth, 2),) * 3, base, base, num_classes, in_channels, "small")


register_variants(resnet, {f"resnet{depth}": {"depth": depth} for depth in (18, 34, 50, 101, 152)})
register_variants(resnet, {f"plain{depth}": {"depth": depth, "residual": False} for depth in (18, 34)})

TORCHVISION_NAMES: tuple[Rule, ...] = (
    (r"^(conv|bn)1\.", r"stem.\1."),
    (r"^layer(\d)\.", lambda match: f"stages.{int(match[1]) - 1}."),
    (r"^(stages\.\d+\.\d+)\.(conv|bn)", r"\1.branch.\2"),
    (r"\.downsample\.0\.", ".shortcut.conv."),
    (r"\.downsample\.1\.", ".shortcut.bn."),
)
register_reference("torchvision", [f"resnet{depth}" for depth in (18, 34, 50, 101, 152)], TORCHVISION_NAMES)
