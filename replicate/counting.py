"""Parameters and multiply-adds of a network, exact, on the meta device: no memory, no arithmetic on images."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from replicate.models import create_model


@dataclass(frozen=True)
class Count:
    """Integers: trainable parameters and multiply-adds of one forward pass over one image."""

    parameters: int
    multiply_adds: int


def count_parameters(module: nn.Module) -> int:
    """Trainable parameters; running statistics and other buffers are not parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def count_multiply_adds(module: nn.Module, images: Tensor) -> int:
    """Multiply-adds of the convolutions and matrix products of one forward pass, as the papers count.

    Pooling, normalisation, activations and biases are left out. The counter of torch counts a multiply-add as two
    operations.
    """
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        module(images)
    return counter.get_total_flops() // 2


def count(name: str, input_shape: Sequence[int], **options: object) -> Count:
    """Count the registered network `name`, built with `options`, on one image of (channels, height, width)."""
    with torch.device("meta"):
        model = create_model(name, **{"in_channels": input_shape[0], **options}).eval()
        images = torch.empty(1, *input_shape)
    return Count(count_parameters(model), count_multiply_adds(model, images))
