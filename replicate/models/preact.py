"""The units of He et al. 2016, "Identity Mappings in Deep Residual Networks".

Where paper and code differ (`convention`): the paper activates before the two paths split in the first unit only,
fb.resnet.torch and resnet-1k-layers in the first unit of every stage, timm in every unit whose shortcut is a
projection, and timm's stem pools the bare convolution. All code leaves projections bare under full pre-activation.
The stride of a bottleneck sits in its first 1x1 in resnet-1k-layers (CIFAR), in its 3x3 in fb.resnet.torch (ImageNet).
"""

from collections.abc import Callable
from functools import partial
from itertools import chain, repeat
from typing import Any, Literal

from torch import nn

from replicate.models.layers.blocks import BlockBuilder, Classifier, Residual, Stem, bn, conv, named, scaled
from replicate.models.registry import register, register_variants
from replicate.models.resnet import (
    BASIC_LAYERS,
    BOTTLENECK_LAYERS,
    EXPANSION,
    Depth,
    Shortcut,
    StrideIn,
    assemble,
    basic_convolutions,
    bottleneck_convolutions,
    cifar_blocks,
    make_shortcut,
)
from replicate.models.weights import Rule, register_reference

Order = Literal["original", "bn_after_add", "relu_before_add", "relu_preact", "full_preact"]
Unit = Literal["single", "basic", "bottleneck"]
Convention = Literal["paper", "torch7", "timm"]
Entry = Literal["branch", "shared", "stem"]
Weights = Callable[[int, int, int], list[nn.Conv2d]]
"""(in_channels, out_channels, stride) -> the convolutions of one unit"""
Layers = list[tuple[str, nn.Module]]

POST_ACTIVATION = ("conv", "bn", "relu")
CELLS: dict[Order, tuple[str, ...]] = {  # a convolution and what stands around it (figure 4)
    "original": POST_ACTIVATION,
    "bn_after_add": POST_ACTIVATION,
    "relu_before_add": POST_ACTIVATION,
    "relu_preact": ("relu", "conv", "bn"),
    "full_preact": ("bn", "relu", "conv"),
}
AFTER_ADDITION: dict[Order, int] = {"original": 1, "bn_after_add": 2}  # how many last layers follow the sum


def single_convolution(in_channels: int, out_channels: int, stride: int) -> list[nn.Conv2d]:
    """One 3x3 convolution: the one-layer skips of table 3."""
    return [conv(in_channels, out_channels, 3, stride)]


def before_weight(order: Order) -> int:
    """How many layers stand before a unit's first convolution: 2, 1 or, in the post-activation orders, 0."""
    return CELLS[order].index("conv")


def unit_layers(weights: list[nn.Conv2d], order: Order) -> Layers:
    """Every layer of a unit in its order, named bn1, relu1, conv1, bn2, ..."""
    layers: Layers = []
    for number, weight in enumerate(weights, 1):
        for place, kind in enumerate(CELLS[order]):
            layer: nn.Module = weight
            if kind == "bn":
                channels = weight.in_channels if place < before_weight(order) else weight.out_channels
                layer = bn(channels)
            elif kind == "relu":
                layer = nn.ReLU(inplace=bool(layers))  # a unit's first layer reads what the shortcut needs too
            layers.append((f"{kind}{number}", layer))
    return layers


def sequence(layers: Layers) -> nn.Module:
    """The layers in a row, under their names; the identity if there are none."""
    return named(**dict(layers)) if layers else nn.Identity()


def make_unit(weights: list[nn.Conv2d], order: Order, shortcut: nn.Module | None, entry: Entry) -> Residual:
    """One unit of figure 4. `entry` says who applies the layers before the first convolution.

    They are part of the branch, or applied before the paths split, or part of the stem (then the unit has none).
    """
    layers = unit_layers(weights, order)
    start, end = before_weight(order), len(layers) - AFTER_ADDITION.get(order, 0)
    return Residual(
        sequence(layers[0 if entry == "branch" else start : end]),
        shortcut,
        sequence(layers[end:]),
        sequence(layers[:start]) if entry == "shared" else None,
    )


def unit_shortcut(option: Shortcut, order: Order, in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """Options A, B, C; under full pre-activation a projection has no BN."""
    shortcut = make_shortcut(option, in_channels, out_channels, stride)
    if order == "full_preact" and isinstance(shortcut, nn.Sequential):
        return conv(in_channels, out_channels, 1, stride)
    return shortcut


def unit_builder(weights: Weights, order: Order, shortcut: Shortcut, convention: Convention) -> BlockBuilder:
    """A builder that makes all units of a network, called in their order: the first unit may differ."""

    def build(in_channels: int, out_channels: int, stride: int, first: bool) -> Residual:
        changes = in_channels != out_channels or stride != 1
        projects = shortcut == "C" or (shortcut == "B" and changes)
        shares = {"paper": False, "torch7": changes, "timm": projects}[convention]
        entry: Entry = "stem" if first and convention != "timm" else "shared" if shares else "branch"
        link = unit_shortcut(shortcut, order, in_channels, out_channels, stride)
        return make_unit(weights(in_channels, out_channels, stride), order, link, entry)

    builders = chain([partial(build, first=True)], repeat(partial(build, first=False)))
    return lambda *shape: next(builders)(*shape)


def last_activation(order: Order, channels: int) -> nn.Module:
    """What follows the last addition: the layers that would stand before another convolution (appendix)."""
    return sequence(unit_layers([conv(channels, channels, 1)], order)[: before_weight(order)])


def follow_timm(network: Classifier) -> Classifier:
    """Leave BN and ReLU of the stem to the first unit."""
    network.stem = named(**{name: layer for name, layer in network.stem.named_children() if name in ("conv", "pool")})
    return network


def assemble_units(
    weights: Weights,
    layers: tuple[int, ...],
    widths: tuple[int, int],
    order: Order,
    shortcut: Shortcut,
    convention: Convention,
    stem: Stem,
    num_classes: int,
    in_channels: int,
) -> Classifier:
    """A network of such units; `widths` are the channels of the stem and of the first stage's output."""
    if convention == "timm" and order != "full_preact":
        raise ValueError(f"timm has full_preact only, not {order}")
    build, final = unit_builder(weights, order, shortcut, convention), partial(last_activation, order)
    network = assemble(build, layers, *widths, num_classes, in_channels, stem, final)
    return follow_timm(network) if convention == "timm" else network


@register
def preact_resnet(
    depth: Depth = 152,
    order: Order = "full_preact",
    shortcut: Shortcut = "B",
    stride_in: StrideIn = "3x3",
    convention: Convention = "torch7",
    stem: Stem = "imagenet",
    width: float = 1.0,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> Classifier:
    """The ImageNet networks of section 5: depth 18, 34 (basic units), 50, 101, 152, 200 (bottlenecks).

    order="original" gives the network of He et al. 2015. Minimum input 32 pixels (8 with the small stem).
    """
    base = scaled(64, width)
    if depth in BASIC_LAYERS:
        weights: Weights = basic_convolutions
        layers, widths = BASIC_LAYERS[depth], (base, base)
    else:
        weights = partial(bottleneck_convolutions, stride_in=stride_in)
        layers, widths = BOTTLENECK_LAYERS[depth], (base, base * EXPANSION)
    return assemble_units(weights, layers, widths, order, shortcut, convention, stem, num_classes, in_channels)


@register
def preact_resnet_cifar(
    depth: int = 110,
    unit: Unit = "basic",
    order: Order = "full_preact",
    shortcut: Shortcut = "A",
    stride_in: StrideIn = "1x1",
    convention: Convention = "torch7",
    width: float = 1.0,
    num_classes: int = 10,
    in_channels: int = 3,
) -> Classifier:
    """The CIFAR networks of tables 2 and 3, three stages of 16, 32, 64 channels (bottlenecks: four times that).

    Depth 6n + 2 with n basic units or 2n "single" units (one-layer skips) in a stage, 9n + 2 with n bottlenecks.
    Minimum input 4 pixels.
    """
    base = scaled(16, width)
    kinds: dict[Unit, tuple[Weights, int, int]] = {  # convolutions, their number, output width of the first stage
        "single": (single_convolution, 1, base),
        "basic": (basic_convolutions, 2, base),
        "bottleneck": (partial(bottleneck_convolutions, stride_in=stride_in), 3, base * EXPANSION),
    }
    weights, number, out_width = kinds[unit]
    layers, widths = (cifar_blocks(depth, number),) * 3, (base, out_width)
    return assemble_units(weights, layers, widths, order, shortcut, convention, "small", num_classes, in_channels)


CIFAR_VARIANTS: dict[str, dict[str, Any]] = {
    "preact_resnet110_cifar": {"depth": 110, "unit": "basic"},
    "preact_resnet164_cifar": {"depth": 164, "unit": "bottleneck", "shortcut": "B"},
    "preact_resnet1001_cifar": {"depth": 1001, "unit": "bottleneck", "shortcut": "B"},
}
register_variants(preact_resnet_cifar, CIFAR_VARIANTS)
register_variants(preact_resnet, {f"preact_resnet{depth}": {"depth": depth} for depth in (152, 200)})
TIMM_DEPTHS = (18, 34, 50, 101, 152)
register_variants(preact_resnet, {f"resnetv2_{depth}": {"depth": depth, "convention": "timm"} for depth in TIMM_DEPTHS})

TIMM_NAMES: tuple[Rule, ...] = (
    (r"^norm\.", "final.bn1."),
    (r"^head\.fc\.", "fc."),
    (r"^(stages\.\d)\.blocks\.", r"\1."),
    (r"\.norm(\d)\.", r".bn\1."),
    (r"\.downsample\.conv\.", ".shortcut."),
)
UNIT_NAMES: tuple[Rule, ...] = ((r"^(stages\.\d\.\d+)\.(conv|bn)", r"\1.branch.\2"),)
SHARED: Rule = (r"^(stages\.\d\.0)\.bn1", r"\1.entry.bn1")
SHARED_FROM_STAGE_2: Rule = (r"^(stages\.[1-3]\.0)\.bn1", r"\1.entry.bn1")  # basic units: no projection in stage 1
register_reference("timm", [f"resnetv2_{d}" for d in BASIC_LAYERS], (*TIMM_NAMES, SHARED_FROM_STAGE_2, *UNIT_NAMES))
register_reference("timm", [f"resnetv2_{d}" for d in (50, 101, 152)], (*TIMM_NAMES, SHARED, *UNIT_NAMES))
