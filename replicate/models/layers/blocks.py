"""The few pieces that most of the networks share. Everything else is in the file of its paper."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.errors import UserError

Stem = Literal["imagenet", "small"]
"""The paper's first layers, or layers that keep images of 16 to 32 pixels at full size."""
MakeActivation = Callable[[], nn.Module]

relu = partial(nn.ReLU, inplace=True)
relu6 = partial(nn.ReLU6, inplace=True)


def check_images(images: Tensor, in_channels: int, min_size: int) -> None:
    """Refuse a batch the network cannot take: not (batch, in_channels, height, width), or under `min_size` pixels."""
    if images.dim() != 4 or images.shape[1] != in_channels:
        raise UserError(f"expected images of shape (batch, {in_channels}, height, width), got {tuple(images.shape)}")
    if min(images.shape[2:]) < min_size:
        height, width = images.shape[2:]
        raise UserError(f"images of {height}x{width} pixels are too small: the smallest size that works is {min_size}")


def scaled(channels: int, width: float) -> int:
    """`channels` times the width factor, rounded, at least 1."""
    return max(1, round(channels * width))


class Scale(nn.Module):
    """x times a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


def conv(
    in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1, bias: bool = False
) -> nn.Conv2d:
    """A convolution padded to keep the map's size at stride 1; no bias, since batch normalisation follows."""
    return nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, groups=groups, bias=bias)


def bn(channels: int, epsilon: float = 1e-5) -> nn.BatchNorm2d:
    """Batch normalisation with torch's momentum 0.1, which counts the new value.

    The papers' Caffe and Torch7 models say the same in the other way: they keep 0.9 of the old value.
    """
    return nn.BatchNorm2d(channels, epsilon)


def named(**layers: nn.Module) -> nn.Sequential:
    """The layers in a row, under their names."""
    return nn.Sequential(OrderedDict(layers))


def conv_bn(in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution and batch normalisation, no activation. Submodules: conv, bn."""
    return named(conv=conv(in_channels, out_channels, kernel, stride, groups), bn=bn(out_channels))


def conv_bn_relu(
    in_channels: int,
    out_channels: int,
    kernel: int,
    stride: int = 1,
    groups: int = 1,
    activation: MakeActivation = relu,
) -> nn.Sequential:
    """Convolution, batch normalisation, activation. Submodules: conv, bn, relu."""
    layers = conv_bn(in_channels, out_channels, kernel, stride, groups)
    layers.add_module("relu", activation())
    return layers


def post_activation(*convolutions: nn.Conv2d, last_relu: bool = False) -> nn.Sequential:
    """BN and ReLU after each convolution: conv1, bn1, relu1, conv2, ...

    The last ReLU is left out by default, because in a residual branch a sum comes before it.
    """
    layers = nn.Sequential()
    for number, convolution in enumerate(convolutions, 1):
        layers.add_module(f"conv{number}", convolution)
        layers.add_module(f"bn{number}", bn(convolution.out_channels))
        if last_relu or number < len(convolutions):
            layers.add_module(f"relu{number}", relu())
    return layers


class Residual(nn.Module):
    """y = activation(shortcut(h) + branch(h)) with h = entry(x), the block of every residual network here.

    He et al. 2015, equation 1. `entry` is the pre-activation that both paths share, where a unit has one (He et al.
    2016). A study may replace `branch`; a plain network has shortcut None.
    """

    def __init__(
        self,
        branch: nn.Module,
        shortcut: nn.Module | None = None,
        activation: nn.Module | None = None,
        entry: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.entry = entry if entry is not None else nn.Identity()
        self.branch = branch
        self.shortcut = shortcut
        self.activation = activation if activation is not None else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.entry(x)
        out = self.branch(x)
        if self.shortcut is not None:
            out = out + self.shortcut(x)
        return self.activation(out)


class ZeroPadShortcut(nn.Module):
    """Option A: every `stride`-th pixel, new channels filled with zeros; no parameters (He et al. 2015, section 3.3).

    The zeros are appended after the copied channels, as fb.resnet.torch does.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.new_channels, self.stride = out_channels - in_channels, stride
        if self.new_channels < 0:
            raise ValueError(f"option A cannot narrow {in_channels} channels to {out_channels}")

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new_channels))


class Classifier(nn.Module):
    """Stem, stages, global average pool, fully connected layer: the outline of most networks after 2014.

    `stages` is a Sequential of Sequentials of blocks, so that a study can walk and replace the blocks.
    Input (batch, in_channels, height, width), output logits (batch, num_classes).
    """

    def __init__(
        self,
        stem: nn.Module,
        stages: nn.Sequential,
        features: int,
        num_classes: int,
        in_channels: int,
        min_size: int,
        final: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.in_channels, self.min_size = in_channels, min_size
        self.stem, self.stages = stem, stages
        self.final = final if final is not None else nn.Identity()  # pre-activation networks end in BN and ReLU
        self.fc = nn.Linear(features, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.in_channels, self.min_size)
        maps = self.final(self.stages(self.stem(images)))
        return self.fc(torch.mean(maps, dim=(2, 3)))


BlockBuilder = Callable[[int, int, int], nn.Module]
"""(in_channels, out_channels, stride) -> block"""


def make_stages(
    build: BlockBuilder, widths: Sequence[Sequence[int]], strides: Sequence[int], in_channels: int
) -> nn.Sequential:
    """A stage for each row of `widths`, with a block for each width; the first block of a stage takes its stride."""
    stages = []
    for row, stride in zip(widths, strides, strict=True):
        blocks = []
        for index, channels in enumerate(row):
            blocks.append(build(in_channels, channels, stride if index == 0 else 1))
            in_channels = channels
        stages.append(nn.Sequential(*blocks))
    return nn.Sequential(*stages)


def imagenet_stem(in_channels: int, width: int) -> nn.Sequential:
    """7x7 convolution with stride 2, BN, ReLU, 3x3 max pooling with stride 2: maps of a quarter of the size.

    The pool is padded on all sides as in Torch; He et al.'s Caffe model pads it at the far edge only.
    """
    stem = conv_bn_relu(in_channels, width, 7, stride=2)
    stem.add_module("pool", nn.MaxPool2d(3, stride=2, padding=1))
    return stem
