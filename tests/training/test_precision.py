"""Precision, devices and the environment do what they say; errors have one rule for ranks."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from replicate.errors import UserError
from replicate.evaluation.score import Tally
from replicate.experiments.run_config import MachineConfig, TrainerConfig
from replicate.runs.provenance import provenance
from replicate.training import checkpoint
from replicate.training.device import accelerator_device, check_precision
from replicate.training.fit import fit
from replicate.training.ranking import ranks
from replicate.training.trainer import make_trainer
from tests.helpers.quick_training import Killed, noisy_net, quick_run, record_of, task

assert noisy_net  # the network of these runs, a fixture for every test here


@pytest.mark.parametrize(("precision", "kind"), [("64-true", torch.float64), ("bf16-mixed", torch.bfloat16)])
def test_validation_has_the_precision_of_the_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str, kind: torch.dtype
) -> None:
    from replicate.training import module

    seen: list[torch.dtype] = []

    def note(scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        seen.append(scores.dtype)
        return ranks(scores, labels)

    monkeypatch.setattr(module, "ranks", note)
    fit(task(quick_run(f"trainer.precision={precision}", "data.validation=40"), tmp_path))
    assert set(seen) == {kind}  # of training, validation and test


def test_a_precision_or_accelerator_that_is_not_there_is_refused(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has them")
    with pytest.raises(UserError, match="16-mixed: a CPU trains in bf16-mixed"):
        check_precision("16-mixed", "auto")
    with pytest.raises(UserError, match="no GPU that torch can use"):
        accelerator_device("gpu")
    with pytest.raises(UserError, match=r"unknown machine\.accelerator 'tpu'"):
        accelerator_device("tpu")


def test_a_record_says_what_was_used() -> None:
    told = provenance(MachineConfig(), 1, None, "bf16-mixed")
    assert told["accelerator"] == ("cuda" if torch.cuda.is_available() else "cpu")
    assert told["precision"] == "bf16-mixed"


SCHEDULERS = {
    "SLURM": {"JOB_ID": "77", "NTASKS": "2", "JOB_NAME": "train", "PROCID": "1", "LOCALID": "1", "NODEID": "0"},
    "TORCHELASTIC": {"RUN_ID": "x"},
    "OMPI": {"COMM_WORLD_RANK": "1", "COMM_WORLD_SIZE": "2"},
}


def test_variables_of_schedulers_mean_nothing_to_a_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for prefix, variables in SCHEDULERS.items():
        for name, value in variables.items():
            monkeypatch.setenv(f"{prefix}_{name}", value)
    for name, value in {"SLURM_NODELIST": "localhost", "RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    made = make_trainer(task(quick_run(), tmp_path), TrainerConfig())
    assert (made.world_size, made.global_rank, made.is_global_zero) == (1, 0, True)
    assert type(made.strategy).__name__ == "SingleDeviceStrategy"


@pytest.mark.parametrize("compiled_first", [True, False])
def test_a_compiled_run_resumes_plain_and_the_other_way_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled_first: bool
) -> None:
    """With a compiler that compiles nothing: what matters here are the names in the checkpoint."""
    compiled: list[bool] = []
    monkeypatch.setattr(torch, "compile", lambda call, **rest: compiled.append(True) or call)
    unbroken = fit(task(quick_run(), tmp_path / "unbroken"))
    save = checkpoint.Checkpoint.__call__

    def save_then_die(self: checkpoint.Checkpoint, module: Any, done: int) -> None:
        save(self, module, done)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.Checkpoint, "__call__", save_then_die)
        with pytest.raises(Killed):
            fit(task(quick_run(), tmp_path, compile=compiled_first))
    resumed = fit(task(quick_run(), tmp_path, compile=not compiled_first))
    assert compiled
    assert resumed.measurements == unbroken.measurements


def test_outputs_that_are_no_numbers_are_wrong_and_have_diverged(tmp_path: Path) -> None:
    """The last step broke the network: its loss before that step was still finite."""

    record = record_of(quick_run("recipe.lr=1e30", "recipe.epochs=1", "recipe.batch_size=160"), tmp_path)
    assert record.status == "diverged"
    assert record.value("test_loss") is None
    assert record.value("test_error") == record.value("test_top5_error") == 100


def test_top_5_is_never_above_top_1() -> None:
    torch.manual_seed(0)
    labels = torch.randint(10, (400,))
    for scores in (
        torch.full((400, 10), math.nan),
        torch.zeros(400, 10),
        torch.randn(400, 10),
        torch.randn(400, 10).round(),
        torch.randn(400, 10).masked_fill(torch.rand(400, 10) < 0.2, math.nan),
    ):
        tally = Tally()
        tally.add(scores.softmax(1), labels)
        assert tally.wrong5 <= tally.wrong <= 400
    places = ranks(torch.randn(400, 10), labels)
    assert set(places.tolist()) <= set(range(10))
