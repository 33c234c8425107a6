"""A run's network: built for its data, initialised from its seed."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from replicate.data.config import DataConfig
from replicate.data.random import derived_seed
from replicate.data.shapes import data_shape
from replicate.errors import UserError, unknown
from replicate.models import create_model
from replicate.models.counting import Count, count
from replicate.training.init import initialiser


def network_options(model: Mapping[str, Any], data: DataConfig) -> tuple[str, dict[str, Any]]:
    """The network's name, and its options completed by the data's channels and classes."""
    if "name" not in model:
        raise UserError("model.name is missing: it names the network")
    shape = data_shape(data)
    options = {"in_channels": shape.channels, "num_classes": shape.classes, **model}
    return options.pop("name"), options


def build_network(model: Mapping[str, Any], data: DataConfig, init: str, seed: int) -> nn.Module:
    """The network with weights that follow from `seed` alone. Leaves torch's global generator at a fixed state."""
    name, options = network_options(model, data)
    torch.manual_seed(derived_seed(seed, "weights"))
    network = create_model(name, **options)
    initialiser(init)(network)
    return network


def train_only(network: nn.Module, part: str | None) -> nn.Module:
    """Freeze every parameter, in place, except those of the module called `part`; None freezes nothing.

    Frozen batch normalisation still uses the statistics of its batches. Raises UserError for a module that does not
    exist or has no parameters.
    """
    if part is None:
        return network
    modules = dict(network.named_modules())
    if part not in modules or not any(True for _ in modules[part].parameters()):
        raise unknown("module with parameters (recipe.trained)", part, (name for name, _ in network.named_children()))
    network.requires_grad_(False)
    modules[part].requires_grad_(True)
    return network


def set_bn_momentum(network: nn.Module, momentum: float | None) -> None:
    """Let batch normalisation, in place, take the share `momentum` of a new batch into its running statistics.

    None leaves the 0.1 of torch, Torch7 and Caffe; TensorFlow's networks take less.
    """
    for layer in network.modules():
        if momentum is not None and isinstance(layer, nn.BatchNorm2d):
            layer.momentum = momentum


def count_network(model: Mapping[str, Any], data: DataConfig) -> Count:
    """Parameters and multiply-adds on one image of the data."""
    name, options = network_options(model, data)
    shape = data_shape(data)
    return count(name, (shape.channels, shape.size, shape.size), **options)
