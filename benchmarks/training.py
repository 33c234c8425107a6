"""Images/s of ResNet-20 at 16 pixels, batch 64: a bare PyTorch loop and our Trainer, in turn."""

import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from replicate.data.batch_stream import Stream
from replicate.data.loaders import make_loaders
from replicate.experiments.experiment import load_experiment
from replicate.experiments.run_config import MachineConfig, Run
from replicate.runs.store import RunStore
from replicate.runs.task import Task, Tracker
from replicate.training.module import Classification
from replicate.training.network import build_network, count_network
from replicate.training.optimizers import make_optimizer
from replicate.training.trainer import make_trainer

BATCH = 64
WORDS = ["model.name=resnet_cifar", "model.depth=20", "data.size=16", f"recipe.batch_size={BATCH}"]


def the_run() -> Run:
    """ResNet-20 on the bundled images at 16 pixels, as the laptop scale trains it."""
    return load_experiment("resnet_shortcuts", WORDS).run("A", 0)


def training_flops_per_image() -> float:
    """A forward and a backward pass: three times the forward multiply-adds, two operations each."""
    config = the_run().config
    assert config.data is not None
    return 6.0 * count_network(config.model, config.data).multiply_adds


def prepare() -> tuple[Run, nn.Module]:
    run = the_run()
    assert run.config.data is not None
    assert run.config.recipe is not None
    network = build_network(run.config.model, run.config.data, run.config.recipe.init, seed=0)
    return run, network.to(memory_format=torch.channels_last)


def bare_loop() -> Callable[[int], float]:
    """Steps -> images/s of the shortest loop that trains: batch, forward, loss, backward, step."""
    run, network = prepare()
    assert run.config.data is not None
    assert run.config.recipe is not None
    loader = make_loaders(run.config.data, BATCH, 0, torch.device("cpu"), channels_last=True).train
    optimizer = make_optimizer(network, run.config.recipe)
    network.train()

    def steps(count: int) -> float:
        batches = islice(loader, count)
        started = time.perf_counter()
        for images, labels in batches:
            loss = F.cross_entropy(network(images), labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return count * BATCH / (time.perf_counter() - started)

    return steps


class Clock:
    """Observes a training and notes when its first and last batch were done."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __call__(self, module: Classification, done: int) -> None:
        self.times.append(time.perf_counter())

    def images_per_second(self) -> float:
        return (len(self.times) - 1) * BATCH / (self.times[-1] - self.times[0])


def our_trainer() -> Callable[[int], float]:
    """Steps -> images/s of the Trainer that runs are trained with."""
    run, network = prepare()
    assert run.config.data is not None
    assert run.config.recipe is not None
    assert run.config.trainer is not None
    data, recipe, config = run.config.data, run.config.recipe, run.config.trainer
    loader = make_loaders(data, BATCH, 0, torch.device("cpu"), channels_last=True).train
    folder = RunStore(Path(tempfile.mkdtemp()))
    task = Task(run, MachineConfig(accelerator="cpu"), folder, lambda progress: None, Tracker())

    def steps(count: int) -> float:
        clock = Clock()
        module = Classification(network, recipe, 0, loader.plan, observers=[clock])
        make_trainer(task, config).fit(module, Stream(loader, count))
        return clock.images_per_second()

    return steps
