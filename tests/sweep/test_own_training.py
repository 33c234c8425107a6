"""`replicate train`: a network of the user's under a recipe of the suite, and the answer beside the suite's own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from replicate.errors import UserError
from replicate.models.extension import NAMED
from replicate.sweep.own_training import asked_for, experiment_of, protocol_of

TINY = """
from torch import nn

def mynet(num_classes: int = 10, width: int = 4) -> nn.Module:
    layers = [nn.Conv2d(1, width, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, num_classes)]
    return nn.Sequential(*layers)
"""
WORDS = ["recipe=laptop", "scale=smoke", "launcher=inline", "seeds=3", "data.train_images=32", "data.test_images=16"]


def test_an_imported_network_is_compared_with_the_suites_own(tmp_path: Path) -> None:
    (tmp_path / "networks.py").write_text(TINY)
    words = ["model=networks:mynet", "model.width=6", "against=resnet_cifar", "against.depth=8", *WORDS]
    command = [sys.executable, "-m", "replicate.cli", "train", *words]
    environment = {**os.environ, "COLUMNS": "140"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "mynet" in done.stdout
    assert "resnet_cifar" in done.stdout
    assert f"6 runs in {tmp_path / 'runs'}, 0 failed" in done.stderr
    assert not (tmp_path / "results").exists()
    assert len(list((tmp_path / "runs").glob("*/record.json"))) == 6


def test_recipe_and_protocol_are_the_papers() -> None:
    experiment = experiment_of(asked_for(["model=resnet_cifar", "recipe=he2016_cifar", "data=cifar10", "seeds=5"]))
    run = experiment.run("resnet_cifar", 0)
    assert run.config.recipe is not None
    assert run.config.data is not None
    assert (run.config.recipe.iterations, run.config.data.name, run.config.data.size) == (64000, "cifar10", None)
    assert run.config.data.augmentation == protocol_of("he2016_cifar")["augmentation"] != "none"
    assert len(experiment.runs()) == 5
    assert experiment.settings.claims == ()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["recipe=laptop"], "model= is missing"),
        (["model=resnet_cifar"], "recipe= is missing"),
        (["model=resnet_cifar", "model=vgg11", "recipe=laptop"], "model= stands twice"),
        (["model=resnet_cifar", "recipe=labtop"], "did you mean laptop"),
        (["model=resnet_cifar", "recipe=laptop", "against.depth=8"], "against= is missing"),
        (["model=resnet_cifar", "recipe=laptop", "agianst=vgg11"], "unknown setting 'agianst'"),
        (["model=a/b:c", "recipe=laptop", "max_epochs=3"], "recipe.epochs=3"),
        (["model=networks:", "recipe=laptop"], "an import is module:function"),
        (["model=json:no_such", "recipe=laptop"], "module 'json' has no attribute 'no_such'"),
        (["model.width=[1", "model=x", "recipe=laptop"], "no plain YAML"),
    ],
)
def test_a_mistake_is_one_line(monkeypatch: pytest.MonkeyPatch, words: list[str], said: str) -> None:
    monkeypatch.delenv(NAMED, raising=False)
    with pytest.raises(UserError, match=said):
        asked_for(words)
    assert NAMED not in os.environ
