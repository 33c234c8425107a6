"""Study `step_time`: how long a training step takes, beside that of another network in the same run.

A published time belongs to its machine. Two networks that take steps by turns in one process share whatever the machine
does besides, so that the ratio of their times can be compared with a published one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim

from replicate.data.random import derived_seed
from replicate.experiments.run_config import RecipeRunConfig
from replicate.models.counting import count_parameters
from replicate.runs.records import singles
from replicate.runs.task import Outcome, Task
from replicate.studies.one_batch import seconds, whole_batch
from replicate.studies.options import StepTimeOptions
from replicate.training.device import accelerator_device
from replicate.training.init import initialiser
from replicate.training.network import build_network, count_network
from replicate.training.optimizers import make_optimizer

Config = RecipeRunConfig[StepTimeOptions]

WARM_UP = 2  # steps of each network before the first that counts


class Stepper:
    """A network in training with its optimiser, and one batch that it takes every step on."""

    def __init__(self, network: nn.Module, optimizer: optim.Optimizer, images: Tensor, labels: Tensor) -> None:
        self.network, self.optimizer, self.images, self.labels = network, optimizer, images, labels

    def seconds(self) -> float:
        """Seconds of one step."""
        return seconds(self.step, self.images.is_cuda)

    def step(self) -> None:
        """Forward, backward, and the optimiser's change of the weights."""
        self.optimizer.zero_grad()
        torch.autograd.backward(F.cross_entropy(self.network(self.images), self.labels))
        self.optimizer.step()


def check(config: Config) -> None:
    """Both networks can be built. Raises UserError."""
    initialiser(config.recipe.init)
    for model in models(config):
        count_network(model, config.data)


def run(task: Task[Config]) -> Outcome:
    """Measures step_seconds and reference_step_seconds, means over options.steps steps that the network and its
    reference (`model` changed by options.against) take by turns, and their ratio relative_step_time.

    A mean and no minimum, since stochastic depth draws another network for each step. Every training image of the data
    is in the batch.
    """
    config = task.run.config
    tested, reference = (make_stepper(task, model) for model in models(config))
    torch.manual_seed(derived_seed(task.run.seed, "draws"))
    with subnormals_as_zero():
        for _ in range(WARM_UP):
            tested.step()
            reference.step()
        taken = [(tested.seconds(), reference.seconds()) for _ in range(config.options.steps)]
    mine, other = (sum(times) / len(taken) for times in zip(*taken, strict=True))
    found = {"step_seconds": mine, "reference_step_seconds": other, "relative_step_time": mine / other}
    return Outcome(
        measurements=tuple(singles(found)),
        parameters=count_parameters(tested.network),
        multiply_adds=count_network(config.model, config.data).multiply_adds,
    )


@contextmanager
def subnormals_as_zero() -> Iterator[None]:
    """Calculate with 0 in place of numbers under 1.2e-38.

    Networks that step on one batch know it by heart after some thirty steps, and gradients of blocks that had a turn
    seldom get that small. A processor is forty times slower with such numbers (measured: 14 s for a step of 0.3 s), a
    GPU is not.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def models(config: Config) -> tuple[dict[str, Any], dict[str, Any]]:
    """The variant's network and its reference."""
    return config.model, {**config.model, **config.options.against}


def make_stepper(task: Task[Config], model: dict[str, Any]) -> Stepper:
    """A freshly initialised network on the machine's device, with the data's training images as its batch."""
    config, device = task.run.config, accelerator_device(task.machine.accelerator)
    memory_format = torch.channels_last if task.machine.channels_last else torch.contiguous_format
    network = build_network(model, config.data, config.recipe.init, task.run.seed)
    network = network.to(device, memory_format=memory_format).train()  # type: ignore[call-overload]
    images, labels = whole_batch(config.data)
    images = images.to(device, memory_format=memory_format)
    return Stepper(network, make_optimizer(network, config.recipe), images, labels.to(device))
