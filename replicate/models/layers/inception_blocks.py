"""What the Inception papers draw, as data: chains of convolutions and pools, forked and concatenated.

A figure of a paper becomes a few lists of :class:`Conv`, :class:`Pool` and :class:`Fork`; :class:`Units` builds
them. How many channels leave a module and how large an image it needs are read off the built module.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from replicate.models.layers.auxiliary import AuxOutput
from replicate.models.layers.blocks import BN_MOMENTUM, Residual, check_images, scaled

Stem = Literal["imagenet", "small"]
Activation = Literal["relu", "sigmoid"]
Padding = Literal["same", "valid", "ceil"]

BN_EPSILON = 1e-3  # of every Inception with published weights; the papers do not state it


class Conv(NamedTuple):
    """One convolution: output channels, kernel (a pair is rows, columns), stride; `valid` is the V of the figures."""

    channels: int
    kernel: int | tuple[int, int] = 1
    stride: int = 1
    valid: bool = False


class Pool(NamedTuple):
    """One pooling: "ceil" is valid, with a last window that may reach over the edge (Caffe's)."""

    kind: Literal["max", "avg"]
    stride: int = 1
    padding: Padding = "same"
    kernel: int = 3
    count_padding: bool = False  # does an average count the padded zeros? torch: yes, TensorFlow: no


class Fork:
    """Chains that read the same maps; their outputs are concatenated."""

    def __init__(self, *branches: "Sequence[Conv | Pool | Fork]") -> None:
        self.branches = branches


Step = Conv | Pool | Fork


def check_choice(option: str, value: str, choices: Any) -> None:
    """ValueError unless `value` is one of the strings of the Literal type `choices`."""
    if value not in get_args(choices):
        raise ValueError(f"{option} is one of {', '.join(get_args(choices))}, not {value!r}")


class Branches(nn.ModuleList):
    """A built fork: (batch, channels, height, width) through every branch, concatenated over channels."""

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([branch(maps) for branch in self], 1)


def out_channels(module: nn.Module, inputs: int) -> int:
    """Channels that leave `module` when `inputs` enter."""
    match module:
        case nn.Conv2d():
            return module.out_channels
        case Branches():
            return sum(out_channels(branch, inputs) for branch in module)
        case Residual():
            return out_channels(module.branch, inputs)
        case nn.Sequential():
            for child in module:
                inputs = out_channels(child, inputs)
    return inputs


def smallest_side(module: nn.Module, side: int = 1) -> int:
    """Pixels a side that `module` needs to put out at least `side`.

    A layer of stride s needs s pixels for each that it puts out, even where padding would let it live on fewer.
    """
    match module:
        case nn.Conv2d() | nn.MaxPool2d() | nn.AvgPool2d():
            return _window_side(module, side)
        case nn.AdaptiveAvgPool2d():
            return 1
        case Branches():
            return max(smallest_side(branch, side) for branch in module)
        case Residual():
            return smallest_side(module.branch, side)
        case nn.Sequential():
            for child in reversed(module):
                side = smallest_side(child, side)
    return side


def _window_side(layer: nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d, side: int) -> int:
    kernel, stride = _pair(layer.kernel_size), _pair(layer.stride)[0]
    padding = _pair(layer.padding)
    overhang = stride - 1 if getattr(layer, "ceil_mode", False) else 0
    exact = max((side - 1) * stride + kernel[axis] - 2 * padding[axis] - overhang for axis in (0, 1))
    return max(exact, side * stride)


def _pair(value: int | tuple[int, ...] | str) -> tuple[int, ...]:
    assert not isinstance(value, str)  # torch also takes padding="same", which nothing here uses
    return value if isinstance(value, tuple) else (value, value)


def make_pool(pool: Pool) -> nn.MaxPool2d | nn.AvgPool2d:
    """The layer of a :class:`Pool`."""
    padding, ceil = pool.kernel // 2 if pool.padding == "same" else 0, pool.padding == "ceil"
    if pool.kind == "max":
        return nn.MaxPool2d(pool.kernel, pool.stride, padding, ceil_mode=ceil)
    return nn.AvgPool2d(pool.kernel, pool.stride, padding, ceil_mode=ceil, count_include_pad=pool.count_padding)


@dataclass(frozen=True)
class Units:
    """How one network builds its convolutions, with the width factor on every channel count."""

    width: float = 1.0
    batch_norm: bool = True
    bias: bool = False  # beside batch normalisation, which makes it idle; without, there always is one
    activation: Activation = "relu"
    activation_first: bool = False
    epsilon: float = BN_EPSILON

    def conv(self, inputs: int, step: Conv) -> nn.Sequential:
        """Convolution, batch normalisation, activation. Submodules: conv, bn, act."""
        rows, columns = _pair(step.kernel)
        padding = (0, 0) if step.valid else (rows // 2, columns // 2)
        outputs = scaled(step.channels, self.width)
        bias = self.bias or not self.batch_norm
        unit = nn.Sequential()
        unit.add_module("conv", nn.Conv2d(inputs, outputs, (rows, columns), step.stride, padding, bias=bias))
        if self.activation_first:
            unit.add_module("act", self._act())
        if self.batch_norm:
            unit.add_module("bn", nn.BatchNorm2d(outputs, self.epsilon, BN_MOMENTUM))
        if not self.activation_first:
            unit.add_module("act", self._act())
        return unit

    def chain(self, inputs: int, steps: Sequence[Step]) -> nn.Sequential:
        """The steps one after the other."""
        return grow(inputs, numbered([partial(self.build, step=step) for step in steps]))

    def build(self, inputs: int, step: Step) -> nn.Module:
        """The module of one step for `inputs` channels."""
        if isinstance(step, Conv):
            return self.conv(inputs, step)
        if isinstance(step, Pool):
            return make_pool(step)
        return Branches(self.chain(inputs, branch) for branch in step.branches)

    def _act(self) -> nn.Module:
        return nn.ReLU(inplace=True) if self.activation == "relu" else nn.Sigmoid()


Builder = Callable[[int], nn.Module]
"""in_channels -> module"""


def grow(inputs: int, builders: Mapping[str, Builder]) -> nn.Sequential:
    """Named modules in a row, each built for the number of channels that the one before it leaves."""
    row = nn.Sequential()
    for name, build in builders.items():
        row.add_module(name, build(inputs))
        inputs = out_channels(row[-1], inputs)
    return row


def named_stages(inputs: int, stages: Mapping[str, Mapping[str, Builder]]) -> nn.Sequential:
    """Stages of blocks under the papers' names: stage "3" with block "a" is the module 3a."""
    return grow(inputs, {stage: partial(grow, builders=blocks) for stage, blocks in stages.items()})


def numbered(builders: Sequence[Builder]) -> dict[str, Builder]:
    """Blocks that the paper does not name: 0, 1, ..."""
    return {str(index): build for index, build in enumerate(builders)}


def full_size(steps: Sequence[Step]) -> list[Step]:
    """The same steps with nothing made smaller: the stem for 16 to 32 pixel images.

    Strides and valid padding go, and so do pools, except where they are a branch of their own.
    """
    return [_full_size(step) for step in steps if not isinstance(step, Pool)]


def _full_size(step: Step) -> Step:
    if isinstance(step, Conv):
        return step._replace(stride=1, valid=False)
    if isinstance(step, Pool):
        return step._replace(stride=1, padding="same")
    return Fork(*([_full_size(inner) for inner in branch] for branch in step.branches))


class InceptionNet(nn.Module):
    """Stem, named stages, global average pool, dropout, fully connected layer, and auxiliary heads on the way.

    `heads` maps a block's name (stage and block, "4a") to the builder of the classifier on that block's output.
    Input (batch, in_channels, height, width); output logits (batch, num_classes), in training mode with heads an
    :class:`AuxOutput`, the lowest head first. Each auxiliary loss is to be weighted by `auxiliary_weight`.
    """

    def __init__(
        self,
        stem: nn.Sequential,
        stages: nn.Sequential,
        num_classes: int,
        in_channels: int,
        dropout: float,
        final: nn.Module | None = None,
        heads: Mapping[str, Builder] | None = None,
        auxiliary_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.in_channels, self.auxiliary_weight = in_channels, auxiliary_weight
        self.stem, self.stages = stem, stages
        self.final = final if final is not None else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        trunk = nn.Sequential(stem, stages, self.final)
        self.fc = nn.Linear(out_channels(trunk, in_channels), num_classes)
        self.heads, self.min_size = nn.ModuleDict(), smallest_side(trunk)
        for name, build in (heads or {}).items():
            below = self._up_to(name)
            self.heads[name] = build(out_channels(below, in_channels))
            self.min_size = max(self.min_size, smallest_side(below, smallest_side(self.heads[name])))

    def blocks(self) -> Iterator[tuple[str, nn.Module]]:
        """Every block with its name: ("3a", module), ("3b", module), ..."""
        for stage, blocks in self.stages.named_children():
            yield from ((stage + name, block) for name, block in blocks.named_children())

    def forward(self, images: Tensor) -> Tensor | AuxOutput:
        check_images(images, self.in_channels, self.min_size)
        maps, auxiliary = self.stem(images), []
        for name, block in self.blocks():
            maps = block(maps)
            if self.training and name in self.heads:
                auxiliary.append(self.heads[name](maps))
        logits = self.fc(self.dropout(torch.mean(self.final(maps), dim=(2, 3))))
        return AuxOutput(logits, tuple(auxiliary)) if auxiliary else logits

    def _up_to(self, name: str) -> nn.Sequential:
        names = [block for block, _ in self.blocks()]
        below = [block for _, block in self.blocks()][: names.index(name) + 1]
        return nn.Sequential(self.stem, *below)
