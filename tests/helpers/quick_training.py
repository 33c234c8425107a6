"""Trainings of two small networks in a second, for tests; `noisy_net` makes them known and is imported with them."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from replicate.experiments.experiment import load_experiment
from replicate.experiments.recipe import Recipe
from replicate.experiments.run_config import MachineConfig, Run
from replicate.models.registry import _ENTRIES, Entry
from replicate.runs.progress import Progress
from replicate.runs.records import Measurement, Record
from replicate.runs.store import RunStore
from replicate.runs.task import Task, Tracker
from replicate.sweep.execute import job_of, measure
from tests.helpers.networks import NoisyNet, SmoothNet

QUICK = ["scale=smoke", "data.train_images=160", "data.test_images=50", "recipe.batch_size=32", "recipe.epochs=2"]
INLINE = ["scale=smoke", "launcher=inline", "wandb=disabled", "data.train_images=40", "data.test_images=20"]
"""Words of a sweep in seconds, in this process."""


class Killed(Exception):
    """Stands for a kill: leaves training at a batch, whatever is on disk is what there is."""


@pytest.fixture(autouse=True)
def noisy_net(monkeypatch: pytest.MonkeyPatch) -> None:
    def noisynet(num_classes: int = 10, in_channels: int = 1) -> nn.Module:
        return NoisyNet(num_classes, in_channels)

    def smoothnet(num_classes: int = 10, in_channels: int = 1) -> nn.Module:
        return SmoothNet(num_classes, in_channels)

    monkeypatch.setitem(_ENTRIES, "noisynet", Entry(noisynet, {}))
    monkeypatch.setitem(_ENTRIES, "smoothnet", Entry(smoothnet, {}))


@cache
def quick_run(*words: str) -> Run:
    """A run of two epochs of five steps, resolved once."""
    own = ["model.depth=null", "model.shortcut=null", "model.name=noisynet"]
    return load_experiment("resnet_shortcuts", [*QUICK, *own, *words]).run("A", 0)


def task(run: Run, root: Path, **machine: Any) -> Task:
    store = RunStore(root)
    store.folder(run.id).mkdir(parents=True, exist_ok=True)
    return Task(run, MachineConfig(channels_last=False, **machine), store, ignore, Tracker())


def ignore(progress: Progress) -> None:
    return


def record_of(run: Run, root: Path) -> Record:
    experiment = load_experiment(
        "resnet_shortcuts", [*QUICK, f"runs_dir={root}", "machine.checkpoint_seconds=0", "wandb=disabled"]
    )
    store = RunStore(root)
    store.folder(run.id).mkdir(parents=True, exist_ok=True)
    return measure(job_of(experiment, run), store)


def smooth_run(*words: str) -> Run:
    """A training in which an image's share of a step does not depend on the other images.

    170 images leave a last batch of 10, which 4 does not divide; clipping looks at the whole step's gradient.
    """
    plain = ["model.name=smoothnet", "data.augmentation=none", "data.train_images=170", "recipe.epochs=3"]
    run = quick_run(*plain, *words)
    assert run.config.recipe is not None
    recipe = run.config.recipe.model_copy(update={"clip_norm": 1.0})
    return run.model_copy(update={"config": run.config.model_copy(update={"recipe": recipe})})


def assert_same_measurements(ours: Sequence[Measurement], theirs: Sequence[Measurement]) -> None:
    """Losses agree to five digits, shares of wrong answers exactly."""
    assert [(m.metric, m.index) for m in ours] == [(m.metric, m.index) for m in theirs]
    assert [m.value for m in ours] == pytest.approx([m.value for m in theirs], rel=1e-5)


def recipe(**fields: Any) -> Recipe:
    return Recipe.model_validate({"lr": 0.1, "batch_size": 10, "epochs": 10, **fields})
