"""Densely connected networks of Huang et al. 2017, and their memory-efficient form of Pleiss et al. 2017.

Where paper and code differ: the paper lists a transition as BN, 1x1 convolution, pooling; its Torch code and
torchvision have a ReLU after the BN, followed here. Dropout follows every convolution but the first, as in the paper
and its Torch code; torchvision drops out after the last one of a layer only. torchvision's memory-efficient form
updates the running statistics twice in a step, ours once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from replicate.models.layers.blocks import Classifier, Stem, bn, conv, imagenet_stem, named, relu, scaled
from replicate.models.layers.shared_storage import Remade
from replicate.models.registry import register, register_variants
from replicate.models.weights import Rule, register_reference

BOTTLENECK_WIDTH = 4  # the 1x1 convolution of a bottleneck layer has 4k outputs (section 3)
CIFAR_STEM = 16  # channels, unless the network is a DenseNet-BC (section 3)


def bn_relu_conv(in_channels: int, out_channels: int, kernel: int) -> nn.Sequential:
    """BN, ReLU, convolution: the composite function H (section 3)."""
    return named(bn=bn(in_channels), relu=relu(), conv=conv(in_channels, out_channels, kernel))


class DenseLayer(nn.Module):
    """x_l = H_l([x_0, ..., x_(l-1)]): BN, ReLU, 3x3 convolution; a bottleneck has BN, ReLU, 1x1 convolution before.

    Input the list of the block's earlier maps, output (batch, growth_rate, height, width). `memory_efficient` does not
    keep the concatenation, its BN and its ReLU for the backward pass, but makes them again (Pleiss et al. 2017,
    section 3); no convolution is repeated.
    """

    def __init__(
        self, in_channels: int, growth_rate: int, bottleneck: bool, dropout: float, memory_efficient: bool
    ) -> None:
        super().__init__()
        inner = BOTTLENECK_WIDTH * growth_rate if bottleneck else growth_rate
        self.first = bn_relu_conv(in_channels, inner, 1 if bottleneck else 3)
        self.second = bn_relu_conv(inner, growth_rate, 3) if bottleneck else None
        self.dropout = nn.Dropout(dropout)
        self.memory_efficient = memory_efficient

    def forward(self, features: list[Tensor]) -> Tensor:
        efficient = self.memory_efficient and torch.is_grad_enabled()
        maps = self.dropout(self.remade(*features) if efficient else self.concatenated(*features))
        return maps if self.second is None else self.dropout(self.second(maps))

    def concatenated(self, *features: Tensor) -> Tensor:
        return self.first(torch.cat(features, dim=1))

    def remade(self, *features: Tensor) -> Tensor:
        """The same, but made again in the backward pass. Nothing in it is random: dropout comes after it."""
        norm, _, convolution = self.first
        return Remade.apply(norm, convolution, norm.weight, norm.bias, convolution.weight, *features)


class DenseBlock(nn.Sequential):
    """Layers that each see all maps before them; the output is the input and all new maps (equation 2)."""

    def forward(self, x: Tensor) -> Tensor:
        features = [x]
        for layer in self:
            features.append(layer(features))
        return torch.cat(features, dim=1)


def transition(in_channels: int, out_channels: int, dropout: float) -> nn.Sequential:
    """BN, ReLU, 1x1 convolution, 2x2 average pooling: halves the maps between two blocks."""
    cell = bn_relu_conv(in_channels, out_channels, 1)
    cell.add_module("dropout", nn.Dropout(dropout))
    cell.add_module("pool", nn.AvgPool2d(2))
    return cell


@dataclass(frozen=True)
class Growth:
    """How the channels of a network grow and shrink, and how its layers are built (options of :class:`DenseLayer`)."""

    growth_rate: int
    bottleneck: bool
    compression: float
    dropout: float
    memory_efficient: bool

    def layer(self, in_channels: int) -> DenseLayer:
        return DenseLayer(in_channels, self.growth_rate, self.bottleneck, self.dropout, self.memory_efficient)


def assemble(
    stem: nn.Module,
    channels: int,
    blocks: Sequence[int],
    growth: Growth,
    num_classes: int,
    in_channels: int,
    min_size: int,
) -> Classifier:
    """Blocks of so many layers; a transition after each but the last leaves `compression` of the channels."""
    if not 0 < growth.compression <= 1:
        raise ValueError(f"compression lies above 0 and at most at 1, not {growth.compression}")
    stages = nn.Sequential()
    for number, layers in enumerate(blocks, 1):
        inputs = [channels + growth.growth_rate * index for index in range(layers)]
        stage = named(block=DenseBlock(*map(growth.layer, inputs)))
        channels += growth.growth_rate * layers
        if number < len(blocks):
            narrowed = int(growth.compression * channels)
            stage.add_module("transition", transition(channels, narrowed, growth.dropout))
            channels = narrowed
        stages.append(stage)
    return Classifier(stem, stages, channels, num_classes, in_channels, min_size, named(bn=bn(channels), relu=relu()))


@register
def densenet(
    blocks: Sequence[int] = (6, 12, 24, 16),
    growth_rate: int = 32,
    bottleneck: bool = True,
    compression: float = 0.5,
    dropout: float = 0.0,
    memory_efficient: bool = False,
    stem: Stem = "imagenet",
    width: float = 1.0,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> Classifier:
    """The ImageNet networks of table 1: `blocks` counts the layers of each dense block, `width` scales growth_rate.

    Minimum input 29 pixels with four blocks: the stem rounds sizes up, the transitions round down (small stem: 8).
    """
    growth = Growth(scaled(growth_rate, width), bottleneck, compression, dropout, memory_efficient)
    channels = 2 * growth.growth_rate
    halvings = 2 ** (len(blocks) - 1)
    if stem == "imagenet":
        first, min_size = imagenet_stem(in_channels, channels), 4 * (halvings - 1) + 1
    else:
        first, min_size = named(conv=conv(in_channels, channels, 3)), halvings
    return assemble(first, channels, blocks, growth, num_classes, in_channels, min_size)


@register
def densenet_cifar(
    depth: int = 40,
    growth_rate: int = 12,
    bottleneck: bool = False,
    compression: float = 1.0,
    dropout: float = 0.0,
    memory_efficient: bool = False,
    width: float = 1.0,
    num_classes: int = 10,
    in_channels: int = 3,
) -> Classifier:
    """The CIFAR networks of table 2: three blocks of n layers, depth L = 3n + 4, or 6n + 4 with `bottleneck` (B).

    DenseNet-BC is bottleneck=True, compression=0.5 and has a stem of 2k channels. `width` scales growth_rate and the
    stem. Minimum input 4 pixels.
    """
    period = 6 if bottleneck else 3
    layers, rest = divmod(depth - 4, period)
    if rest or layers < 1:
        raise ValueError(f"depth is {period}n + 4 ({period + 4}, {2 * period + 4}, ...), not {depth}")
    growth = Growth(scaled(growth_rate, width), bottleneck, compression, dropout, memory_efficient)
    channels = 2 * growth.growth_rate if bottleneck and compression < 1 else scaled(CIFAR_STEM, width)
    stem = named(conv=conv(in_channels, channels, 3))
    return assemble(stem, channels, (layers,) * 3, growth, num_classes, in_channels, min_size=4)


IMAGENET_VARIANTS: dict[str, dict[str, Any]] = {
    "densenet121": {"blocks": (6, 12, 24, 16)},
    "densenet161": {"blocks": (6, 12, 36, 24), "growth_rate": 48},
    "densenet169": {"blocks": (6, 12, 32, 32)},
    "densenet201": {"blocks": (6, 12, 48, 32)},
    "densenet264": {"blocks": (6, 12, 64, 48)},
    # Pleiss et al. 2017 print 32 layers in the second block; only 12 give the parameters that they print
    "densenet232_k48": {"blocks": (6, 12, 48, 48), "growth_rate": 48},
    "densenet264_k48": {"blocks": (6, 12, 64, 48), "growth_rate": 48},
}
register_variants(densenet, IMAGENET_VARIANTS)

CELLS = {"1": "first", "2": "second"}
REFERENCE_NAMES: tuple[Rule, ...] = (
    # torchvision's weight files are older than its code and still have these names
    (r"\.(norm|conv)\.([12])\.", r".\1\2."),
    (r"^features\.conv0\.", "stem.conv."),
    (r"^features\.norm0\.", "stem.bn."),
    (r"^features\.norm5\.", "final.bn."),
    (r"^classifier\.", "fc."),
    (r"^features\.transition(\d)\.", lambda match: f"stages.{int(match[1]) - 1}.transition."),
    (r"^features\.denseblock(\d)\.", lambda match: f"stages.{int(match[1]) - 1}.block."),
    (r"\.denselayer(\d+)\.", lambda match: f".{int(match[1]) - 1}."),
    (r"(\d\.)(norm|conv)([12])\.", lambda match: f"{match[1]}{CELLS[match[3]]}.{match[2]}."),
    (r"\.norm\.", ".bn."),
)
REFERENCES = [f"densenet{depth}" for depth in (121, 161, 169, 201)]
register_reference("torchvision", REFERENCES, REFERENCE_NAMES)
register_reference("timm", REFERENCES, REFERENCE_NAMES)
