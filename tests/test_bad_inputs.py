"""Some four hundred bad inputs over the commands: one line, exit code 2, nothing written, never a traceback."""

import sys
from pathlib import Path

import pytest

from replicate.cli import main
from replicate.experiments.overrides import BY_NAME, SAID_ELSEWHERE, settings
from replicate.experiments.recipe import Recipe

EXP = "resnext_cardinality"
KEYS = sorted(settings())
NUMBERS = [
    *(
        f"recipe.{name}"
        for name in ("lr", "momentum", "weight_decay", "batch_size", "epochs", "iterations", "label_smoothing")
    ),
    *(f"data.{name}" for name in ("size", "train_images", "test_images", "validation")),
    *(f"trainer.{name}" for name in ("devices", "accumulate")),
    *(f"machine.{name}" for name in ("threads", "workers", "runs_per_gpu", "loader_workers", "checkpoint_seconds")),
    "seeds",
]
NAMES = ["scale", "wandb", "launcher", "data.name", "data.augmentation", "data.normalisation", "trainer.precision"]
NAMES += ["recipe.name", "recipe.optimizer", "recipe.init", "model.name", "study", "statistic", "table", "budget"]

MISSPELT = [f"{sign}{key[:-1]}{'' if key[-1] == 'x' else 'x'}=1" for key in KEYS for sign in ("", "+", "++")]
ELSEWHERE = [f"{key}=3" for key in SAID_ELSEWHERE] + [f"{key}=other" for key in BY_NAME]
WRONG = [f"{key}=many" for key in NUMBERS] + [f"{key}=-3" for key in NUMBERS] + [f"{key}=no_such" for key in NAMES]
ODD = [
    "-m", "--multirun", "--cfg=job", "scale", "=3", "+=3", "~model", "~model.depth=3", "hydra.launcher.partition=gpu",
    "hydra/launcher=joblib", "hydra.sweeper.params.seed=1", "hydra.searchpath=[file:///]", "recipe.lr=${oc.env:HOME}",
    "runs_dir=${oc.env:HOME}", "model.depth=${variants}", "data=cifar11", "data=no",
    "variant=1x64d,,2x40d", "seed=range(0)", "variant=[]", "runs_dir=", "recipe.lr=inf",
    "recipe.lr=1e400", "machine.accelerator=quantum", "machine.accelerator=tpu",
    "machine=null", "trainer=null", "data=null",
    "options=x", "options=null", "metrics=x", "launcher=null", "runs_dir=null", "variant=1x64d,1x64d", "seed=0,0",
    "seed=-1", "seed=x", "variant=1x65d", "experiment=other", "paper=senet", "budget=soon", "budget=-3m", "budget=30",
    "metrics.top1_error=no_such_metric", "recipe.epochs=2.5.1", "launcher.gpus=1", "launcher.kind=cloud",
    "model.depht=20",
    "model.cardinality=fast", "model.depth=19", "model.base_width=0", "options.reach=3", "options.no_such=1",
    "data.name=imagenet", "recipe.batch_size=0", "recipe.trained=no_such_module", "trainer.accumulate=999",
]  # fmt: skip
PAIRS = [("recipe.epochs=2", "recipe.iterations=100")]
COMMANDS = [
    ("run", "resnxt_cardinality"), ("show", "resnxt_cardinality"), ("plan", "resnxt_cardinality"), ("run", "../etc"),
    ("report", "resnxt_cardinality"), ("dashboard", "resnxt_cardinality"), ("run", ""), ("show", "a b"),
    ("plan", EXP, "--scale", "huge"), ("cost", "resnet51"), ("cost", "resnet50", "depth"), ("cost", "resnet50", "x=1"),
    ("cost", "resnet50", "--input", "3x0x3"), ("cost", "resnet50", "--input", "three"), ("cost", "resnet50", "x=[1"),
    ("suite", "papers=resnxt"), ("suite", "experiments=no_such"), ("suite", "budget=never"),
    ("suite", "budget=1s", "lr=3"),
    ("readme", "no/such/page.md"), ("calibration", "no/such/page.md"), ("calibration", "."), ("check", "no_such"),
    ("show", EXP, "--config", "variant=no_such"), ("show", EXP, "--config", "recipe.lr=fast"),
    ("run", EXP, "--dry-run", "seed=x"), ("report", EXP, "scale=smoke"), ("site", "--out", __file__),
    ("list", "--state", "opne"), ("list", "--minutes", "-1"), ("verdicts", "--paper", "resnxt"), ("metrics", "trian"),
    ("train",), ("train", "model=resnet_cifar"), ("train", "model=no_such", "recipe=laptop"),
    ("train", "model=json:no_such", "recipe=laptop"), ("train", "model=vgg11", "recipe=laptop", "-m"),
]  # fmt: skip


def small(*words: str) -> tuple[str, ...]:
    """`run` with these overrides, so small that a swallowed one costs seconds, not minutes."""
    rest = ("scale=smoke", "variant=1x64d", "launcher=inline", "wandb=disabled")
    return ("run", EXP, *words, *(word for word in rest if word.split("=")[0] not in " ".join(words)))


INPUTS = [
    *COMMANDS,
    *(small(word) for word in [*MISSPELT, *ELSEWHERE, *WRONG, *ODD]),
    *(small(*pair) for pair in PAIRS),
]


def test_a_gpu_that_is_not_there_is_refused(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["replicate", *small("machine.accelerator=gpu")])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert "no GPU that torch can use" in capsys.readouterr().err
    assert list(workdir.iterdir()) == []


def test_they_are_at_least_three_hundred_and_cover_every_setting() -> None:
    assert len(set(INPUTS)) >= 300
    assert {"recipe.lr", "data.name", "machine.workers", "trainer.devices"} <= set(KEYS)
    assert set(Recipe.model_fields) >= {"lr", "epochs", "iterations"}


@pytest.mark.parametrize("words", INPUTS, ids=" ".join)
def test_a_bad_input_is_one_line_and_writes_nothing(
    words: tuple[str, ...], workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["replicate", *words])
    with pytest.raises(SystemExit) as left:
        main()
    told = capsys.readouterr()
    assert left.value.code == 2, told
    assert "Traceback" not in told.err + told.out
    lines = [line for line in told.err.splitlines() if line.startswith("replicate: ")]
    usage = "Usage" in told.err  # what typer itself refuses
    assert usage or len(lines) == len(told.err.splitlines()) == 1, told.err
    assert told.out == ""
    assert list(workdir.iterdir()) == []
