"""Parameters and multiply-adds of a network, exact, on the meta device: no memory, no arithmetic on images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from replicate.errors import unknown
from replicate.models import create_model


@dataclass(frozen=True)
class Count:
    """Integers: trainable parameters and multiply-adds of one forward pass over one image."""

    parameters: int
    multiply_adds: int


def count_parameters(module: nn.Module) -> int:
    """Trainable parameters; running statistics and other buffers are not parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def count_multiply_adds(module: nn.Module, images: Tensor, layer: str = "") -> int:
    """Multiply-adds of the convolutions and matrix products of one forward pass, as the papers count.

    `layer` names a submodule to count alone. Pooling, normalisation, activations and biases are left out. The counter
    of torch counts a multiply-add as two operations.
    """
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        module(images)
    if not layer:
        return counter.get_total_flops() // 2
    return sum(counter.get_flop_counts()[f"{type(module).__name__}.{layer}"].values()) // 2


def count(name: str, input_shape: Sequence[int], layer: str = "", **options: Any) -> Count:
    """Count the registered network `name`, built with `options`, on one image of (channels, height, width).

    `layer` names a submodule to count alone. Raises UserError if the network has none of that name.
    """
    with torch.device("meta"):
        model = create_model(name, **{"in_channels": input_shape[0], **options}).eval()
        images = torch.empty(1, *input_shape)
    parts = dict(model.named_modules())
    if layer not in parts:
        raise unknown(f"layer of {name}", layer, filter(None, parts))
    return Count(count_parameters(parts[layer]), count_multiply_adds(model, images, layer))
