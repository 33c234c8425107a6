"""Study `random_draws`: what papers say of random embeddings and of randomly dropped blocks, from many draws.

embedding: a flat curve in a space of more dimensions, behind a ReLU: figure 1 of Sandler et al. 2018 (MobileNetV2).
survival: how many blocks of a network of stochastic depth take part in a mini-batch: Huang et al. 2016, section 3.
"""

from functools import cache
from math import fsum, pi

import torch
from torch import Tensor

from replicate.data.random import derived_seed, generator
from replicate.experiments.run_config import RunConfig
from replicate.models import create_model
from replicate.models.stochastic_depth import Decay, StochasticDepth
from replicate.runs.records import singles
from replicate.runs.task import Outcome, Task
from replicate.statements.checks import shortened
from replicate.studies.options import DrawOptions

Config = RunConfig[DrawOptions]

TURNS = 3  # of the spiral


def check(config: Config) -> None:
    """Raises UserError for a network that cannot be built."""
    if config.options.topic == "survival":
        network_of(config.options)


def run(task: Task[Config]) -> Outcome:
    """embedding: what the way back misses, and how many points collapse, for the matrix that the run's seed draws.

    survival: the sum of the built blocks' probabilities, and the mean number of blocks that were drawn.
    """
    options, seed = task.run.config.options, task.run.seed
    found = embedding(options, seed) if options.topic == "embedding" else survival(network_of(options), options, seed)
    return Outcome(tuple(singles({metric: shortened(value) for metric, value in found.items()})))


def embedding(options: DrawOptions, seed: int) -> dict[str, float]:
    """reconstruction_error and collapsed_points, in percent, of a spiral in one random embedding."""
    points, rng = spiral(options.points), generator(seed, "embedding", options.dimension)
    matrix = torch.randn(options.dimension, 2, generator=rng).double()
    return {measure.__name__: measure(points, matrix) for measure in (reconstruction_error, collapsed_points)}


def spiral(points: int) -> Tensor:
    """Points (points, 2) of a spiral around the origin, from near it to a radius of 1."""
    radius = torch.linspace(0, 1, points + 1, dtype=torch.float64)[1:]
    angle = 2 * pi * TURNS * radius
    return radius[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)


def embedded(points: Tensor, matrix: Tensor) -> Tensor:
    """ReLU(T x) for points x (points, 2) and T (dimension, 2): (points, dimension)."""
    return torch.relu(points @ matrix.T)


def reconstruction_error(points: Tensor, matrix: Tensor) -> float:
    """Percent of the curve's squared length that pinv(T) ReLU(T x) misses, after the best common scale.

    The scale is free since a ReLU halves on average what it is given, which loses no information.
    """
    back = embedded(points, matrix) @ torch.linalg.pinv(matrix).T
    return 100 * float(1 - (points * back).sum() ** 2 / (points.square().sum() * back.square().sum()))


def collapsed_points(points: Tensor, matrix: Tensor) -> float:
    """Percent of the points that share ReLU(T x) with others: the rows of T with positive outputs have no full rank."""
    positive = embedded(points, matrix) > 0
    rank = torch.linalg.matrix_rank(positive[:, :, None] * matrix)
    return 100 * float((rank < points.shape[1]).double().mean())


@cache
def stochastic_depth(depth: int, survival_probability: float, decay: Decay) -> StochasticDepth:
    """The network on the meta device, once for all seeds: 1202 layers take seconds to build."""
    with torch.device("meta"):
        built = create_model(
            "stochastic_depth_cifar", depth=depth, survival_probability=survival_probability, decay=decay
        )
    assert isinstance(built, StochasticDepth)
    return built


def network_of(options: DrawOptions) -> StochasticDepth:
    return stochastic_depth(options.depth, options.survival_probability, options.decay)


def survival(network: StochasticDepth, options: DrawOptions, seed: int) -> dict[str, float]:
    """expected_blocks, and drawn_blocks in the mean of the mini-batches, drawn as in training."""
    active = 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(seed, "survival"))
        for _ in range(options.mini_batches):
            network.draw()
            active += sum(block.active for block in network.blocks)
    expected = fsum(block.survival_probability for block in network.blocks)
    return {"expected_blocks": expected, "drawn_blocks": active / options.mini_batches}
