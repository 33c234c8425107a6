"""The figures of the Inception papers as data: chains of convolutions and pools, forked and concatenated.

A figure becomes a few lists of :class:`Conv`, :class:`Pool` and :class:`Fork`; :class:`Units` builds them. How many
channels leave a module and how large an image it needs are read off the built module.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from replicate.models.layers.auxiliary import AuxOutput
from replicate.models.layers.blocks import Residual, Stem, bn, check_images, relu, scaled

Item = TypeVar("Item")
Activation = Literal["relu", "sigmoid"]
Padding = Literal["same", "valid", "ceil"]

BN_EPSILON = 1e-3  # used by every Inception with published weights; the papers do not state it


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
    """The side in pixels of the smallest input from which `module` makes maps of at least `side` pixels a side.

    A layer of stride s needs s pixels for each output pixel, even where padding would let it work with fewer.
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
    """How one network builds its convolutions. The width factor multiplies every channel count."""

    width: float = 1.0
    batch_norm: bool = True
    bias: bool = False  # a bias although batch normalisation makes it idle; without BN there always is one
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
            unit.add_module("bn", bn(outputs, self.epsilon))
        if not self.activation_first:
            unit.add_module("act", self._act())
        return unit

    def chain(self, inputs: int, steps: Sequence[Step]) -> nn.Sequential:
        """The steps one after the other."""
        return grow(inputs, self.builders(numbered(steps)))

    def stem(self, in_channels: int, steps: Sequence[Step], stem: Stem) -> nn.Sequential:
        """The steps as a stem; the small one keeps images at full size."""
        return self.chain(in_channels, steps if stem == "imagenet" else full_size(steps))

    def build(self, inputs: int, step: Step) -> nn.Module:
        """The module of one step for `inputs` channels."""
        if isinstance(step, Conv):
            return self.conv(inputs, step)
        if isinstance(step, Pool):
            return make_pool(step)
        return Branches(self.chain(inputs, branch) for branch in step.branches)

    def builders(self, steps: Mapping[str, Step]) -> "dict[str, Builder]":
        """The builders of named steps."""
        return {name: partial(self.build, step=step) for name, step in steps.items()}

    def _act(self) -> nn.Module:
        return relu() if self.activation == "relu" else nn.Sigmoid()


Builder = Callable[[int], nn.Module]
"""in_channels -> module"""


def grow(inputs: int, builders: Mapping[str, Builder]) -> nn.Sequential:
    """Named modules in a row, each built for the number of channels that the one before it leaves."""
    row = nn.Sequential()
    for name, build in builders.items():
        row.add_module(name, build(inputs))
        inputs = out_channels(row[-1], inputs)
    return row


def numbered(items: Sequence[Item]) -> dict[str, Item]:
    """Names 0, 1, ... for the blocks that the paper does not name."""
    return {str(index): item for index, item in enumerate(items)}


def full_size(steps: Sequence[Step]) -> list[Step]:
    """The same steps with maps of constant size: the stem for images of 16 to 32 pixels.

    Strides and valid padding are removed, and so are pools, except where one is a branch.
    """
    return [_full_size(step) for step in steps if not isinstance(step, Pool)]


def _full_size(step: Step) -> Step:
    if isinstance(step, Conv):
        return step._replace(stride=1, valid=False)
    if isinstance(step, Pool):
        return step._replace(stride=1, padding="same")
    return Fork(*([_full_size(inner) for inner in branch] for branch in step.branches))


class InceptionNet(nn.Module):
    """Stem, named stages, global average pool, dropout, fully connected layer, and auxiliary heads along the way.

    `stages` has the builders of the blocks under the papers' names: stage "3" with block "a" is the module 3a. `heads`
    maps such a name ("4a") to the builder of the classifier on that block's output, `final` builds what follows the
    last block. Input (batch, in_channels, height, width); output logits (batch, num_classes), in training mode with
    heads an :class:`AuxOutput`, the lowest head first. Each auxiliary loss is to be weighted by `auxiliary_weight`.
    """

    def __init__(
        self,
        stem: nn.Sequential,
        stages: Mapping[str, Mapping[str, Builder]],
        num_classes: int,
        in_channels: int,
        dropout: float,
        final: Builder | None = None,
        heads: Mapping[str, Builder] | None = None,
        auxiliary_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.in_channels, self.auxiliary_weight = in_channels, auxiliary_weight
        self.stem = stem
        builders = {stage: partial(grow, builders=blocks) for stage, blocks in stages.items()}
        self.stages = grow(out_channels(stem, in_channels), builders)
        below = nn.Sequential(stem, self.stages)
        self.final = final(out_channels(below, in_channels)) if final is not None else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        trunk = nn.Sequential(below, self.final)
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
