"""Study `reuse`: how much each layer of a trained DenseNet reads from each one before it (Huang et al. 2017, figure 5).

The mean absolute weight of a layer's first convolution on the maps of one source; for `reuse` over that layer's mean on
all of its sources: 1 is what a source has if all are read alike.
"""

from collections.abc import Iterator
from statistics import fmean

import torch
from torch import Tensor, nn

from replicate.data.loaders import check_data
from replicate.errors import UserError
from replicate.experiments.run_config import TrainingConfig
from replicate.models.densenet import DenseBlock, DenseLayer
from replicate.runs.records import Measurement
from replicate.runs.task import Outcome, Task
from replicate.studies.train import check_training
from replicate.studies.trained import trained
from replicate.training.network import build_network, count_network

LEAST_LAYERS = 2  # before the last layer of a block, so that its first and its nearest source differ


def blocks_of(network: nn.Module) -> list[list[DenseLayer]]:
    """The layers of every dense block. Raises UserError for a network without any, or with blocks too short to tell."""
    blocks = [block for block in network.modules() if isinstance(block, DenseBlock)]
    layers = [[layer for layer in block if isinstance(layer, DenseLayer)] for block in blocks]
    if not layers or any(len(block) < LEAST_LAYERS for block in layers):
        raise UserError(f"{type(network).__name__} has no dense blocks of {LEAST_LAYERS} layers or more")
    return layers


def first_convolution(layer: DenseLayer) -> nn.Conv2d:
    """The convolution that reads the maps of all sources."""
    found = layer.first.get_submodule("conv")
    assert isinstance(found, nn.Conv2d)
    return found


def weights_by_source(block: list[DenseLayer]) -> list[Tensor]:
    """For each layer the mean absolute weight of each source, from the block's input to the layer before it."""
    growth = first_convolution(block[1]).in_channels - first_convolution(block[0]).in_channels
    found = []
    for number, layer in enumerate(block):
        weight = first_convolution(layer).weight.detach().abs()
        sizes = [weight.shape[1] - number * growth, *[growth] * number]
        found.append(torch.stack([part.mean() for part in torch.split(weight, sizes, 1)]))
    return found


def relative(weights: list[Tensor]) -> list[Tensor]:
    """Each layer's weights over their mean."""
    return [layer / layer.mean() for layer in weights]


def check(config: TrainingConfig) -> None:
    """The network can be trained and has dense blocks. Raises UserError."""
    check_training(config)
    check_data(config.data)
    blocks_of(build_network(config.model, config.data, config.recipe.init, seed=0))


def run(task: Task[TrainingConfig]) -> Outcome:
    """Measures reuse by distance (index: 1 is the nearest source), of the last layer of each block, on average over the
    blocks, reuse_of_input and reuse_of_nearest, and of the blocks behind a transition the mean absolute weights
    weight_of_transition and weight_of_layers.
    """
    config = task.run.config
    subject = trained(task)
    weights = [weights_by_source(block) for block in blocks_of(subject.network)]
    size = count_network(config.model, config.data)
    return Outcome(
        measurements=(*reused([relative(block) for block in weights]), *after_transitions(weights)),
        status=subject.status,
        parameters=size.parameters,
        multiply_adds=size.multiply_adds,
    )


def reused(blocks: list[list[Tensor]]) -> Iterator[Measurement]:
    """The measurements from the relative weights of every layer of every block."""
    by_distance: dict[int, list[float]] = {}
    for layer in (layer for block in blocks for layer in block[1:]):  # the first layer has a single source
        for distance, value in enumerate(reversed(layer.tolist()), 1):
            by_distance.setdefault(distance, []).append(value)
    for distance, values in sorted(by_distance.items()):
        yield Measurement(metric="reuse", index=distance, value=fmean(values))
    yield Measurement(metric="reuse_of_input", value=fmean(float(block[-1][0]) for block in blocks))
    yield Measurement(metric="reuse_of_nearest", value=fmean(float(block[-1][-1]) for block in blocks))


def after_transitions(blocks: list[list[Tensor]]) -> Iterator[Measurement]:
    """The mean weight, over all blocks but the first, of the transition before the block and of the block's layers.

    A block's first layer reads the transition alone and so says nothing. Nothing is measured in a single block.
    """
    layers = [layer for block in blocks[1:] for layer in block[1:]]
    if layers:
        yield Measurement(metric="weight_of_transition", value=fmean(float(layer[0]) for layer in layers))
        yield Measurement(metric="weight_of_layers", value=fmean(float(layer[1:].mean()) for layer in layers))
