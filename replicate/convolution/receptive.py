"""Receptive fields of networks: by the recursion with strides, and from the gradient at the input."""

from collections.abc import Iterator
from copy import deepcopy
from typing import NamedTuple

import torch
from torch import nn

from replicate.convolution.measure import extent, pixels_read, with_ones

WINDOWS = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
PLAIN = (nn.ReLU, nn.ReLU6, nn.PReLU, nn.Tanh, nn.Sigmoid, nn.Dropout, nn.BatchNorm2d, nn.LocalResponseNorm)
"""Layers in which a pixel reads itself only, whatever they do to its value."""


class Window(NamedTuple):
    """What decides a field: (dilated) kernel and stride, in pixels, of one layer."""

    kernel: int
    stride: int


def window_layers(network: nn.Module, channels: int, side: int) -> list[Window]:
    """The windows that an image passes in a network without branches, in the order of a forward pass."""
    seen: list[Window] = []

    def note(layer: nn.Module, *_: object) -> None:
        seen.append(window(layer))

    handles = [layer.register_forward_hook(note) for layer in network.modules() if isinstance(layer, WINDOWS)]
    try:
        with torch.no_grad():
            network(torch.zeros(1, channels, side, side))
    finally:
        for handle in handles:
            handle.remove()
    return seen


def window(layer: nn.Module) -> Window:
    """The larger side of a layer's window, its holes included, and its stride."""
    kernel, stride, dilation = (largest(getattr(layer, name, 1)) for name in ("kernel_size", "stride", "dilation"))
    return Window((kernel - 1) * dilation + 1, stride)


def largest(value: int | tuple[int, ...]) -> int:
    return max(value) if isinstance(value, tuple) else int(value)


def recursive_fields(windows: list[Window]) -> Iterator[int]:
    """r_l = r_(l-1) + (k_l - 1) s_1 ... s_(l-1): the field after each window, in pixels of the input."""
    size, step = 1, 1
    for kernel, stride in windows:
        size += (kernel - 1) * step
        step *= stride
        yield size


def transparent(network: nn.Module) -> nn.Module:
    """A copy in which every window adds up what it sees, so that no gradient cancels, is cut off or picks a pixel."""
    twin = with_ones(deepcopy(network)).eval()
    for parent in [*twin.modules()]:
        for name, child in [*parent.named_children()]:
            if isinstance(child, PLAIN):
                setattr(parent, name, nn.Identity())
            elif isinstance(child, nn.MaxPool2d):
                setattr(parent, name, averaging(child))
    return twin


def averaging(pool: nn.MaxPool2d) -> nn.AvgPool2d:
    """The average over the same windows."""
    return nn.AvgPool2d(pool.kernel_size, pool.stride, pool.padding, pool.ceil_mode)


def measured_field(network: nn.Module, channels: int, side: int) -> int:
    """Side of the square of pixels that the centre of the output reads, at most `side`: from the input's gradient."""
    return extent(pixels_read(transparent(network), channels, side))
