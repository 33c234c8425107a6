"""A small network whose parts are options, for what the source documents say of single parts of a network.

It is no paper's network: stem, stages of equal layers, a convolution with a reduction of the map between two stages,
and a head. So two variants differ in the part that a question is about and in nothing else.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from replicate.models.layers.blocks import Classifier, Residual, scaled
from replicate.models.layers.pooling import CentreWeightedPool, RootMeanSquarePool
from replicate.models.lenet import CODE, RadialBasis, ScaledTanh, class_codes
from replicate.models.mobilefacenet import GlobalDepthwise
from replicate.models.registry import register
from replicate.models.stochastic_depth import make_stochastic

Activation = Literal["relu", "sigmoid", "tanh", "prelu", "elu", "maxout"]
Norm = Literal["batch", "none"]
Reduction = Literal["none", "strided", "max", "mean", "l2", "weighted", "overlapping", "pool_first", "parallel"]
Head = Literal["average", "dense", "global_depthwise", "rbf", "softmax"]

T = TypeVar("T")

PIECES = 2  # linear maps among which a maxout unit takes the largest
KERNELS = re.compile(r"\d+x\d+(\+\d+x\d+)*")


class Maxout(nn.Module):
    """The largest of every two neighbouring channels: (n, 2 c, h, w) to (n, c, h, w) (Goodfellow et al. 2013)."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.view(len(maps), -1, PIECES, *maps.shape[2:]).amax(2)


ACTIVATIONS: dict[str, Callable[[int], nn.Module]] = {
    "relu": lambda channels: nn.ReLU(inplace=True),
    "sigmoid": lambda channels: nn.Sigmoid(),
    "tanh": lambda channels: nn.Tanh(),
    "prelu": lambda channels: nn.PReLU(channels),
    "elu": lambda channels: nn.ELU(inplace=True),
    "maxout": lambda channels: Maxout(),
}
POOLS: dict[str, Callable[[], nn.Module]] = {
    "none": nn.Identity,
    "max": lambda: nn.MaxPool2d(2),
    "mean": lambda: nn.AvgPool2d(2),
    "l2": RootMeanSquarePool,
    "weighted": CentreWeightedPool,
    "overlapping": lambda: nn.MaxPool2d(3, stride=2, padding=1),
}


@dataclass(frozen=True)
class Style:
    """What every layer of a network shares."""

    activation: Activation
    norm: Norm
    dropout: float

    def layer(
        self, inputs: int, outputs: int, kernel: tuple[int, int] = (3, 3), stride: int = 1, active: bool = True
    ) -> nn.Sequential:
        """Convolution, normalisation, activation, dropout; without the last two if not `active`."""
        maps = outputs * (PIECES if active and self.activation == "maxout" else 1)
        padding = (kernel[0] // 2, kernel[1] // 2)
        layers = OrderedDict[str, nn.Module](
            conv=nn.Conv2d(inputs, maps, kernel, stride, padding, bias=self.norm == "none")
        )
        if self.norm == "batch":
            layers["bn"] = nn.BatchNorm2d(maps)
        if active:
            layers["activation"] = ACTIVATIONS[self.activation](outputs)
            if self.dropout:
                layers["dropout"] = nn.Dropout(self.dropout)
        return nn.Sequential(layers)

    def row(self, inputs: int, outputs: int, kernels: Sequence[tuple[int, int]], active: bool = True) -> nn.Sequential:
        """Layers one after the other, the first of which changes the number of channels."""
        widths = [inputs, *(outputs for _ in kernels)]
        last = len(kernels) - 1
        return nn.Sequential(
            *(self.layer(widths[i], outputs, kernel, active=active or i < last) for i, kernel in enumerate(kernels))
        )


class Parallel(nn.Module):
    """Branches that read the same maps, their outputs side by side along the channels."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([branch(maps) for branch in self.branches], 1)


def kernels_of(layer: str) -> list[tuple[int, int]]:
    """`3x3`, `3x3+3x3` or `1x7+7x1` as (height, width) of each convolution. Raises ValueError for anything else."""
    found = [(int(height), int(width)) for height, width in re.findall(r"(\d+)x(\d+)", layer)]
    if not KERNELS.fullmatch(layer) or not all(height % 2 and width % 2 for height, width in found):
        raise ValueError(f"kernel is naive, reduced, or odd kernels such as 3x3, 1x7+7x1, not {layer!r}")
    return found


def naive_module(style: Style, inputs: int, outputs: int) -> tuple[nn.Module, int]:
    """1x1, 3x3 and 5x5 beside a pool that hands on all channels, a quarter of `outputs` each: and so it grows."""
    share = max(1, outputs // 4)
    convolutions = [style.layer(inputs, share, (side, side)) for side in (1, 3, 5)]
    return Parallel(*convolutions, nn.MaxPool2d(3, stride=1, padding=1)), 3 * share + inputs


def reduced_module(style: Style, inputs: int, outputs: int) -> tuple[nn.Module, int]:
    """The same with a 1x1 convolution before 3x3 and 5x5, to half of their outputs, and after the pool."""
    share = max(1, outputs // 4)
    narrow = max(1, share // 2)
    wide = [
        nn.Sequential(style.layer(inputs, narrow, (1, 1)), style.layer(narrow, share, (side, side))) for side in (3, 5)
    ]
    pooled = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), style.layer(inputs, share, (1, 1)))
    return Parallel(style.layer(inputs, share, (1, 1)), *wide, pooled), 4 * share


def make_block(style: Style, layer: str, inputs: int, outputs: int, residual: bool) -> tuple[nn.Module, int]:
    """One layer of a stage with the number of channels that it gives."""
    if layer in ("naive", "reduced"):
        if residual:
            raise ValueError("a residual layer is a row of convolutions, no module of several sizes")
        return (naive_module if layer == "naive" else reduced_module)(style, inputs, outputs)
    kernels = kernels_of(layer)
    if not residual:
        return style.row(inputs, outputs, kernels), outputs
    if style.activation == "maxout":
        raise ValueError("maxout halves the channels, so that no shortcut fits")
    branch = style.row(inputs, outputs, kernels, active=False)
    return Residual(branch, nn.Identity(), ACTIVATIONS[style.activation](outputs)), outputs


def make_reduction(style: Style, kind: Reduction, inputs: int, outputs: int) -> nn.Module:
    """From one stage to the next: a 3x3 convolution to the new width, and half of the side in one of several ways.

    A pool's name: convolution, then pool. strided: the convolution has the stride. pool_first: max pool, then
    convolution. parallel: the strided convolution gives what is new, the max pool the rest (Szegedy et al. 2016).
    """
    if kind in POOLS:
        return nn.Sequential(OrderedDict(layer=style.layer(inputs, outputs), pool=POOLS[kind]()))
    if kind == "strided":
        return style.layer(inputs, outputs, stride=2)
    if kind == "pool_first":
        return nn.Sequential(OrderedDict(pool=nn.MaxPool2d(2), layer=style.layer(inputs, outputs)))
    if outputs <= inputs:
        raise ValueError("a parallel reduction needs more channels behind it than before it")
    return Parallel(style.layer(inputs, outputs - inputs, stride=2), nn.MaxPool2d(2, ceil_mode=True))


def make_stages(
    style: Style, layers: Sequence[str], widths: Sequence[int], depths: Sequence[int], kind: Reduction, residual: bool
) -> tuple[nn.Sequential, int]:
    """Every stage with its reduction as its last child, and the channels that leave the last one."""
    stages, channels = [], widths[0]
    for number, (layer, width, depth) in enumerate(zip(layers, widths, depths, strict=True), 1):
        blocks = []
        for _ in range(depth):
            block, channels = make_block(style, layer, channels, width, residual)
            blocks.append(block)
        if number < len(widths):
            blocks.append(make_reduction(style, kind, channels, widths[number]))
            channels = widths[number]
        stages.append(nn.Sequential(*blocks))
    return nn.Sequential(*stages), channels


def make_final(head: Head, style: Style, channels: int, side: int, hidden: int) -> tuple[nn.Module, int]:
    """What stands between the stages and the average over all pixels, and the features that it gives.

    A dense hidden layer is the convolution whose kernel covers the map, so that larger images are averaged over.
    """
    if head == "dense":
        layers = [nn.Conv2d(channels, hidden, side), ACTIVATIONS["relu"](hidden)]
        return nn.Sequential(*layers), hidden
    if head == "global_depthwise":
        return GlobalDepthwise(channels, side), channels
    return nn.Identity(), channels


def coded(head: Head, features: int, num_classes: int) -> nn.Sequential:
    """LeNet's end on any features: 84 squashed units, then their distance from each class's code, or a linear layer."""
    output = RadialBasis(class_codes(num_classes), False) if head == "rbf" else nn.Linear(CODE, num_classes)
    return nn.Sequential(OrderedDict(f6=nn.Linear(features, CODE), squash=ScaledTanh(), output=output))


def of_stages(option: str, values: Sequence[T], stages: int) -> Sequence[T]:
    """`values`, one for each stage. Raises ValueError where there are more or fewer."""
    if len(values) != stages:
        raise ValueError(f"{option} has {len(values)} values for {stages} stages")
    return values


@register
def small_cnn(
    kernel: str | Sequence[str] = "3x3",
    widths: Sequence[int] = (16, 32, 64),
    depth: int | Sequence[int] = 1,
    activation: Activation = "relu",
    norm: Norm = "batch",
    reduction: Reduction = "max",
    head: Head = "average",
    hidden: int = 64,
    residual: bool = False,
    survival_probability: float = 1.0,
    dropout: float = 0.0,
    image_size: int = 16,
    width: float = 1.0,
    num_classes: int = 10,
    in_channels: int = 1,
) -> Classifier:
    """A stage of `depth` layers for each of `widths`; `kernel` and `depth` may differ from stage to stage.

    kernel: kernels in a row (3x3, 3x3+3x3, 1x7+7x1), or Inception's module, naive or reduced. head: average, that is
    global average pooling and a linear layer; `hidden` dense units; a global depthwise convolution; rbf or softmax
    behind LeNet's 84 units. Dense and global depthwise heads are made for images of `image_size`. residual: each layer
    gets a shortcut; survival_probability under 1 then drops them at random, linearly with depth (Huang et al. 2016).
    Minimum input 2 ** (stages - 1) pixels; with a head that covers the map as many as give its side.
    """
    style, count = Style(activation, norm, dropout), len(widths)
    channels = [scaled(stage, width) for stage in widths]
    layers = of_stages("kernel", [kernel] * count if isinstance(kernel, str) else kernel, count)
    depths = of_stages("depth", [depth] * count if isinstance(depth, int) else depth, count)
    stages, features = make_stages(style, layers, channels, depths, reduction, residual)
    halvings = 0 if reduction == "none" else count - 1
    side = image_size // 2**halvings
    if side < 1:
        raise ValueError(f"images of {image_size} pixels cannot be halved {halvings} times")
    final, features = make_final(head, style, features, side, scaled(hidden, width))
    smallest = 2**halvings * (side if head in ("dense", "global_depthwise") else 1)
    stem = style.layer(in_channels, channels[0])
    network = Classifier(stem, stages, features, num_classes, in_channels, smallest, final)
    if head in ("rbf", "softmax"):
        network.add_module("fc", coded(head, features, num_classes))
    if survival_probability < 1:
        if not residual or head in ("rbf", "softmax"):
            raise ValueError("survival_probability is of residual layers, with a head that ends in one linear layer")
        network = make_stochastic(network, survival_probability, "linear", None)
    return network
