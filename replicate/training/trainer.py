"""The objects of a training, on one device or as one of several."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from torch import nn

from replicate.data.batch_stream import Stream
from replicate.data.epochs import Share
from replicate.data.loaders import Loaders, make_loaders
from replicate.experiments.run_config import TrainerConfig, TrainingConfig
from replicate.files import set_aside
from replicate.runs.task import Task
from replicate.training.averaging import weight_average
from replicate.training.checkpoint import SealedCheckpointIO, StaleCheckpoint, is_misfit, reason, usable_checkpoint
from replicate.training.device import accelerator_device, check_precision
from replicate.training.module import Classification, Observer
from replicate.training.network import build_network, set_bn_momentum, train_only


@dataclass(frozen=True)
class Training:
    """The network to be tested, its data and the module that trains it."""

    network: nn.Module
    loaders: Loaders
    module: Classification
    stream: Stream

    def run(self, trainer: pl.Trainer, task: Task) -> None:
        """Train to the end, from the task's checkpoint if there is one.

        Raises KeyboardInterrupt if interrupted, StaleCheckpoint for a checkpoint of an older network or library, which
        is then out of the way; this training is of no further use.
        """
        path = usable_checkpoint(task.folder)
        try:
            trainer.fit(self.module, self.stream, ckpt_path=path, weights_only=True)
        except Exception as error:
            if path is None or self.module.begun or not is_misfit(error):
                raise
            set_aside(path, f"it does not fit this training, {reason(error)}")
            raise StaleCheckpoint from error
        if trainer.interrupted:
            raise KeyboardInterrupt


def prepare(
    task: Task[TrainingConfig], share: Share, device: torch.device, observers: Sequence[Observer] = ()
) -> Training:
    """The task's training, or one device's `share` of it."""
    config, machine = task.run.config, task.machine
    loaders = make_loaders(
        config.data,
        config.recipe.batch_size,
        task.run.seed,
        device,
        machine.channels_last,
        machine.loader_workers,
        share,
    )
    network = build_network(config.model, config.data, config.recipe.init, task.run.seed)
    train_only(network, config.recipe.trained)
    set_bn_momentum(network, config.recipe.bn_momentum)
    if machine.channels_last:
        network = network.to(memory_format=torch.channels_last)
    average = None if config.recipe.ema is None else weight_average(network, config.recipe.ema)
    if machine.compile:
        network.compile()  # in place, so that checkpoints have the names of the plain network
    module = Classification(
        network,
        config.recipe,
        task.run.seed,
        loaders.train.plan,
        loaders.validation,
        observers,
        average,
    )
    steps = config.recipe.total_steps(loaders.train.plan.steps)
    tested = network if average is None else average.module
    return Training(tested, loaders, module, Stream(loaders.train, steps * module.accumulate))


def make_trainer(task: Task, config: TrainerConfig, **parallel: Any) -> pl.Trainer:
    """Lightning's trainer without its files, progress bar (the sweep has one) and sanity pass.

    The suite starts its own processes, so variables of SLURM, torchrun or MPI mean nothing to the trainer. `parallel`
    are further arguments for a training on several devices.
    """
    check_precision(config.precision, task.machine.accelerator)
    return pl.Trainer(
        accelerator="cpu" if accelerator_device(task.machine.accelerator).type == "cpu" else "gpu",
        precision=config.precision,
        accumulate_grad_batches=config.accumulate,
        max_epochs=1,
        plugins=[SealedCheckpointIO(), LightningEnvironment()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        gradient_clip_val=task.run.config.recipe.clip_norm if task.run.config.recipe else None,
        default_root_dir=str(task.folder),
        **{"devices": 1, **parallel},
    )


class quiet_lightning(warnings.catch_warnings):
    """Silence Lightning's advice on loader workers and log intervals, which our loaders do not have by design."""

    def __enter__(self) -> Any:
        entered = super().__enter__()
        warnings.filterwarnings("ignore", module="pytorch_lightning.*|lightning_fabric.*")
        logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
        return entered
