"""Train a network by a recipe and test it once: the first step of every study that trains."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import isnan

from torch import nn

from replicate.data.epochs import Share
from replicate.data.shapes import data_shape
from replicate.experiments.run_config import TrainingConfig
from replicate.runs.records import Measurement, curve, singles
from replicate.runs.store import CHECKPOINT
from replicate.runs.task import Task
from replicate.training.checkpoint import Checkpoint, StaleCheckpoint, load_training, save_weights
from replicate.training.device import accelerator_device, check_parts
from replicate.training.devices import train_on_devices
from replicate.training.module import Observer
from replicate.training.preemption import Preemption
from replicate.training.trainer import Training, make_trainer, prepare, quiet_lightning
from replicate.training.watch import Watch


@dataclass(frozen=True)
class Trained:
    """A trained network, its curves and its scores on the test data."""

    network: nn.Module
    measurements: tuple[Measurement, ...]
    diverged: bool
    images_per_second: float | None
    data_checksum: str
    steps_per_epoch: int


def fit(task: Task[TrainingConfig], observers: Sequence[Observer] = ()) -> Trained:
    """Train the task's network, from its checkpoint if there is one, and test it once, on one device.

    `observers` see each step before it is saved, where one device trains.
    """
    config = task.run.config
    check_parts(config.recipe, config.trainer)
    device, share = accelerator_device(task.machine.accelerator), Share(config.trainer.parts)
    watch, preemption = Watch(task, config.recipe.batch_size), Preemption(task.folder / CHECKPOINT)
    speed = train_on_devices(task) if config.trainer.devices else None
    checkpoint = Checkpoint(task.folder, task.machine.checkpoint_seconds)
    training = prepare(task, share, device, (*observers, watch, checkpoint, preemption))
    with quiet_lightning():
        if config.trainer.devices:
            load_training(training.module, task.folder)
        else:
            with preemption:
                training = trained_on_one(training, task, partial(prepare, task, share, device))
            speed = watch.speed()
        module = training.module
        make_trainer(task, config.trainer).test(module, training.loaders.test, verbose=False)
    save_weights(training.network, task.folder)
    rates = module.rates()
    found = measurements(
        module.history,
        {f"test_{name}": value for name, value in rates.items()},
        data_shape(config.data).classes,
    )
    diverged = module.diverged or isnan(rates["loss"])  # outputs that are no numbers
    return Trained(training.network, found, diverged, speed, training.loaders.checksum, module.plan.steps)


def trained_on_one(training: Training, task: Task[TrainingConfig], again: Callable[..., Training]) -> Training:
    """Train on one device; after a checkpoint that does not fit, train anew from the beginning what `again` makes."""
    try:
        training.run(make_trainer(task, task.run.config.trainer), task)
    except StaleCheckpoint:
        training = again(training.module.observers)
        training.run(make_trainer(task, task.run.config.trainer), task)
    return training


def measurements(history: list[dict[str, float]], scores: dict[str, float], classes: int) -> tuple[Measurement, ...]:
    """Curves (index: epoch, from 1), the last epoch's training figures, and the test scores."""
    curves = [
        m
        for epoch, row in enumerate(history, start=1)
        for name, value in row.items()
        for m in curve(name, [(epoch, value)])
    ]
    last = history[-1] if history else {}
    return (*curves, *singles({**last, **scores, "classes": classes}))
