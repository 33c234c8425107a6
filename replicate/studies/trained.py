"""A trained network for a study that takes it apart: from the finished run of study `train`, done now if need be."""

import time
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn

from replicate.data.config import DataConfig
from replicate.data.loaders import Loaders, make_loaders
from replicate.experiments.run_config import Run, TrainingConfig, run_id, training_config
from replicate.runs.records import Record, Status
from replicate.runs.task import Task, Tracker, load_study, record_of
from replicate.training.checkpoint import WEIGHTS, weights_loaded
from replicate.training.device import accelerator_device
from replicate.training.network import build_network

BUSY_WAIT = 2.0  # seconds between looks at a training that another process is doing


@dataclass(frozen=True)
class LoadedNetwork:
    """The network to take apart, in eval mode on its device; `status` is that of its training."""

    network: nn.Module
    status: Status
    device: torch.device


def training_run(run: Run) -> Run[TrainingConfig]:
    """The run of study `train` with the same network, data, recipe and seed, which other experiments may share."""
    config = training_config(run.config)
    changed = {"config": config, "id": run_id(config.study, config.identity(), run.seed)}
    return cast(Run[TrainingConfig], run.model_copy(update=changed))


def trained(task: Task) -> LoadedNetwork:
    """The network of `task` with its trained weights. Trains it, or waits for the process that does, if need be."""
    run = training_run(task.run)
    network = build_network(run.config.model, run.config.data, run.config.recipe.init, run.seed)
    while True:  # weights that do not fit are set aside, and then their training is done again
        record = finished_training(task, run)
        if weights_loaded(network, task.store.folder(run.id)):
            return ready(network, record.status, task)


def ready(network: nn.Module, status: Status, task: Task) -> LoadedNetwork:
    """The network on the machine's device, as it is tested."""
    device = accelerator_device(task.machine.accelerator)
    if task.machine.channels_last:
        network = network.to(memory_format=torch.channels_last)
    return LoadedNetwork(network.to(device).eval(), status, device)


def finished_training(task: Task, run: Run[TrainingConfig]) -> Record:
    """The record of `run`, whose weights are in the store, too."""
    while True:
        with task.store.claim(run.id) as mine:
            record = task.store.read(run.id)
            if record is not None and (task.store.folder(run.id) / WEIGHTS).exists():
                return record
            if mine:
                return train(Task(run, task.machine, task.store, task.report, Tracker()))
        time.sleep(BUSY_WAIT)


def train(task: Task[TrainingConfig]) -> Record:
    """Do a training run as the launcher would, and write its record."""
    started = time.monotonic()
    record = record_of(task, load_study("train")(task), time.monotonic() - started)
    task.store.write(record)
    return record


def loaders_of(task: Task, data: DataConfig, batch_size: int, device: torch.device) -> Loaders:
    """The loaders of `data` for the run's seed and machine."""
    machine = task.machine
    return make_loaders(data, batch_size, task.run.seed, device, machine.channels_last, machine.loader_workers)
