"""Densely connected blocks: connections, channels, weights and the temporaries between the layers.

Chapter 8 of "Classic convolutional neural networks", part II. Blocks without bottleneck whose input has as many maps as
each layer gives (k0 = k), where the formulas assume so.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from replicate.compat import TorchDispatchMode
from replicate.models import create_model
from replicate.models.densenet import DenseBlock, DenseLayer
from replicate.statements.checks import Figures, check, holds
from replicate.statements.counted import counted
from replicate.statements.measure import same, saved_for_backward

CASES = ((4, 3), (6, 4), (12, 8))  # growth rate and layers
SIDE = 6


def block(growth: int, layers: int, inputs: int | None = None, efficient: bool = False) -> DenseBlock:
    """A dense block of plain layers."""
    start = growth if inputs is None else inputs
    return DenseBlock(*(DenseLayer(start + growth * i, growth, False, 0.0, efficient) for i in range(layers)))


def kernels(dense: nn.Module) -> int:
    """Weights of the convolutions, without normalisation."""
    return sum(layer.weight.numel() for layer in dense.modules() if isinstance(layer, nn.Conv2d))


def watched(dense: DenseBlock, part: Callable[[DenseLayer], nn.Module], images: Tensor) -> list[tuple[Tensor, Tensor]]:
    """What enters and leaves the chosen part of every layer in one pass."""
    seen: list[tuple[Tensor, Tensor]] = []

    def note(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen.append((inputs[0], output))

    handles = [part(layer).register_forward_hook(note) for layer in dense.children()]  # type: ignore[arg-type]
    dense(images)
    for handle in handles:
        handle.remove()
    return seen


@check
def densenet_connections() -> Figures:
    """The maps that every layer is handed, and their channels."""

    def case(growth: int, layers: int) -> bool:
        dense, k0 = block(growth, layers, inputs=5), 5
        handed = []
        for layer in dense.children():
            layer.register_forward_pre_hook(lambda _, inputs: handed.append(inputs[0][:]))
        dense(torch.randn(1, k0, SIDE, SIDE))
        connections = sum(map(len, handed)) == layers * (layers + 1) // 2
        channels = [sum(maps.shape[1] for maps in features) for features in handed]
        return connections and channels == [k0 + growth * (number - 1) for number in range(1, layers + 1)]

    return holds(case(*sizes) for sizes in CASES)


counted(__name__, "densenet_channel_growth")


@check
def densenet_k_doubling() -> Figures:
    """The factor of one block, and of the whole networks (depth 100, k = 12 and 24), whose stems do not grow."""
    with torch.device("meta"):
        ratio = kernels(block(24, 12)) / kernels(block(12, 12))
        networks = [kernels(create_model("densenet_cifar", depth=100, growth_rate=k)) for k in (12, 24)]
    return {"block": ratio, "network": networks[1] / networks[0]}


def temporaries(dense: DenseBlock, growth: int) -> list[tuple[int, int]]:
    """Numbers in the concatenation and in the normalised maps of every layer."""
    seen = watched(dense, lambda layer: layer.first[0], torch.randn(1, growth, SIDE, SIDE))
    return [(inputs.numel(), output.numel()) for inputs, output in seen]


@check
def densenet_memory() -> Figures:
    def case(growth: int, layers: int) -> bool:
        total = sum(map(sum, temporaries(block(growth, layers), growth)))
        return total == SIDE**2 * growth * (1 + layers) * layers

    return holds(case(*sizes) for sizes in CASES)


@check
def densenet_params_quadratic() -> Figures:
    def case(growth: int, layers: int) -> bool:
        dense = block(growth, layers)
        each = [kernels(layer) for layer in dense.children()] == [9 * n * growth**2 for n in range(1, layers + 1)]
        return each and kernels(dense) == 9 * growth**2 * layers * (layers + 1) // 2

    return holds(case(*sizes) for sizes in CASES)


@check
def densenet_memory_vs_params() -> Figures:
    """M = 2WH/(9k) P, and which of the two is larger on either side of WH = 9k/2."""

    def case(growth: int, layers: int) -> bool:
        dense = block(growth, layers)
        memory, size = sum(map(sum, temporaries(dense, growth))), kernels(dense)
        return memory * 9 * growth == 2 * SIDE**2 * size and (memory > size) == (4.5 * growth < SIDE**2)

    return holds(case(*sizes) for sizes in CASES)


def trained_step(dense: DenseBlock, images: Tensor) -> tuple[int, Tensor, list[Tensor]]:
    """Bytes that a training pass keeps for its backward pass besides the weights, its output and its gradients."""
    with saved_for_backward(dense) as saved:
        output = dense(images)
    return saved.bytes, output.detach(), [*torch.autograd.grad(output.square().sum(), [*dense.parameters()])]


@check
def densenet_shared_memory() -> Figures:
    """The largest temporaries are W H k L each, recomputation gives the same output and gradients, and what it keeps
    grows by the same for every layer added where the plain block's growth grows.
    """
    growth, images = 4, torch.randn(2, 4, SIDE, SIDE)
    totals: dict[bool, list[int]] = {False: [], True: []}
    held = []
    for layers in (3, 6, 9, 12):
        plain, efficient = block(growth, layers), block(growth, layers, efficient=True)
        efficient.load_state_dict(plain.state_dict())
        held.append(temporaries(plain, growth)[-1] == (SIDE**2 * growth * layers,) * 2)
        results = [trained_step(dense, images) for dense in (plain, efficient)]
        held.append(same(results[0][1], results[1][1]) and all(map(same, results[0][2], results[1][2])))
        for total, (size, _, _) in zip(totals.values(), results, strict=True):
            total.append(size)
    bends = {name: second_differences(sizes) for name, sizes in totals.items()}
    return holds([*held, min(bends[False]) > 0, max(map(abs, bends[True])) < 0.1 * min(bends[False])])


def second_differences(sizes: list[int]) -> list[int]:
    steps = [b - a for a, b in pairwise(sizes)]
    return [b - a for a, b in pairwise(steps)]


class Normalisations(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own __init_subclass__
    """Counts the batch normalisations that run, those of a backward pass that computes them again included."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func)
        self.count += "batch_norm" in name and "backward" not in name
        return func(*args, **(kwargs or {}))


@check
def densenet_shared_time() -> Figures:
    """What can be counted of a claim that only a clock decides: how often a block's normalisations run in a step."""
    counts = []
    for efficient in (False, True):
        dense = block(4, 6, efficient=efficient)
        with Normalisations() as mode:
            dense(torch.randn(2, 4, SIDE, SIDE)).sum().backward()
        counts.append(mode.count)
    return {"runs of each normalisation": counts[1] / counts[0]}
