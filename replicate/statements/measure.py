"""What the checks measure with: weights, multiplications, which outputs read which inputs."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from replicate.models.counting import OperationCounter, count_parameters

Maps = Callable[[Tensor], Tensor]
"""(batch, channels, height, width) -> the same, of other sizes"""

WEIGHTED = (torch.conv2d, F.linear)
TOLERANCE = 1e-9  # of double precision sums of a few thousand terms


def same(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors have one shape and one content within the rounding of double precision."""
    return a.shape == b.shape and torch.allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE)


def distinct(values: Tensor) -> int:
    """How many different numbers a tensor holds, or how many different rows a matrix."""
    return len(values.unique(dim=0))  # type: ignore[no-untyped-call]


def only(values: Tensor) -> int:
    """The one whole number that every element is. Raises ValueError when they differ."""
    if distinct(values.flatten()) != 1:
        raise ValueError(f"not one number but {distinct(values.flatten())}")
    return int(values.flatten()[0])


def conv(in_channels: int, out_channels: int, kernel: int | tuple[int, int], **options: Any) -> nn.Conv2d:
    """A convolution without bias and, unless asked for, without padding."""
    return nn.Conv2d(in_channels, out_channels, kernel, **{"bias": False, **options})


def chain(*channels: int, kernel: int, **options: Any) -> nn.Sequential:
    """Convolutions in a row, through these numbers of channels."""
    return nn.Sequential(*(conv(inputs, outputs, kernel, **options) for inputs, outputs in pairwise(channels)))


def weights(*layers: nn.Module) -> int:
    """Parameters of the layers together."""
    return sum(count_parameters(layer) for layer in layers)


def multiply_adds(layer: nn.Module, *shape: int) -> int:
    """Multiply-adds of one forward pass over one image of `shape`, counted on the meta device."""
    return multiplications(layer.to("meta"), torch.empty(1, *shape, device="meta"))


def multiplications(function: Callable[..., Any], *tensors: Tensor) -> int:
    """Multiply-adds of the convolutions and matrix products in function(*tensors)."""
    with OperationCounter() as counter, torch.no_grad():
        function(*tensors)
    return counter.multiply_adds


def output_shape(layer: nn.Module, *shape: int) -> tuple[int, ...]:
    """(channels, height, width) that leave `layer` for one image of `shape`; run on the meta device."""
    with torch.no_grad():
        return tuple(layer.to("meta")(torch.empty(1, *shape, device="meta")).shape[1:])


def dependence(function: Maps, *shape: int) -> Tensor:
    """Which outputs read which inputs of one random image of `shape`: bool (outputs, inputs)."""
    image = torch.randn(1, *shape)
    jacobian = torch.autograd.functional.jacobian(function, image)  # type: ignore[no-untyped-call]
    return jacobian.reshape(-1, image.numel()) != 0


def channel_dependence(function: Maps, channels: int, side: int) -> Tensor:
    """Which output channels read which input channels: bool (output channels, input channels)."""
    pixels = side * side
    reads = dependence(function, channels, side, side)
    outputs = function(torch.randn(1, channels, side, side)).shape[1]
    return reads.view(outputs, -1, channels, pixels).any(3).any(1)


def with_ones(module: nn.Module) -> nn.Module:
    """The module with every parameter 1, so that no two paths from an input to an output cancel."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(1)
    return module


def pixels_read(network: Maps, channels: int, side: int) -> Tensor:
    """Pixels of a square image that the centre of the output reads: bool (side, side)."""
    image = torch.ones(1, channels, side, side, requires_grad=True)
    maps = network(image)
    centre = maps[0, :, maps.shape[2] // 2, maps.shape[3] // 2].sum()
    return torch.autograd.grad(centre, image)[0][0].ne(0).any(0)


def extent(pixels: Tensor) -> int:
    """Rows from the first to the last that holds a pixel."""
    rows = pixels.any(1).nonzero()
    return int(rows[-1] - rows[0]) + 1


def field(network: nn.Module, channels: int, side: int) -> int:
    """Side of the receptive field of a row of convolutions, from the gradient at its input."""
    return extent(pixels_read(with_ones(network), channels, side))


@dataclass
class SavedTensors:
    """The storages that autograd saves while a module runs, each counted once, without the module's own tensors."""

    owned: set[int]
    storages: dict[int, torch.UntypedStorage] = dataclass_field(default_factory=dict)
    maps: dict[int, int] = dataclass_field(default_factory=dict)  # of storages with maps (n, c, h, w): their numbers

    def add(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        place = storage.data_ptr()
        if place not in self.owned:
            self.storages[place] = storage  # held, or another storage might come to lie here
            if tensor.dim() == 4:
                self.maps[place] = storage.nbytes() // tensor.element_size()
        return tensor

    @property
    def bytes(self) -> int:
        return sum(storage.nbytes() for storage in self.storages.values())


@contextmanager
def saved_for_backward(module: nn.Module) -> Iterator[SavedTensors]:
    """What autograd saves of the operations done inside, without parameters and buffers of `module`."""
    saved = SavedTensors({tensor.untyped_storage().data_ptr() for tensor in (*module.parameters(), *module.buffers())})
    with torch.autograd.graph.saved_tensors_hooks(saved.add, lambda tensor: tensor):
        yield saved


class Depth(TorchFunctionMode):
    """Follows a forward pass and keeps for each tensor the most `steps` that lie between it and the input."""

    def __init__(self, steps: Collection[Callable[..., Any]]) -> None:
        super().__init__()
        self.steps = steps
        self.depths = WeakTensorKeyDictionary()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            below = max((self.depths[tensor] for tensor in tensors_in(args) if tensor in self.depths), default=0)
            self.depths[result] = below + (func in self.steps)
        return result


def tensors_in(values: Iterable[Any]) -> Iterator[Tensor]:
    """The tensors among arguments, also those in a list."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from tensors_in(value)


def depth(network: nn.Module, steps: Collection[Callable[..., Any]], side: int = 224) -> int:
    """The longest way through the network, counted in `steps`."""
    with torch.no_grad(), Depth(steps) as mode:
        result = network.to("meta").eval()(torch.empty(1, 3, side, side, device="meta"))
        return int(mode.depths[result])
