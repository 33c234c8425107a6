"""What the tests of the Inception networks share: smallest sizes with auxiliary heads, maps stage by stage."""

import pytest
import torch
from torch import nn

from replicate.errors import UserError
from replicate.models import create_model
from replicate.models.layers.auxiliary import AuxOutput


def assert_smallest_size_with_heads(name: str, min_size: int, heads: int, **options: object) -> None:
    """Forward and backward at `min_size`, training with all heads; one pixel less is refused with that size."""
    model = create_model(name, num_classes=3, in_channels=1, **options)
    assert model.min_size == min_size
    images = torch.randn(2, 1, min_size, min_size)
    output = model.train()(images)
    assert isinstance(output, AuxOutput)
    assert [logits.shape for logits in (output.logits, *output.auxiliary)] == [(2, 3)] * (heads + 1)
    torch.cat([output.logits, *output.auxiliary]).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert model.eval()(images).shape == (2, 3)
    with pytest.raises(UserError, match=f"too small: the smallest size that works is {min_size}$"):
        model(images[:, :, 1:])


def map_sides(model: nn.Module, side: int) -> list[int]:
    """Side of the map after the stem and after each stage, for one image of `side` pixels."""
    maps = model.stem(torch.zeros(1, model.in_channels, side, side))
    sides = [maps.shape[2]]
    for stage in model.stages:
        maps = stage(maps)
        sides.append(maps.shape[2])
    return sides


def map_channels(model: nn.Module) -> list[int]:
    """Channels after every block, measured on the smallest image."""
    maps, channels = model.eval().stem(torch.zeros(1, model.in_channels, model.min_size, model.min_size)), []
    for _, block in model.blocks():
        maps = block(maps)
        channels.append(maps.shape[1])
    return channels
