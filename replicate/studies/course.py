"""Study `course`: trains as study `train` does, and measures the way there besides where it ends.

first_layer_gradient is the mean absolute gradient of the first convolution behind the stem, at the last step of each
epoch (a curve) and on average over the epochs (Huang et al. 2016, section 5, "Improved gradient strength").
fluctuation says by how much the validation error moves from epoch to epoch, in percentage points.
"""

import statistics
from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from replicate.errors import UserError
from replicate.experiments.run_config import TrainingConfig
from replicate.runs.records import Measurement, finite
from replicate.runs.task import Outcome, Task
from replicate.studies.train import check_training
from replicate.training.fit import fit
from replicate.training.module import Classification
from replicate.training.network import build_network, count_network

GRADIENT = "first_layer_gradient"
LEAST_EPOCHS = 6  # the second half then has three, and so two changes


def check(config: TrainingConfig) -> None:
    """As study `train`; one device, a first layer behind a stem, validation images and epochs enough."""
    check_training(config)
    if config.devices > 1:
        raise UserError("study course looks at gradients in one process: leave trainer.devices at one")
    if not config.data.validation:
        raise UserError("study course follows the error on validation images: set data.validation to their number")
    first_layer(build_network(config.model, config.data, config.recipe.init, seed=0))


def run(task: Task[TrainingConfig]) -> Outcome:
    """Measures what study `train` does, first_layer_gradient and fluctuation (None in fewer than six epochs)."""
    config = task.run.config
    trained = fit(task, observers=[note_gradient])
    size = count_network(config.model, config.data)
    validation, gradients = (curve(trained.measurements, name) for name in ("validation_error", GRADIENT))
    kept = [m for m in trained.measurements if m.metric != GRADIENT or m.index is not None]
    mean = finite(statistics.fmean(gradients)) if gradients else None
    return Outcome(
        measurements=(
            *kept,
            Measurement(metric=GRADIENT, value=mean),
            Measurement(metric="fluctuation", value=fluctuation(validation)),
        ),
        status="diverged" if trained.diverged else "finished",
        parameters=size.parameters,
        multiply_adds=size.multiply_adds,
        images_per_second=trained.images_per_second,
        data_checksum=trained.data_checksum,
    )


def first_layer(network: nn.Module) -> nn.Conv2d:
    """The first convolution of the network's stages. Raises UserError where there is none."""
    stages = getattr(network, "stages", nn.Identity())
    found = next((layer for layer in stages.modules() if isinstance(layer, nn.Conv2d)), None)
    if found is None:
        raise UserError(f"{type(network).__name__} has no stages with convolutions")
    return found


def note_gradient(module: Classification, done: int) -> None:
    """Write the gradient of an epoch's last step into its row, which a checkpoint keeps with all others.

    A block that stochastic depth has left out in that step has no gradient, and its epoch no value.
    """
    gradient = first_layer(module.network).weight.grad
    if done % module.plan.steps == 0 and gradient is not None:
        module.history[-1][GRADIENT] = float(gradient.abs().mean())


def curve(measurements: Sequence[Measurement], metric: str) -> list[float]:
    """The values of a curve in the order of its index, without those that are no numbers."""
    found = {m.index: m.value for m in measurements if m.metric == metric and m.index is not None}
    return [value for index in sorted(found) if (value := found[index]) is not None]


def fluctuation(errors: Sequence[float]) -> float | None:
    """How far the last half of `errors` moves from one to the next, apart from its trend.

    The standard deviation of the changes over the root of 2: that of the errors themselves if each strayed on its own
    from a straight line.
    """
    half = errors[len(errors) // 2 :]
    if len(errors) < LEAST_EPOCHS:
        return None
    return statistics.stdev(after - before for before, after in pairwise(half)) / 2**0.5
