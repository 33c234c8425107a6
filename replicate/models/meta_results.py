"""Results on the meta device of frequent operations, from the shapes of their arguments alone.

torch works many of them out in Python, a millisecond a call, and at the first imports its compiler and symbolic
mathematics, which takes more than a second.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor


def _broadcast(args: tuple[Any, ...]) -> Tensor | None:
    """Two tensors, or a tensor and a number, element by element."""
    shapes = [tuple(value.shape) for value in args[:2] if isinstance(value, Tensor)]
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        return None
    return torch.empty(shape, dtype=torch.result_type(args[0], args[1]), device="meta")


def _like(args: tuple[Any, ...]) -> Tensor:
    maps: Tensor = args[0]
    return maps.new_empty(maps.shape) if maps.is_contiguous() else torch.empty_like(maps)


def _batch_norm(args: tuple[Any, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Maps like the input, and a mean and deviation for each channel; these two are empty in evaluation."""
    images, training = args[0], args[5]
    channels = images.shape[1] if training else 0
    return _like(args), images.new_empty(channels), images.new_empty(channels)


def _cat(args: tuple[Any, ...]) -> Tensor | None:
    tensors: Sequence[Tensor] = args[0]
    first, dim = tensors[0], args[1] if len(args) > 1 else 0
    if not -first.ndim <= dim < first.ndim:
        return None
    shapes = [list(tensor.shape) for tensor in tensors]
    sizes = [shape.pop(dim) for shape in shapes]
    if any(shape != shapes[0] for shape in shapes):
        return None
    shapes[0].insert(dim % first.ndim, sum(sizes))
    return first.new_empty(shapes[0])


def _addmm(args: tuple[Any, ...]) -> Tensor | None:
    bias, left, right = args
    fits = left.shape[1:] == right.shape[:1] and bias.shape == right.shape[1:]
    return left.new_empty(left.shape[0], right.shape[1]) if fits else None


def _convolution(args: tuple[Any, ...]) -> Tensor | None:
    maps, kernel, bias, stride, padding, dilation, transposed, _, groups = args
    sides = len(stride)
    lists = len(padding) == len(dilation) == sides == maps.ndim - 2
    if transposed or not lists or maps.shape[1] != kernel.shape[1] * groups or kernel.shape[0] % groups:
        return None
    if maps.dtype != kernel.dtype or (bias is not None and bias.shape != kernel.shape[:1]):
        return None
    shape = [
        (size + 2 * pad - step * (side - 1) - 1) // by + 1
        for size, pad, step, side, by in zip(maps.shape[2:], padding, dilation, kernel.shape[2:], stride, strict=True)
    ]
    return maps.new_empty((maps.shape[0], kernel.shape[0], *shape)) if min(shape) > 0 else None


def _mean(args: tuple[Any, ...]) -> Tensor | None:
    maps, dims, keep = args[0], args[1] or range(args[0].ndim), len(args) > 2 and args[2]
    if not all(-maps.ndim <= dim < maps.ndim for dim in dims):
        return None
    averaged = {dim % maps.ndim for dim in dims}
    shape = [1 if dim in averaged else size for dim, size in enumerate(maps.shape) if keep or dim not in averaged]
    return torch.empty(shape, dtype=maps.dtype, device="meta")


def _transposed(args: tuple[Any, ...]) -> Tensor:
    matrix: Tensor = args[0]
    return torch.empty_strided(matrix.shape[::-1], matrix.stride()[::-1], dtype=matrix.dtype, device="meta")


def _same(args: tuple[Any, ...]) -> Any:
    return args[0]


_aten = torch.ops.aten
RESULTS: dict[Any, Callable[[tuple[Any, ...]], Any | None]] = {
    _aten.add.Tensor: _broadcast,
    _aten.mul.Tensor: _broadcast,
    _aten.addmm.default: _addmm,
    _aten.cat.default: _cat,
    _aten.convolution.default: _convolution,
    _aten.hardtanh_.default: _same,
    _aten.mean.dim: _mean,
    _aten.native_batch_norm.default: _batch_norm,
    _aten.relu.default: _like,
    _aten.relu_.default: _same,
    _aten.t.default: _transposed,
}
"""By operation, a function of its positional arguments; it gives None where they do not fit, so that torch says so."""


def quick_result(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any | None:
    """The result of a call, None for other operations, devices and types, and for arguments that torch would refuse."""
    make = RESULTS.get(operation)
    if make is None or kwargs:
        return None
    tensors = args[0] if isinstance(args[0], (list, tuple)) else [args[0]]
    if not all(isinstance(tensor, Tensor) and tensor.is_meta for tensor in tensors):
        return None
    alike = len({(tensor.dtype, tensor.ndim) for tensor in tensors}) == 1
    return make(args) if alike else None
