"""Study `memory`: what a densely connected network keeps for its backward pass, and what making it again costs.

A CPU's allocator says nothing, but autograd shows every tensor that it saves. The naive form and the one with shared
storage of the same network, on the same images, are measured in the same run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.data.random import derived_seed, generator
from replicate.errors import UserError
from replicate.experiments.run_config import DataRunConfig
from replicate.models.counting import count_parameters
from replicate.models.densenet import DenseBlock, DenseLayer
from replicate.runs.records import singles
from replicate.runs.task import Outcome, Task
from replicate.statements.measure import saved_for_backward
from replicate.studies.one_batch import seconds, whole_batch
from replicate.studies.options import MemoryOptions
from replicate.training.device import accelerator_device
from replicate.training.init import initialiser
from replicate.training.network import build_network, count_network

Config = DataRunConfig[MemoryOptions]

BLOCK = ("growth_rate", "memory_efficient")


@dataclass(frozen=True)
class MeasuredModule:
    """A module, what it is fed, and the loss to go back from. `build(efficient)` makes it in one of its two forms."""

    build: Callable[[bool], nn.Module]
    images: Tensor
    loss: Callable[[Tensor], Tensor]


def check(config: Config) -> None:
    """The network or block can be built and has two forms. Raises UserError."""
    if config.options.layers is None:
        count_network({**config.model, "memory_efficient": True}, config.data)
    elif set(config.model) - set(BLOCK) or "growth_rate" not in config.model:
        raise UserError(f"a block of options.layers takes of the model {' and '.join(BLOCK)} alone")


def run(task: Task[Config]) -> Outcome:
    """Measures a network, or with options.layers a block of so many basic layers alone, on the data's training images.

    kept_bytes: kept for the backward pass, parameters and buffers left out, over the whole batch; kept_maps: numbers in
    the maps among them, an image. gradient_difference: between the network's two forms, relative to the largest
    gradient. With options.steps: seconds_naive, seconds_shared (a training step without the optimiser, the quickest of
    so many) and overhead_percent; these three differ from run to run. On a GPU: allocated_bytes, the allocator's peak.
    A block also gets what the source document's formulas give: see block_formulas.
    """
    config, options = task.run.config, task.run.config.options
    device = accelerator_device(task.machine.accelerator)
    subject = make_subject(config, task.run.seed, device, task.machine.channels_last)
    module = subject.build(bool(config.model.get("memory_efficient", False)))
    found = {**measure_kept(module, subject), "gradient_difference": difference(subject)}
    if device.type == "cuda":
        found["allocated_bytes"] = allocated(module, subject)
    if options.layers is not None:
        found.update(block_formulas(module, subject.images))
    if options.steps:
        found.update(compare_times(subject, options.steps))
    return Outcome(tuple(singles(found)), parameters=count_parameters(module))


def make_subject(config: Config, seed: int, device: torch.device, channels_last: bool) -> MeasuredModule:
    """What is measured, on its device in the memory format in which it would train."""
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    layers, growth_rate = config.options.layers, int(config.model.get("growth_rate", 0))
    images, labels = whole_batch(config.data)
    labels = labels.to(device)

    def build(efficient: bool) -> nn.Module:
        if layers is not None:
            module = dense_block(layers, growth_rate, efficient, seed)
        else:
            module = build_network({**config.model, "memory_efficient": efficient}, config.data, "he_fan_out", seed)
        return module.to(device, memory_format=memory_format).train()  # type: ignore[call-overload]

    if layers is not None:
        draw = generator(seed, "maps")
        images = torch.randn(len(images), growth_rate, *images.shape[2:], generator=draw).requires_grad_()
        return MeasuredModule(build, images.to(device, memory_format=memory_format), lambda maps: maps.square().mean())
    return MeasuredModule(
        build, images.to(device, memory_format=memory_format), lambda logits: F.cross_entropy(logits, labels)
    )


def dense_block(layers: int, growth_rate: int, efficient: bool, seed: int) -> nn.Module:
    """Basic layers whose first has growth_rate inputs too, so that layer l has l k: the source document's block."""
    torch.manual_seed(derived_seed(seed, "weights"))
    inputs = [growth_rate * number for number in range(1, layers + 1)]
    block = DenseBlock(*(DenseLayer(channels, growth_rate, False, 0.0, efficient) for channels in inputs))
    initialiser("he_fan_out")(block)
    return block


def measure_kept(module: nn.Module, subject: MeasuredModule) -> dict[str, float]:
    """Bytes and map numbers that a training step keeps between its two passes."""
    with saved_for_backward(module) as saved:
        out = module(subject.images)
    assert out.requires_grad
    return {"kept_bytes": saved.bytes, "kept_maps": sum(saved.maps.values()) / len(subject.images)}


def block_formulas(block: nn.Module, images: Tensor) -> dict[str, float]:
    """The temporary maps W H k (1 + L) L of the source document, and M = 2 W H P / (9 k) from the real parameters P."""
    layers, growth_rate, pixels = len(list(block.children())), images.shape[1], images.shape[2] * images.shape[3]
    weights = sum(layer.weight.numel() for layer in block.modules() if isinstance(layer, nn.Conv2d))
    return {
        "convolution_weights": weights,
        "weights_by_formula": 9 * growth_rate**2 * layers * (layers + 1) / 2,
        "maps_by_formula": pixels * growth_rate * (1 + layers) * layers,
        "maps_by_weights": 2 * pixels * weights / (9 * growth_rate),
    }


def step(module: nn.Module, subject: MeasuredModule) -> None:
    """Forward and backward."""
    torch.autograd.backward(subject.loss(module(subject.images)))


def difference(subject: MeasuredModule) -> float:
    """The largest difference between gradients or buffers of the two forms after a step, relative to the largest."""
    results = [after_step(subject.build(efficient), subject) for efficient in (False, True)]
    pairs = [(results[0][name], results[1][name]) for name in results[0]]
    return max(float((naive - shared).abs().max() / naive.abs().max().clamp(min=1e-30)) for naive, shared in pairs)


def after_step(module: nn.Module, subject: MeasuredModule) -> Mapping[str, Tensor]:
    """Gradients and buffers after one step."""
    step(module, subject)
    gradients: dict[str, Any] = {name: parameter.grad for name, parameter in module.named_parameters()}
    return {**gradients, **{name: buffer.float() for name, buffer in module.named_buffers()}}


def compare_times(subject: MeasuredModule, steps: int) -> dict[str, float]:
    """Seconds of a step in both forms, by turns, after one step of each to warm up.

    The quickest of each, since whatever else the machine does can only slow a step down.
    """
    forms = [subject.build(efficient) for efficient in (False, True)]
    gpu = subject.images.is_cuda
    taken = [[seconds(partial(step, form, subject), gpu) for form in forms] for _ in range(1 + steps)][1:]
    naive, shared = (min(times) for times in zip(*taken, strict=True))
    return {"seconds_naive": naive, "seconds_shared": shared, "overhead_percent": 100 * (shared / naive - 1)}


def allocated(module: nn.Module, subject: MeasuredModule) -> float:
    """The most that a step had allocated at a time beyond what lay there before it, by CUDA's allocator."""
    step(module, subject)  # so that the gradients lie there already
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    step(module, subject)
    torch.cuda.synchronize()
    return float(torch.cuda.max_memory_allocated() - before)
