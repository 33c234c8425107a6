"""Study `receptive_fields`: the field of a network's last maps, from gradients and by recursion."""

from typing import Any

import torch
from torch import nn

from replicate.errors import unknown
from replicate.experiments.run_config import RunConfig
from replicate.models import create_model, model_names
from replicate.models.mobilefacenet import GlobalDepthwise
from replicate.runs.records import singles
from replicate.runs.task import Outcome, Task
from replicate.statements.measure import conv
from replicate.statements.reach import follow
from replicate.statements.receptive import PLAIN, measured_field, own_tensors, transparent
from replicate.studies.options import FieldOptions

Config = RunConfig[FieldOptions]


def check(config: Config) -> None:
    """Raises UserError for a network that is not registered."""
    if config.options.network is not None and config.options.network not in model_names():
        raise unknown("model", config.options.network, model_names())


def run(task: Task[Config]) -> Outcome:
    """In pixels: field, measured; recursion and by_rule, followed; off, the difference of the first two; jump.

    whole_image is 1 where gates read all of the image beside the field.
    """
    network, channels, side = subject(task.run.config.options)
    reach = follow(network, channels, side).maps
    field, everything = measured_field(transparent(network), channels, side, reach)
    if everything != reach.everything:
        name = task.run.config.options.network
        raise ValueError(f"{name}: the gradient and the recursion disagree on what its gates read")
    found = {"field": field, "recursion": reach.field, "off": field - reach.field, "by_rule": reach.by_rule}
    return Outcome(tuple(singles({**found, "jump": reach.jump, "whole_image": everything})))


def subject(options: FieldOptions) -> tuple[nn.Module, int, int]:
    """The network, its input's channels, and the smallest side of an image for it."""
    if options.network is None:
        return nn.Sequential(*(conv(1, 1, kernel) for kernel in options.kernels)), 1, sum(options.kernels)
    network: Any = bare_network(options.network)
    return network, network.in_channels, network.min_size


def bare_network(name: str) -> nn.Module:
    """A registered network in evaluation without activations and normalisation, which move no field.

    It lies on the meta device unless it has layers of its own whose numbers :func:`transparent` needs.
    """
    with torch.device("meta"):
        network = create_model(name)
    if any(own_tensors(layer) for layer in network.modules()):
        network = create_model(name)
    for parent in [*network.modules()]:
        for key, child in [*parent.named_children()]:
            if isinstance(child, PLAIN):
                setattr(parent, key, nn.Identity())
            if isinstance(child, GlobalDepthwise):  # a mean with weights, which takes maps of one size only
                setattr(parent, key, nn.AdaptiveAvgPool2d(1))
    return network.eval()
