"""Loss curves under a fixed seed: a change that should not alter results must leave them where they are.

`python -m tests.training.test_golden` prints the curve anew after a change that should; say in the commit why it moved.
"""

import math
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from replicate.experiments.experiment import load_experiment
from replicate.experiments.run_config import MachineConfig
from replicate.runs.store import RunStore
from replicate.runs.task import Task, Tracker
from replicate.training.fit import fit

WORDS = ["scale=smoke", "model.depth=8", "data.train_images=320", "recipe.epochs=4", "recipe.batch_size=32"]
LOSSES = (2.19104, 1.63372, 1.34977, 1.24000)  # torch 2.14.1 on an x86-64 with AVX-512
TEST_ERROR = 42.97
TOLERANCES = (0.005, 0.03, 0.03, 0.04)
"""Relative. Without AVX-512, or without channels_last, the roundings differ and these losses moved by up to 0.0021,
0.015, 0.001 and 0.019 of themselves."""


def curve(folder: Path) -> tuple[list[float], float]:
    """Training loss of each epoch, and the test error, of ResNet-8 on 320 bundled images."""
    run = load_experiment("resnet_shortcuts", WORDS).run("A", 0)
    store = RunStore(folder)
    store.folder(run.id).mkdir(parents=True)
    task = Task(run, MachineConfig(accelerator="cpu"), store, lambda progress: None, Tracker())
    found = fit(task).measurements
    losses = [m.value or math.nan for m in found if m.metric == "train_loss" and m.index is not None]
    return losses, next(m.value or math.nan for m in found if m.metric == "test_error")


def test_the_loss_curve_has_not_moved(tmp_path: Path) -> None:
    losses, error = curve(tmp_path)
    for found, golden, tolerance in zip(losses, LOSSES, TOLERANCES, strict=True):
        assert found == pytest.approx(golden, rel=tolerance)
    assert error == pytest.approx(TEST_ERROR, abs=5)


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        print(curve(Path(folder)))
