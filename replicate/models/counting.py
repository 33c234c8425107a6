"""Parameters and multiply-adds of a network, exact, on the meta device: without memory for images or arithmetic."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import flop_registry

from replicate.compat import TorchDispatchMode, writes_in_place
from replicate.errors import unknown
from replicate.models import create_model
from replicate.models.meta_results import quick_result

MOST_CALLS = 1 << 16  # calls to remember, about 1 kB each: all registered networks at one size make 4 thousand
NORMALISATION = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.GroupNorm, nn.LayerNorm)


@dataclass(frozen=True)
class Count:
    """Integers: trainable parameters and multiply-adds of one forward pass over one image.

    `weights` are the parameters of convolutions and matrices alone, without biases and normalisation; `normalisation`
    counts the scales and shifts, `pooled` the values that average pools read; `maps` are the output shapes of the
    network or layers for one image, in the order in which they are called.
    """

    parameters: int
    multiply_adds: int
    weights: int = 0
    normalisation: int = 0
    pooled: int = 0
    maps: tuple[tuple[int, ...], ...] = ()

    @property
    def output(self) -> tuple[int, ...]:
        """The output shape of the last layer, () if its output is not a tensor."""
        return self.maps[-1] if self.maps else ()


class OperationCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the multiply-adds of every convolution and matrix product while it is on, by torch's own formulas.

    On the meta device nothing is computed: the result of a call follows from the shapes, strides and types of its
    arguments. So a call like an earlier one is answered from memory, which makes all registered networks take a third
    of the time; torch works out the shape of each convolution and normalisation in Python.
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
            if key is not None and call.repeat is not None and len(self._known) < MOST_CALLS:
                self._known[key] = call
        else:
            assert call.repeat is not None
            result = call.repeat(args)
        if self.on:
            self.flops += call.flops
            self.pooled += call.pooled
        return result

    @classmethod
    def forget(cls) -> None:
        """Empty the memory of earlier calls. Only measurements of the counter itself need this."""
        cls._known.clear()

    @property
    def multiply_adds(self) -> int:
        return self.flops // 2


@dataclass(frozen=True)
class _Call:
    """The cost of a call; `repeat` makes its result again from the arguments, None where that is not certain."""

    flops: int
    pooled: int
    repeat: Callable[[tuple[Any, ...]], Any] | None


def _signature(value: Any) -> Any:
    """Everything a result on the meta device can depend on, hashable. 1, 1.0 and True stay different."""
    if isinstance(value, Tensor):
        return value.shape, value.stride(), value.dtype, value.device.type
    if isinstance(value, (tuple, list)):
        return tuple(map(_signature, value))
    return type(value), value


def _observe(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[_Call, Any]:
    """Make the call, and note its cost and how to make its result again."""
    result = quick_result(func, args, kwargs)
    if result is None:
        result = func(*args, **kwargs)
    formula = flop_registry.get(func.overloadpacket)
    flops = formula(*args, **kwargs, out_val=result) if formula else 0
    return _Call(flops, _pooled(func, args, result), _repeat(func, args, result)), result


def _pooled(func: Any, args: tuple[Any, ...], result: Any) -> int:
    if func is not torch.ops.aten.avg_pool2d.default:
        return 0
    kernel = args[1]
    return int(result.numel() * kernel[0] * kernel[-1])


def _repeat(func: Any, args: tuple[Any, ...], result: Any) -> Callable[[tuple[Any, ...]], Any] | None:
    """How to make `result` again without the call: the first argument if it was changed in place, or new tensors.

    None for views, since a later in-place change of shape must reach their base, and for results off the meta device.
    """
    tensors = result if isinstance(result, tuple) else (result,)
    if not all(isinstance(tensor, Tensor) and tensor.is_meta for tensor in tensors):
        return None
    if writes_in_place(func):
        kept = result is args[0] and func not in _RESHAPING
        return (lambda again: again[0]) if kept else None
    if func.is_view:
        return None
    makers = [
        partial(torch.empty_strided, tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
        for tensor in tensors
    ]
    return lambda again: tuple(make() for make in makers) if isinstance(result, tuple) else makers[0]()


_RESHAPING = {
    getattr(torch.ops.aten, name).default
    for name in ("resize_", "resize_as_", "squeeze_", "unsqueeze_", "t_", "transpose_", "as_strided_")
}


def count_parameters(module: nn.Module) -> int:
    """Trainable parameters; running statistics and other buffers are not parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def count_multiply_adds(module: nn.Module, images: Tensor, layer: str = "") -> int:
    """Multiply-adds of the convolutions and matrix products of one forward pass, as the papers count.

    `layer` names a submodule to count alone. Pooling, normalisation, activations and biases are left out.
    """
    return _observed(module, images, [module.get_submodule(layer)])[0].multiply_adds


def _observed(module: nn.Module, images: Tensor, layers: Sequence[nn.Module]) -> tuple[OperationCounter, list[Any]]:
    """Run `module` and count within `layers`, wherever they are called from; returns the layers' outputs too."""
    counter, inside = OperationCounter(), []
    outputs: list[Any] = []
    counter.on = False

    def enter(layer: nn.Module, inputs: Any) -> None:
        inside.append(layer)
        counter.on = True

    def leave(layer: nn.Module, inputs: Any, output: Any) -> None:
        inside.pop()
        counter.on = bool(inside)  # a layer may contain another one of `layers`, whose operations count once
        outputs.append(output)

    handles = [layer.register_forward_pre_hook(enter) for layer in layers]
    handles += [layer.register_forward_hook(leave) for layer in layers]
    try:
        with counter, torch.no_grad():
            module(images)
    finally:
        for handle in handles:
            handle.remove()
    return counter, outputs


def count(name: str, input_shape: Sequence[int], layer: str = "", **options: Any) -> Count:
    """Count the registered network `name`, built with `options`, on one image of (channels, height, width).

    `layer` names a submodule to count alone, or several by a pattern ("blocks.*.pointwise"). Raises UserError if the
    network has none of that name.
    """
    with torch.device("meta"):
        model = create_model(name, **{"in_channels": input_shape[0], **options}).eval()
        images = torch.empty(1, *input_shape)
    modules = dict(model.named_modules())
    layers = [module for path, module in modules.items() if path == layer or (layer and fnmatchcase(path, layer))]
    if not layers:
        raise unknown(f"layer of {name}", layer, filter(None, modules))
    counter, outputs = _observed(model, images, layers)
    parameters = _parameters(layers)
    normalising = [module for layer in layers for module in layer.modules() if isinstance(module, NORMALISATION)]
    return Count(
        parameters=sum(parameter.numel() for parameter in parameters),
        multiply_adds=counter.multiply_adds,
        weights=sum(parameter.numel() for parameter in parameters if parameter.ndim > 1),
        normalisation=sum(parameter.numel() for parameter in _parameters(normalising)),
        pooled=counter.pooled,
        maps=tuple(tuple(output.shape[1:]) if isinstance(output, Tensor) else () for output in outputs),
    )


def _parameters(layers: Iterable[nn.Module]) -> list[nn.Parameter]:
    """The parameters of `layers`, shared ones once."""
    found = {id(parameter): parameter for layer in layers for parameter in layer.parameters()}
    return list(found.values())
