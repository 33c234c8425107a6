"""Study `train`: train the variant's network and measure its error on the test data, once, after the last epoch."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import torch

from replicate.data.loaders import check_data
from replicate.errors import UserError
from replicate.experiments.run_config import DataRunConfig, TrainingConfig
from replicate.runs.records import Measurement, Status
from replicate.runs.task import Outcome, Task
from replicate.studies.options import CurveLevel, TrainOptions
from replicate.training.device import check_parts
from replicate.training.init import initialiser
from replicate.training.network import build_network, count_network, train_only

if TYPE_CHECKING:
    from replicate.training.fit import Trained


def check(config: TrainingConfig[TrainOptions]) -> None:
    """The network can be trained, and a curve that is to fall to a level is measured."""
    check_training(config)
    reach = config.options.reach
    if reach is not None and reach.curve == "validation_error" and not config.data.validation:
        raise UserError("options.reach looks at validation images: set data.validation to their number")


def check_training(config: TrainingConfig) -> None:
    """The network can be built for the data, the data are there, the recipe's names are known.

    For every study that trains, whatever its options are.
    """
    count_network(config.model, config.data)
    if config.recipe.trained is not None:
        with torch.device("meta"):
            train_only(build_network(config.model, config.data, "default", 0), config.recipe.trained)
    initialiser(config.recipe.init)
    check_parts(config.recipe, config.trainer)
    check_data(config.data)


def run(task: Task[TrainingConfig[TrainOptions]]) -> Outcome:
    """Measures test_error and test_top5_error (percent), test_loss, and curves of the training error and loss.

    With options.reach also steps_to_reach, the steps after which the curve falls to the level; None if it never does.
    """
    from replicate.training.fit import fit  # here, since a sweep checks without Lightning, which is slow to import

    trained, config = fit(task), task.run.config
    reach = config.options.reach
    measurements = [*trained.measurements, *([steps_to_reach(trained, reach)] if reach else [])]
    status: Status = "diverged" if trained.diverged else "finished"
    return outcome_of(config, measurements, status, trained.data_checksum, trained.images_per_second)


def outcome_of(
    config: DataRunConfig,
    measurements: Iterable[Measurement],
    status: Status,
    checksum: str | None,
    images_per_second: float | None = None,
    networks: int = 1,
) -> Outcome:
    """What was measured, with the size of the network (or of so many `networks`) and the data's checksum."""
    size = count_network(config.model, config.data)
    return Outcome(
        measurements=tuple(measurements),
        status=status,
        parameters=networks * size.parameters,
        multiply_adds=size.multiply_adds,
        images_per_second=images_per_second,
        data_checksum=checksum,
    )


def steps_to_reach(trained: "Trained", reach: CurveLevel) -> Measurement:
    """The measurement of that name."""
    curve = {m.index: m.value for m in trained.measurements if m.metric == reach.curve and m.index is not None}
    classes = next(m.value for m in trained.measurements if m.metric == "classes")
    guessing = 100 - 100 / (classes or 1)
    epochs = first_crossing([guessing, *(curve[epoch] for epoch in sorted(curve))], reach.level)
    steps = None if epochs is None else epochs * trained.steps_per_epoch
    return Measurement(metric="steps_to_reach", value=steps)


def first_crossing(curve: Sequence[float | None], level: float) -> float | None:
    """Where `curve`, given at 0, 1, 2, ..., first falls to `level`, on straight lines between its points; else None."""
    for place, (before, after) in enumerate(pairwise(curve)):
        if before is not None and after is not None and after <= level:
            return place + (max(before - level, 0.0) / (before - after) if before > after else 0.0)
    return None
