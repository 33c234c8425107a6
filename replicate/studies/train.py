"""Study `train`: train the variant's network and measure its error on the test data, once, after the last epoch."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from replicate.data.loaders import check_data
from replicate.errors import UserError
from replicate.experiments.recipe import first_line
from replicate.experiments.run_config import RunConfig
from replicate.runs.records import Measurement
from replicate.runs.task import Outcome, Task
from replicate.training.fit import Trained, check_parts, fit
from replicate.training.init import initialiser
from replicate.training.network import build_network, count_network, train_only


class Reach(BaseModel):
    """How far a curve has to fall: "steps to 72.2 %" (Ioffe and Szegedy 2015, figure 3) is an error of 27.8 %."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    curve: Literal["train_error", "validation_error"]
    level: float = Field(gt=0, lt=100)


class Options(BaseModel):
    """`options` of a run. reach: also measure after how many steps a curve falls to a level."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reach: Reach | None = None


def read_options(options: dict[str, Any]) -> Options:
    """The options as data. Raises UserError for what makes no sense."""
    try:
        return Options.model_validate(options)
    except ValidationError as error:
        raise UserError(f"options.{first_line(error)}") from error


def check(config: RunConfig) -> None:
    """The network can be trained, and the options make sense."""
    check_training(config)
    assert config.data is not None
    reach = read_options(config.options).reach
    if reach is not None and reach.curve == "validation_error" and not config.data.validation:
        raise UserError("options.reach looks at validation images: set data.validation to their number")


def check_training(config: RunConfig) -> None:
    """The network can be built for the data, the data are there, the recipe's names are known.

    For every study that trains: what `options` mean is its own affair.
    """
    assert config.data is not None
    assert config.recipe is not None
    assert config.trainer is not None
    count_network(config.model, config.data)
    if config.recipe.trained is not None:
        with torch.device("meta"):
            train_only(build_network(config.model, config.data, "default", 0), config.recipe.trained)
    initialiser(config.recipe.init)
    check_parts(config.recipe, config.trainer)
    check_data(config.data)


def run(task: Task) -> Outcome:
    """Measures test_error and test_top5_error (percent), test_loss, and curves of the training error and loss.

    With options.reach also steps_to_reach, the steps after which the curve falls to the level; None if it never does.
    """
    trained = fit(task)
    assert task.run.config.data is not None
    size = count_network(task.run.config.model, task.run.config.data)
    reach = read_options(task.run.config.options).reach
    return Outcome(
        measurements=(*trained.measurements, *([steps_to_reach(trained, reach)] if reach else [])),
        status="diverged" if trained.diverged else "finished",
        parameters=size.parameters,
        multiply_adds=size.multiply_adds,
        images_per_second=trained.images_per_second,
        data_checksum=trained.data_checksum,
    )


def steps_to_reach(trained: Trained, reach: Reach) -> Measurement:
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
