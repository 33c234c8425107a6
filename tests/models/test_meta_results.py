"""Shapes and types found without torch are those that torch finds."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor

from replicate.models.meta_results import RESULTS, quick_result

aten = torch.ops.aten


def maps(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


def normalised(training: bool) -> tuple[Any, ...]:
    return maps(2, 3, 5, 5), *(maps(3) for _ in range(4)), training, 0.1, 1e-5


def convolution(
    images: Tensor, kernel: Tensor, bias: Tensor | None, stride: list[int], pad: list[int], step: list[int], groups: int
) -> tuple[Any, ...]:
    return images, kernel, bias, stride, pad, step, False, [0] * len(stride), groups


FLAT = ([1, 1], [0, 0], [1, 1], 1)  # stride, padding, dilation, groups
CALLS: list[tuple[Any, tuple[Any, ...]]] = [
    (aten.add.Tensor, (maps(2, 3, 5, 5), maps(3, 1, 1))),
    (aten.add.Tensor, (maps(4), 1)),
    (aten.mul.Tensor, (maps(2, 3, 5, 5), maps(2, 3, 1, 1))),
    (aten.mul.Tensor, (maps(4, dtype=torch.int64), 0.5)),
    (aten.mul.Tensor, (maps(4, dtype=torch.float16), maps(4))),
    (aten.addmm.default, (maps(7), maps(2, 5), maps(5, 7))),
    (aten.cat.default, ([maps(2, 3, 5), maps(2, 4, 5)], 1)),
    (aten.cat.default, ([maps(2, 3), maps(1, 3)],)),
    (aten.cat.default, ([maps(2, 3), maps(2, 1)], -1)),
    (aten.convolution.default, convolution(maps(2, 6, 9, 8), maps(4, 3, 3, 2), maps(4), [2, 1], [1, 0], [1, 2], 2)),
    (aten.convolution.default, convolution(maps(2, 3, 5), maps(4, 3, 5), None, [1], [0], [1], 1)),
    (aten.mean.dim, (maps(2, 3, 5, 5), [2, 3])),
    (aten.mean.dim, (maps(2, 3, 5, 5), [-1, -2], True)),
    (aten.mean.dim, (maps(2, 3), None)),
    (aten.hardtanh_.default, (maps(2, 3), 0, 6)),
    (aten.relu.default, (maps(2, 3, dtype=torch.bfloat16),)),
    (aten.relu.default, (maps(2, 3).t(),)),
    (aten.relu_.default, (maps(2, 3),)),
    (aten.t.default, (maps(2, 3),)),
]


def described(result: Any) -> list[Any]:
    tensors = result if isinstance(result, tuple) else (result,)
    return [(tensor.shape, tensor.stride(), tensor.dtype, tensor.device.type) for tensor in tensors]


@pytest.mark.parametrize(("operation", "args"), CALLS, ids=lambda value: str(value) if callable(value) else "")
def test_a_quick_result_is_like_torchs(operation: Any, args: tuple[Any, ...]) -> None:
    quick = quick_result(operation, args, {})
    assert quick is not None
    assert described(quick) == described(operation(*args))


def test_normalised_maps_are_like_the_maps() -> None:
    """Compared with values: in evaluation torch gives empty statistics there, on the meta device it does not."""
    for training in (False, True):
        args = normalised(training)
        quick = quick_result(aten.native_batch_norm.default, args, {})
        assert quick is not None
        values = [torch.zeros_like(arg, device="cpu") if isinstance(arg, Tensor) else arg for arg in args]
        with_values = aten.native_batch_norm.default(*values)
        assert [each.shape for each in quick] == [each.shape for each in with_values]


def test_every_quick_operation_is_tried() -> None:
    assert set(RESULTS) == {operation for operation, _ in CALLS} | {aten.native_batch_norm.default}


@pytest.mark.parametrize(
    ("operation", "args", "kwargs"),
    [
        (aten.relu.default, (torch.zeros(2),), {}),  # has values
        (aten.add.Tensor, (maps(2), maps(2)), {"alpha": 2}),
        (aten.add.Tensor, (maps(2), maps(3)), {}),
        (aten.cat.default, ([maps(0), maps(2, 3)], 0), {}),  # torch ignores an empty vector
        (aten.cat.default, ([maps(2), maps(2, dtype=torch.float64)], 0), {}),
        (aten.tanh.default, (maps(2),), {}),
        *((aten.addmm.default, (maps(7), maps(2, 5), maps(rows, 7)), {}) for rows in (4, 6)),
        (aten.cat.default, ([maps(2, 3), maps(3, 3)], 1), {}),
        (aten.cat.default, ([maps(2, 3), maps(2, 3)], 2), {}),
        (aten.mean.dim, (maps(2, 3), [2]), {}),
        (aten.convolution.default, convolution(maps(2, 4, 5, 5), maps(4, 3, 3, 3), None, *FLAT), {}),
        (aten.convolution.default, convolution(maps(2, 3, 2, 5), maps(4, 3, 3, 3), None, *FLAT), {}),
        (aten.convolution.default, convolution(maps(2, 3, 5, 5), maps(4, 3, 3, 3), maps(3), *FLAT), {}),
    ],
)
def test_torch_itself_answers_other_calls(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    assert quick_result(operation, args, kwargs) is None


def test_a_plan_loads_neither_torchs_compiler_nor_statistics() -> None:
    """They would take as long as all the rest of it."""
    code = (
        "import sys; from pathlib import Path; from replicate.sweep.plan import make_plan;"
        "make_plan('resnext_cardinality', ['scale=laptop'], Path('results'));"
        "print(*sorted({'torch._dynamo', 'sympy', 'pandas', 'scipy'} & {*sys.modules}))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == ""
