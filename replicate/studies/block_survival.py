"""How many blocks of a network of stochastic depth take part in a mini-batch: Huang et al. 2016, section 3."""

from collections.abc import Iterator
from functools import cache
from math import fsum

import torch

from replicate.data.random import derived_seed
from replicate.errors import UserError
from replicate.experiments.run_config import Block
from replicate.models import create_model
from replicate.models.stochastic_depth import Decay, StochasticDepth
from replicate.runs.records import Measurement
from replicate.runs.task import Task
from replicate.statements.checks import shortened


@cache
def network(depth: int, survival_probability: float, decay: Decay) -> StochasticDepth:
    """The network on the meta device, once for all seeds: 1202 layers take seconds to build."""
    with torch.device("meta"):
        built = create_model(
            "stochastic_depth_cifar", depth=depth, survival_probability=survival_probability, decay=decay
        )
    assert isinstance(built, StochasticDepth)
    return built


class Survival(Block):
    """The CIFAR network of `depth` layers, and `mini_batches` for each of which blocks are drawn."""

    depth: int
    survival_probability: float = 0.5
    decay: Decay = "linear"
    mini_batches: int = 1000

    def check(self) -> None:
        """Raises UserError for a network that cannot be built, or nothing to draw."""
        if self.mini_batches < 1:
            raise UserError("at least one mini-batch is drawn")
        self.built()

    def built(self) -> StochasticDepth:
        return network(self.depth, self.survival_probability, self.decay)

    def measure(self, task: Task) -> Iterator[Measurement]:
        """The sum of the built blocks' probabilities, and the mean number of blocks that were drawn."""
        expected = fsum(block.survival_probability for block in self.built().blocks)
        yield Measurement(metric="expected_blocks", value=shortened(expected))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(task.run.seed, "survival"))
            yield Measurement(metric="drawn_blocks", value=shortened(self.drawn()))

    def drawn(self) -> float:
        """Blocks that take part, in the mean of the mini-batches, drawn as in training."""
        built, active = self.built(), 0
        for _ in range(self.mini_batches):
            built.draw()
            active += sum(block.active for block in built.blocks)
        return active / self.mini_batches
