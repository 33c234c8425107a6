"""Residual and plain networks of He et al. 2015, "Deep Residual Learning for Image Recognition".

Where paper and well-known code differ: the paper's Caffe bottleneck strides its first 1x1, fb.resnet.torch and
torchvision stride the 3x3 (`stride_in`); the paper's 18 and 34 layer comparison uses option A shortcuts,
torchvision builds option B (`shortcut`).
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from torch import nn

from replicate.models.layers.blocks import (
    BN_MOMENTUM,
    Classifier,
    Residual,
    ZeroPadShortcut,
    conv,
    conv_bn,
    imagenet_stem,
    scaled,
    small_stem,
    stage,
)
from replicate.models.registry import register, register_variants
from replicate.models.weights import Rule, register_reference

Shortcut = Literal["A", "B", "C"]
StrideIn = Literal["1x1", "3x3"]
Stem = Literal["imagenet", "small"]
BranchBuilder = Callable[[int, int, int], nn.Sequential]

BASIC_LAYERS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
BOTTLENECK_LAYERS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3), 200: (3, 24, 36, 3)}
EXPANSION = 4  # a bottleneck's outer width over its inner width


def basic_branch(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """Two 3x3 convolutions, each with BN, a ReLU between them (figure 5, left)."""
    return nn.Sequential(
        OrderedDict(
            conv1=conv(in_channels, out_channels, 3, stride),
            bn1=nn.BatchNorm2d(out_channels, momentum=BN_MOMENTUM),
            relu1=nn.ReLU(inplace=True),
            conv2=conv(out_channels, out_channels, 3),
            bn2=nn.BatchNorm2d(out_channels, momentum=BN_MOMENTUM),
        )
    )


def bottleneck_branch(
    in_channels: int,
    out_channels: int,
    stride: int,
    stride_in: StrideIn = "3x3",
    inner: int | None = None,
    groups: int = 1,
) -> nn.Sequential:
    """1x1, 3x3 and 1x1 convolutions with BN, ReLU between them (figure 5, right). `inner` defaults to out / 4."""
    inner = inner if inner is not None else out_channels // EXPANSION
    first, second = (stride, 1) if stride_in == "1x1" else (1, stride)
    return nn.Sequential(
        OrderedDict(
            conv1=conv(in_channels, inner, 1, first),
            bn1=nn.BatchNorm2d(inner, momentum=BN_MOMENTUM),
            relu1=nn.ReLU(inplace=True),
            conv2=conv(inner, inner, 3, second, groups),
            bn2=nn.BatchNorm2d(inner, momentum=BN_MOMENTUM),
            relu2=nn.ReLU(inplace=True),
            conv3=conv(inner, out_channels, 1),
            bn3=nn.BatchNorm2d(out_channels, momentum=BN_MOMENTUM),
        )
    )


def make_shortcut(option: Shortcut, in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """Option A: zero padding; B: projection where the shape changes; C: projection everywhere (section 3.3)."""
    if option not in ("A", "B", "C"):
        raise ValueError(f"shortcut is A, B or C, not {option!r}")
    same = in_channels == out_channels and stride == 1
    if option == "C" or (option == "B" and not same):
        return conv_bn(in_channels, out_channels, 1, stride)
    return nn.Identity() if same else ZeroPadShortcut(in_channels, out_channels, stride)


def residual_block(branch: BranchBuilder, shortcut: Shortcut, residual: bool) -> Callable[[int, int, int], Residual]:
    """A builder of blocks: (in_channels, out_channels, stride) -> block. Without `residual`, a plain block."""

    def build(in_channels: int, out_channels: int, stride: int) -> Residual:
        link = make_shortcut(shortcut, in_channels, out_channels, stride) if residual else None
        return Residual(branch(in_channels, out_channels, stride), link, nn.ReLU(inplace=True))

    return build


def assemble(
    build: Callable[[int, int, int], nn.Module],
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
    stages, channels = [], stem_width
    for index, blocks in enumerate(layers):
        width = out_width * 2**index
        stages.append(stage(build, blocks, channels, width, stride=1 if index == 0 else 2))
        channels = width
    make_stem = imagenet_stem if stem == "imagenet" else small_stem
    reduction = (4 if stem == "imagenet" else 1) * 2 ** (len(layers) - 1)
    return Classifier(
        make_stem(in_channels, stem_width),
        nn.Sequential(*stages),
        channels,
        num_classes,
        in_channels,
        reduction,
        final(channels) if final is not None else None,
    )


@register
def resnet(
    depth: int = 50,
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
    if depth not in BOTTLENECK_LAYERS:
        raise ValueError(f"depth is one of {[*BASIC_LAYERS, *BOTTLENECK_LAYERS]}, not {depth}")

    def branch(inputs: int, outputs: int, stride: int) -> nn.Sequential:
        return bottleneck_branch(inputs, outputs, stride, stride_in)

    build = residual_block(branch, shortcut, residual)
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
