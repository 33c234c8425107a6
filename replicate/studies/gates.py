"""Study `gates`: what the gates of a trained squeeze-and-excitation network tell apart, and what they are worth.

Hu et al. 2018, section 7.2 and figure 6: early gates are alike whatever the class, late ones are not. The spread of a
gate is the standard deviation over the classes of its mean over each class's test images, averaged over channels. A
gate is near one where its factor is above 0.9. ungated_error is the error after every gate of a stage stands at its
mean over all images: nothing is retrained, so that what is lost is what the stage's gates know of the single image.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import fmean

import torch
from torch import Tensor, nn

from replicate.data.resident import Batch
from replicate.data.shapes import data_shape
from replicate.errors import UserError
from replicate.experiments.run_config import TrainingConfig
from replicate.models.layers.squeeze_excitation import SqueezeExcitation
from replicate.runs.records import Measurement
from replicate.runs.task import Outcome, Task
from replicate.studies.lesion import EVALUATION_BATCH, error
from replicate.studies.surgery import Slot, replaced
from replicate.studies.train import check_training
from replicate.studies.trained import loaders_of, trained
from replicate.training.network import build_network, count_network

NEAR_ONE = 0.9


@dataclass(frozen=True)
class Gate:
    """A gate, the stage that it stands in (from 1), and where it can be taken out."""

    module: SqueezeExcitation
    stage: int
    slot: Slot


class Fixed(nn.Module):
    """x times one factor for each channel, whatever the image."""

    def __init__(self, factors: Tensor) -> None:
        super().__init__()
        self.factors = factors[None, :, None, None]

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factors


def gates_of(network: nn.Module) -> list[Gate]:
    """Every gate from the input on. Raises UserError for a network without gates in two stages or more."""
    stages = getattr(network, "stages", nn.Sequential())
    found = [
        Gate(module, number, Slot(stage.get_submodule(path.rpartition(".")[0]), path.rpartition(".")[2]))
        for number, stage in enumerate(stages, 1)
        for path, module in stage.named_modules()
        if isinstance(module, SqueezeExcitation)
    ]
    if len({gate.stage for gate in found}) < 2:
        raise UserError(f"{type(network).__name__} does not have gates in two stages or more")
    return found


class ClassMeans:
    """Sums of each gate's factors over the images of each class, and of those near one, while it is entered."""

    def __init__(self, gates: Sequence[Gate], classes: int) -> None:
        self.gates, self.classes = gates, classes
        self.labels = torch.empty(0, dtype=torch.long)
        self.sums: dict[int, Tensor] = {}
        self.near_one: dict[int, float] = {}
        self.counts = torch.zeros(classes, dtype=torch.float64)

    @contextmanager
    def watching(self) -> Iterator[None]:
        hooks = [gate.module.register_forward_hook(partial(self.add, place)) for place, gate in enumerate(self.gates)]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def add(self, place: int, module: SqueezeExcitation, inputs: tuple[Tensor, ...], _: Tensor) -> None:
        """Add a batch of the gate at `place`; a gate for each pixel counts by its mean over the map."""
        factors = module.gate(inputs[0]).mean((2, 3)).double()
        summed = factors.new_zeros(self.classes, factors.shape[1]).index_add_(
            0, self.labels.to(factors.device), factors
        )
        self.sums[place] = self.sums[place] + summed if place in self.sums else summed
        near = float((factors > NEAR_ONE).double().mean(1).sum())
        self.near_one[place] = self.near_one.get(place, 0.0) + near

    @torch.no_grad()
    def collect(self, network: nn.Module, batches: Iterable[Batch]) -> list[Tensor]:
        """The mean factors of each gate, one row for each class: (classes, channels)."""
        with self.watching():
            for images, labels in batches:
                self.labels = labels
                self.counts += torch.bincount(labels.cpu(), minlength=self.classes)
                network(images)
        return [self.sums[place].cpu() / self.counts[:, None] for place in range(len(self.gates))]

    def saturated(self) -> list[float]:
        """The percentage of each gate's factors, over images and channels, that are near one."""
        return [100 * self.near_one[place] / float(self.counts.sum()) for place in range(len(self.gates))]


def spread(class_means: Tensor) -> float:
    """The standard deviation over classes, averaged over channels."""
    return float(class_means.std(0).mean())


def check(config: TrainingConfig) -> None:
    """The network can be trained, and has gates in two stages or more. Raises UserError."""
    check_training(config)
    gates_of(build_network(config.model, config.data, config.recipe.init, seed=0))


@torch.no_grad()
def run(task: Task[TrainingConfig]) -> Outcome:
    """Measures gate_spread of every gate (index: from 1, the input, on), its mean in the first and the last stage,
    gates_near_one of every gate and of the last but one, and ungated_error of every stage (index: from 1), of the first
    and of the last.

    test_error is that of the network as it was trained.
    """
    config = task.run.config
    subject = trained(task)
    loaders = loaders_of(task, config.data, EVALUATION_BATCH, subject.device)
    batches = [(images.to(subject.device), labels.to(subject.device)) for images, labels in loaders.test]
    gates = gates_of(subject.network)
    watched = ClassMeans(gates, data_shape(config.data).classes)
    means = watched.collect(subject.network, batches)
    size = count_network(config.model, config.data)
    return Outcome(
        measurements=(
            *spreads(gates, means),
            *saturation(watched.saturated()),
            *ungated(subject.network, gates, means, batches),
            Measurement(metric="test_error", value=error(subject.network, batches)),
        ),
        status=subject.status,
        parameters=size.parameters,
        multiply_adds=size.multiply_adds,
        data_checksum=loaders.checksum,
    )


def spreads(gates: Sequence[Gate], means: Sequence[Tensor]) -> Iterator[Measurement]:
    """The spread of each gate, and on average in the first and last stage that have any."""
    found = list(map(spread, means))
    for number, value in enumerate(found, 1):
        yield Measurement(metric="gate_spread", index=number, value=value)
    for name, stage in (("first", gates[0].stage), ("last", gates[-1].stage)):
        mean = fmean(value for gate, value in zip(gates, found, strict=True) if gate.stage == stage)
        yield Measurement(metric=f"gate_spread_{name}", value=mean)


def saturation(near_one: Sequence[float]) -> Iterator[Measurement]:
    """The percentage near one of each gate, and of the last but one, which is SE_5_2 in SE-ResNet-50 (figure 6)."""
    for number, value in enumerate(near_one, 1):
        yield Measurement(metric="gates_near_one", index=number, value=value)
    yield Measurement(metric="gates_near_one_last_but_one", value=near_one[-2])


def ungated(
    network: nn.Module, gates: Sequence[Gate], means: Sequence[Tensor], batches: Sequence[Batch]
) -> Iterator[Measurement]:
    """The error after each stage's gates stand still, and that of the first and last stage under names of their own."""
    errors = {stage: error_without(network, gates, means, batches, stage) for stage in {gate.stage for gate in gates}}
    for stage, value in sorted(errors.items()):
        yield Measurement(metric="ungated_error", index=stage, value=value)
    for name, stage in (("first", min(errors)), ("last", max(errors))):
        yield Measurement(metric=f"ungated_error_{name}", value=errors[stage])


def error_without(
    network: nn.Module, gates: Sequence[Gate], means: Sequence[Tensor], batches: Sequence[Batch], stage: int
) -> float:
    """The error in percent while every gate of `stage` gives its mean over all classes."""
    still = {
        gate.slot: Fixed(mean.mean(0).to(batches[0][0]))
        for gate, mean in zip(gates, means, strict=True)
        if gate.stage == stage
    }
    with replaced(still):
        return error(network, batches)
