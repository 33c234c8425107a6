"""A training that is killed twice, on its way back too, ends as one that never was: for each optimiser and each layer
that draws, with micro-batches in bf16."""

from pathlib import Path
from typing import Any

import pytest
import torch

from replicate.training import checkpoint
from tests.helpers.quick_training import Killed, noisy_net, quick_run, record_of
from tests.training.test_training_resume import weights

assert noisy_net  # the network of these runs, a fixture for every test here

OPTIMISERS = {
    "sgd": ("recipe.optimizer=sgd", "recipe.nesterov=true"),
    "rmsprop": ("recipe.optimizer=rmsprop", "recipe.lr=0.001"),
    "adam": ("recipe.optimizer=adam", "recipe.lr=0.001", "recipe.ema=0.9"),
}
LAYERS = {
    "dropout": ("model.name=noisynet",),
    "stochastic depth": ("model.name=stochastic_depth_cifar", "model.depth=8", "model.survival_probability=0.5"),
}
BOTH = ("trainer.precision=bf16-mixed", "trainer.accumulate=2")


def run_until(root: Path, words: tuple[str, ...], last: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go on with the run, and die after its batch `last`, whose checkpoint is written."""
    save = checkpoint.Checkpoint.__call__

    def save_then_die(self: checkpoint.Checkpoint, module: Any, done: int) -> None:
        save(self, module, done)
        if done == last:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.Checkpoint, "__call__", save_then_die)
        with pytest.raises(Killed):
            record_of(quick_run(*words), root)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_twice_killed_is_never_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimiser: str, layer: str
) -> None:
    words = (*LAYERS[layer], *OPTIMISERS[optimiser], *BOTH)
    unbroken = record_of(quick_run(*words), tmp_path / "unbroken")
    for last in (2, 7):
        run_until(tmp_path / "broken", words, last, monkeypatch)
    assert record_of(quick_run(*words), tmp_path / "broken").outcome() == unbroken.outcome()
    left, right = (weights(tmp_path / name, quick_run(*words)) for name in ("unbroken", "broken"))
    assert all(torch.equal(left[key], right[key]) for key in left)
