"""Train a network by a recipe and look at the test data once: what every study that trains begins with."""

import logging
import time
import warnings
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from replicate.data.loaders import make_loaders
from replicate.data.shapes import data_shape
from replicate.errors import UserError
from replicate.experiment import TrainerConfig
from replicate.progress import Progress
from replicate.records import CHECKPOINT, Measurement
from replicate.studies.base import Task
from replicate.training.checkpoint import Checkpoint, SealedCheckpointIO, save_weights, usable_checkpoint
from replicate.training.module import Classification
from replicate.training.network import build_network, train_only
from replicate.training.preemption import Preemption
from replicate.training.recipe import Recipe
from replicate.training.stream import Stream

SPEED_WINDOW = 20  # steps over which images/s are averaged


@dataclass(frozen=True)
class Trained:
    """A trained network, its curves and what it scored on the test data."""

    network: nn.Module
    measurements: tuple[Measurement, ...]
    diverged: bool
    images_per_second: float | None
    data_checksum: str
    steps_per_epoch: int


def fit(task: Task) -> Trained:
    """Train the task's network, from its checkpoint if there is one, and evaluate it once."""
    config = task.run.config
    assert config.recipe is not None
    assert config.data is not None
    assert config.trainer is not None
    device = accelerator_device(task.machine.accelerator)
    machine, parts = task.machine, config.trainer.accumulate
    check_parts(config.recipe, config.trainer)
    loaders = make_loaders(
        config.data,
        config.recipe.batch_size,
        task.run.seed,
        device,
        machine.channels_last,
        machine.loader_workers,
        parts,
    )
    network = build_network(config.model, config.data, config.recipe.init, task.run.seed)
    train_only(network, config.recipe.trained)
    if machine.channels_last:
        network = network.to(memory_format=torch.channels_last)
    watch, preemption = Watch(task, config.recipe.batch_size), Preemption(task.folder / CHECKPOINT)
    module = Classification(
        torch.compile(network) if machine.compile else network,  # type: ignore[arg-type]
        config.recipe,
        task.run.seed,
        loaders.train.plan,
        loaders.validation,
        observers=(watch, Checkpoint(task.folder, machine.checkpoint_seconds), preemption),
    )
    stream = Stream(loaders.train, config.recipe.total_steps(loaders.train.plan.steps) * parts)
    with quiet_lightning():
        trainer = make_trainer(task, config.trainer)
        with preemption:
            trainer.fit(module, stream, ckpt_path=usable_checkpoint(task.folder), weights_only=True)
        if trainer.interrupted:
            raise KeyboardInterrupt
        trainer.test(module, loaders.test, verbose=False)
    save_weights(network, task.folder)
    scores = {f"test_{name}": value for name, value in module.rates().items()}
    found = measurements(module.history, scores, data_shape(config.data).classes)
    return Trained(network, found, module.diverged, watch.speed(), loaders.checksum, loaders.train.plan.steps)


def check_parts(recipe: Recipe, trainer: TrainerConfig) -> None:
    """Raise UserError when accumulation does not divide the recipe's batch."""
    if recipe.batch_size % trainer.accumulate:
        raise UserError(f"a batch of {recipe.batch_size} cannot be accumulated in {trainer.accumulate} equal parts")


def accelerator_device(accelerator: str) -> torch.device:
    """Where the images live: the first GPU, or the CPU."""
    return torch.device("cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu")


def make_trainer(task: Task, config: TrainerConfig) -> pl.Trainer:
    """Lightning without what we do not use: no files of its own, no bar (the sweep has one), no sanity pass."""
    return pl.Trainer(
        accelerator="cpu" if accelerator_device(task.machine.accelerator).type == "cpu" else "gpu",
        devices=task.machine.devices,
        precision=config.precision,
        accumulate_grad_batches=config.accumulate,
        max_epochs=1,
        plugins=[SealedCheckpointIO()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        gradient_clip_val=task.run.config.recipe.clip_norm if task.run.config.recipe else None,
        default_root_dir=str(task.folder),
    )


class Watch:
    """Tells the sweep and the tracker how far the run is and how fast."""

    def __init__(self, task: Task, batch_size: int) -> None:
        self.task, self.batch_size = task, batch_size
        self.began = self.window = time.monotonic()
        self.before: int | None = None  # steps of earlier sittings
        self.marks: list[float] = []

    def __call__(self, module: Classification, done: int) -> None:
        self.before = done - 1 if self.before is None else self.before
        if done % SPEED_WINDOW == 0:
            now = time.monotonic()
            self.marks.append(SPEED_WINDOW * self.batch_size / (now - self.window))
            self.window = now
        total = module.total_steps
        if done % SPEED_WINDOW == 0 or done == total:
            self.task.report(self.progress(done, total, module))
        if done % module.plan.steps == 0:
            self.task.tracker.log(len(module.history), {**module.history[-1], "images_per_second": self.speed()})

    def progress(self, done: int, total: int, module: Classification) -> Progress:
        return Progress(
            done=done,
            total=total,
            epoch=len(module.history),
            epochs=-(-total // module.plan.steps),
            images_per_second=self.marks[-1] if self.marks else None,
            seconds=time.monotonic() - self.began,
            done_before=self.before or 0,
        )

    def speed(self) -> float | None:
        """The median images/s of this sitting."""
        return sorted(self.marks)[len(self.marks) // 2] if self.marks else None


def measurements(history: list[dict[str, float]], scores: dict[str, float], classes: int) -> tuple[Measurement, ...]:
    """Curves (index: epoch, from 1), the last epoch's training figures, and the test scores."""
    curves = [
        Measurement(metric=metric, index=epoch, value=number(value))
        for epoch, row in enumerate(history, start=1)
        for metric, value in row.items()
    ]
    last = history[-1] if history else {}
    singles = {**last, **scores, "classes": float(classes)}
    return (*curves, *(Measurement(metric=metric, value=number(value)) for metric, value in singles.items()))


def number(value: float) -> float | None:
    """None for what is no finite number: JSON has no NaN."""
    return value if value == value and abs(value) != float("inf") else None


class quiet_lightning(warnings.catch_warnings):
    """Silence Lightning's advice on loader workers and log intervals: our loaders have none by design."""

    def __enter__(self) -> Any:
        entered = super().__enter__()
        warnings.filterwarnings("ignore", module="pytorch_lightning.*")
        logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
        return entered
