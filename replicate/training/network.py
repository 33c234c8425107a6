"""A run's network: built for its data, initialised from its seed."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from replicate.counting import Count, count
from replicate.data.config import DataConfig
from replicate.data.random import derived_seed
from replicate.data.shapes import data_shape
from replicate.errors import UserError
from replicate.models import create_model
from replicate.training.init import initialiser


def network_options(model: Mapping[str, Any], data: DataConfig) -> tuple[str, dict[str, Any]]:
    """The network's name, and its options completed by the data's channels and classes."""
    if "name" not in model:
        raise UserError("model.name is missing: which network is it?")
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


def count_network(model: Mapping[str, Any], data: DataConfig) -> Count:
    """Parameters and multiply-adds on one image of the data."""
    name, options = network_options(model, data)
    shape = data_shape(data)
    return count(name, (shape.channels, shape.size, shape.size), **options)
