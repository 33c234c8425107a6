"""Receptive fields of networks measured from gradients at the input, beside those that the recursion gives.

All fields are along the rows of an image.
"""

from typing import Any

import torch
from torch import Tensor, nn

from replicate.compat import replace_product
from replicate.models.layers.squeeze_excitation import SqueezeExcitation
from replicate.models.lenet import ScaledTanh
from replicate.statements.measure import with_ones
from replicate.statements.reach import Reach

MARGIN = 4  # strides of the last maps by which an image is wider than a field
PLAIN = (nn.ReLU, nn.ReLU6, nn.PReLU, nn.Tanh, ScaledTanh, nn.Dropout, nn.BatchNorm2d, nn.LocalResponseNorm)
"""Layers in which a pixel reads itself only, whatever they do to its value."""


class Read(torch.autograd.Function):
    """1 where a map's number is above 0, and in the backward pass where the gradient is: what is read, not how much.

    Else a hundred layers would overflow in the middle of a field and underflow at its edges.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        return (maps > 0).to(maps.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return (gradients[0] > 0).to(gradients[0].dtype)


def read(maps: Tensor) -> Tensor:
    """:class:`Read` of the sums that a window makes."""
    return Read.apply(maps)  # type: ignore[no-untyped-call,no-any-return]


class OnesConv2d:
    """What nn.Conv2d does with kernels of ones and no bias: all kernels are equal, so one a group is enough.

    It stands in for a layer's product alone, so that a subclass still pads as it does.
    """

    def __init__(self, layer: nn.Conv2d) -> None:
        self.layer, self.kernel = layer, torch.ones(layer.groups, 1, *layer.kernel_size)

    def __call__(self, maps: Tensor, *_: object) -> Tensor:
        layer, groups = self.layer, self.layer.groups
        sums = maps.reshape(len(maps), groups, -1, *maps.shape[2:]).sum(2)
        sums = nn.functional.conv2d(sums, self.kernel, None, layer.stride, layer.padding, layer.dilation, groups)
        alike = read(sums)[:, :, None].expand(-1, -1, layer.out_channels // groups, -1, -1)
        return alike.flatten(1, 2)


class OnesLinear(nn.Module):
    """A fully connected layer with weights of 1."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, x: Tensor) -> Tensor:
        return x.sum(-1, keepdim=True).expand(*x.shape[:-1], self.outputs)


def stand_in(layer: nn.Module) -> nn.Module | None:
    """What takes a layer's place in :func:`transparent`; None: nothing does.

    Maximum pooling gives way to the average over the same windows, so that it picks no pixel.
    """
    if isinstance(layer, PLAIN):
        return nn.Identity()
    if isinstance(layer, nn.MaxPool2d):
        return nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding, layer.ceil_mode)
    return OnesLinear(layer.out_features) if isinstance(layer, nn.Linear) else None


def transparent(network: nn.Module) -> nn.Module:
    """Make a network, in place, add up what each of its windows sees: no gradient cancels, is cut off or picks a pixel.

    Its convolutions do not read their weights any more, so that these may lie on the meta device.
    """
    for parent in [*network.modules()]:
        for name, child in [*parent.named_children()]:
            setattr(parent, name, stand_in(child) or child)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            replace_product(layer, OnesConv2d(layer))
        if isinstance(layer, nn.AvgPool2d):
            layer.register_forward_hook(lambda pool, images, maps: read(maps))
    return with_ones(network).eval()


def own_tensors(layer: nn.Module) -> bool:
    """Whether a layer that nothing stands in for has parameters or buffers."""
    known = isinstance(layer, (nn.Conv2d, nn.Linear, *PLAIN))
    return not known and any(True for _ in (*layer.parameters(recurse=False), *layer.buffers(recurse=False)))


def last_maps(network: nn.Module, images: Tensor) -> Tensor:
    """The last maps of a pass that an adaptive pool, a mean or a fully connected layer has not summed up yet."""
    seen: list[Tensor] = []

    def note(layer: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and output.dim() == 4 and output.shape[3] > 1:
            seen.extend([] if isinstance(layer, nn.AdaptiveAvgPool2d) else [output])

    handles = [layer.register_forward_hook(note) for layer in network.modules()]
    network(images)
    for handle in handles:
        handle.remove()
    return seen[-1]


def columns_read(network: nn.Module, channels: int, height: int, width: int) -> Tensor:
    """Columns of an image in which the unit in the middle of the last maps reads a pixel: bool (width)."""
    images = torch.ones(1, channels, height, width, requires_grad=True)
    maps = last_maps(network, images)
    unit = maps[0, :, maps.shape[2] // 2, maps.shape[3] // 2].sum()
    return torch.autograd.grad(unit, images)[0][0].ne(0).any(0).any(0)


def measured_field(network: nn.Module, channels: int, height: int, reach: Reach) -> tuple[int, bool]:
    """Columns from the first to the last that a unit reads by itself, and whether its gates read all of them.

    All of them is all but the fewer than a stride that unpadded layers leave over at the far edge. `network` is
    transparent; the image is as wide as `reach` asks for. Raises ValueError where it still cuts a field.
    """
    width = max(height, reach.field + MARGIN * reach.jump)
    gates = [layer for layer in network.modules() if isinstance(layer, SqueezeExcitation)]
    everything = bool(gates) and int(columns_read(network, channels, height, width).sum()) > width - reach.jump
    for gate in gates:
        gate.gate = open_gate  # type: ignore[method-assign,assignment]
    places = columns_read(network, channels, height, width).nonzero()
    first, last = int(places[0]), int(places[-1])
    if first == 0 or last == width - 1:
        raise ValueError(f"{width} pixels cut off the field of a unit that reads {first} to {last}")
    return last - first + 1, everything


def open_gate(maps: Tensor) -> Tensor:
    """A gate that looks at nothing."""
    return maps.new_ones(())
