"""A flat curve in a space of more dimensions, behind a ReLU: figure 1 of Sandler et al. 2018 (MobileNetV2)."""

from collections.abc import Iterator
from math import pi

import torch
from torch import Tensor

from replicate.data.random import generator
from replicate.errors import UserError
from replicate.experiments.run_config import Block
from replicate.runs.records import Measurement
from replicate.runs.task import Task
from replicate.statements.checks import shortened

TURNS = 3  # of the spiral


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


class Embedding(Block):
    """`points` points of a spiral by a random matrix into `dimension` dimensions."""

    dimension: int
    points: int = 1000

    def check(self) -> None:
        """Raises UserError for a dimension in which the spiral has no room, or without points."""
        if self.dimension < 2 or self.points < 1:
            raise UserError(f"a spiral of {self.points} points needs two dimensions, not {self.dimension}")

    def measure(self, task: Task) -> Iterator[Measurement]:
        """What the way back misses, and how many points collapse, for the matrix that the run's seed draws."""
        rng = generator(task.run.seed, "embedding", self.dimension)
        matrix = torch.randn(self.dimension, 2, generator=rng).double()
        for measure in (reconstruction_error, collapsed_points):
            yield Measurement(metric=measure.__name__, value=shortened(measure(spiral(self.points), matrix)))
