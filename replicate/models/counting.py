"""Parameters and multiply-adds of a network, exact, on the meta device: no memory, no arithmetic on images."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from replicate.errors import unknown
from replicate.models import create_model

_MOST_CALLS = 1 << 16  # of remembered calls, about 1 kB each: all registered networks at one size make 4 thousand


@dataclass(frozen=True)
class Count:
    """Integers: trainable parameters and multiply-adds of one forward pass over one image.

    `weights` are the parameters of convolutions and matrices alone, without biases and normalisation; `normalisation`
    the scales and shifts; `pooled` the values that average pools read; `maps` the shapes of what the network or layers
    give for one image, in the order in which they are called.
    """

    parameters: int
    multiply_adds: int
    weights: int = 0
    normalisation: int = 0
    pooled: int = 0
    maps: tuple[tuple[int, ...], ...] = ()

    @property
    def output(self) -> tuple[int, ...]:
        """The shape of what the last of the layers gives, () if it gives no tensor."""
        return self.maps[-1] if self.maps else ()


class OperationCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the multiply-adds of every convolution and matrix product while it is on, by torch's own formulas.

    On the meta device nothing is computed, so what a call returns follows from the shapes, strides and types of what
    it is given, and a call like an earlier one is answered from memory. (That is where the time goes: torch works out
    the shape of each convolution and normalisation in Python. FlopCounterMode decomposes every operation on top.)
    """

    _known: dict[Any, "_Call"] = {}  # noqa: RUF012  # shared by all counters: networks of a family repeat each other

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.on = True
        self.flops = 0  # two for each multiply-add
        self.pooled = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        try:
            key = (func, _signature(args), _signature(tuple(kwargs.items())) if kwargs else None)
            call = self._known.get(key)
        except TypeError:  # an argument that is not hashable: a generator, a symbolic size
            key, call = None, None
        if call is None:
            call, result = _observe(func, args, kwargs or {})
            if key is not None and call.repeat is not None:
                self._remember(key, call)
        else:
            assert call.repeat is not None
            result = call.repeat(args)
        if self.on:
            self.flops += call.flops
            self.pooled += call.pooled
        return result

    @classmethod
    def forget(cls) -> None:
        """Empty the memory of earlier calls; only a measurement of the counter itself needs to."""
        cls._known.clear()

    def _remember(self, key: Any, call: "_Call") -> None:
        if len(self._known) >= _MOST_CALLS:
            self._known.clear()
        self._known[key] = call

    @property
    def multiply_adds(self) -> int:
        return self.flops // 2


@dataclass(frozen=True)
class _Call:
    """What a call costs; `repeat` makes its result again from the arguments, None where that is not certain."""

    flops: int
    pooled: int
    repeat: Callable[[tuple[Any, ...]], Any] | None


def _signature(value: Any) -> Any:
    """All that a result on the meta device can depend on, as something hashable. 1, 1.0 and True are kept apart."""
    if isinstance(value, Tensor):
        return value.shape, value.stride(), value.dtype, value.device.type
    if isinstance(value, (tuple, list)):
        return tuple(map(_signature, value))
    return type(value), value


def _observe(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[_Call, Any]:
    """Make the call, and note what it costs and how to give its result again."""
    short = _SHORT.get(func) if isinstance(args[0], Tensor) and args[0].is_meta else None
    result = short(args) if short else func(*args, **kwargs)
    formula = flop_registry.get(func._overloadpacket)
    flops = formula(*args, **kwargs, out_val=result) if formula else 0
    return _Call(flops, _pooled(func, args, result), _repeat(func, args, result)), result


def _batch_norm(args: tuple[Any, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Like the input, and a mean and deviation of each channel while training, of none in evaluation."""
    images, training = args[0], args[5]
    channels = images.shape[1] if training else 0
    return torch.empty_like(images), images.new_empty(channels), images.new_empty(channels)


# Operations that cost nothing here and that torch takes longest to find the shapes of: a millisecond for each new one
_SHORT: dict[Any, Callable[[tuple[Any, ...]], Any]] = {
    torch.ops.aten.native_batch_norm.default: _batch_norm,
    torch.ops.aten.hardtanh_.default: lambda args: args[0],
    torch.ops.aten.relu_.default: lambda args: args[0],
}


def _pooled(func: Any, args: tuple[Any, ...], result: Any) -> int:
    if func is not torch.ops.aten.avg_pool2d.default:
        return 0
    kernel = args[1]
    return int(result.numel() * kernel[0] * kernel[-1])


def _repeat(func: Any, args: tuple[Any, ...], result: Any) -> Callable[[tuple[Any, ...]], Any] | None:
    """How to give `result` again without the call: its first argument if that was changed in place, or tensors alike.

    None for views, whose tie to their base in-place shape changes would show, and for anything off the meta device.
    """
    tensors = result if isinstance(result, tuple) else (result,)
    if not all(isinstance(tensor, Tensor) and tensor.is_meta for tensor in tensors):
        return None
    if func._schema.is_mutable:
        kept = result is args[0] and func not in _RESHAPING
        return (lambda again: again[0]) if kept else None
    if func.is_view:
        return None
    alike = [(tensor.shape, tensor.stride(), tensor.dtype) for tensor in tensors]
    if isinstance(result, tuple):
        return lambda again: tuple(_empty(*one) for one in alike)
    return lambda again: _empty(*alike[0])


_RESHAPING = {
    getattr(torch.ops.aten, name).default
    for name in ("resize_", "resize_as_", "squeeze_", "unsqueeze_", "t_", "transpose_", "as_strided_")
}


def _empty(shape: torch.Size, stride: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    return torch.empty_strided(shape, stride, dtype=dtype, device="meta")


def count_parameters(module: nn.Module) -> int:
    """Trainable parameters; running statistics and other buffers are not parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def count_multiply_adds(module: nn.Module, images: Tensor, layer: str = "") -> int:
    """Multiply-adds of the convolutions and matrix products of one forward pass, as the papers count.

    `layer` names a submodule to count alone. Pooling, normalisation, activations and biases are left out.
    """
    return _observed(module, images, [module.get_submodule(layer)])[0].multiply_adds


def _observed(module: nn.Module, images: Tensor, layers: Sequence[nn.Module]) -> tuple[OperationCounter, list[Any]]:
    """Run `module` and count within `layers`, wherever they are called from; also the outputs of those layers."""
    counter, inside = OperationCounter(), []
    outputs: list[Any] = []
    counter.on = False

    def enter(layer: nn.Module, inputs: Any) -> None:
        inside.append(layer)
        counter.on = True

    def leave(layer: nn.Module, inputs: Any, output: Any) -> None:
        inside.pop()
        counter.on = bool(inside)  # a layer may hold another one of `layers`, whose operations count once
        outputs.append(output)

    handles = [handle for layer in layers for handle in _hooked(layer, enter, leave)]
    try:
        with counter, torch.no_grad():
            module(images)
    finally:
        for handle in handles:
            handle.remove()
    return counter, outputs


def _hooked(layer: nn.Module, enter: Any, leave: Any) -> tuple[Any, Any]:
    return layer.register_forward_pre_hook(enter), layer.register_forward_hook(leave)


def count(name: str, input_shape: Sequence[int], layer: str = "", **options: Any) -> Count:
    """Count the registered network `name`, built with `options`, on one image of (channels, height, width).

    `layer` names a submodule to count alone, or several by a pattern ("blocks.*.pointwise"). Raises UserError if the
    network has none of that name.
    """
    with torch.device("meta"):
        model = create_model(name, **{"in_channels": input_shape[0], **options}).eval()
        images = torch.empty(1, *input_shape)
    parts = dict(model.named_modules())
    layers = [part for path, part in parts.items() if path == layer or (layer and fnmatchcase(path, layer))]
    if not layers:
        raise unknown(f"layer of {name}", layer, filter(None, parts))
    counter, outputs = _observed(model, images, layers)
    parameters = _parameters(layers)
    return Count(
        parameters=sum(parameter.numel() for parameter in parameters),
        multiply_adds=counter.multiply_adds,
        weights=sum(parameter.numel() for parameter in parameters if parameter.ndim > 1),
        normalisation=sum(parameter.numel() for parameter in _parameters(_normalising(layers))),
        pooled=counter.pooled,
        maps=tuple(tuple(output.shape[1:]) if isinstance(output, Tensor) else () for output in outputs),
    )


def _normalising(layers: Iterable[nn.Module]) -> list[nn.Module]:
    return [part for layer in layers for part in layer.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]


def _parameters(layers: Iterable[nn.Module]) -> list[nn.Parameter]:
    """The parameters of `layers`, shared ones once."""
    found = {id(parameter): parameter for layer in layers for parameter in layer.parameters()}
    return list(found.values())
