"""Stopping and going on changes nothing: bitwise, whatever was in flight, also after divergence or damage."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from replicate.experiments.run_config import Run
from replicate.runs.records import Record
from replicate.training import checkpoint
from replicate.training.fit import fit
from tests.helpers.quick_training import Killed, noisy_net, quick_run, record_of, task

assert noisy_net  # the networks of these runs, a fixture for every test here


Whole = Callable[[Run], tuple[Record, dict[str, torch.Tensor]]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The record and the weights of a run that nothing stops, trained once."""
    known: dict[str, tuple[Record, dict[str, torch.Tensor]]] = {}

    def train(run: Run) -> tuple[Record, dict[str, torch.Tensor]]:
        key = run.model_dump_json()
        if key not in known:
            root = tmp_path_factory.mktemp("whole")
            known[key] = record_of(run, root), weights(root, run)
        return known[key]

    return train


def weights(root: Path, run: Run) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = torch.load(io.BytesIO(checkpoint.unseal(root / run.id / checkpoint.WEIGHTS)))
    return found


@pytest.mark.parametrize(
    ("killed_after", "parts", "words"),
    [
        *((killed_after, 1, ()) for killed_after in (1, 3, 5, 7, 9)),
        *((2, 2, ()), (5, 4, ())),
        *((3, 2, ("recipe.ema=0.9",)), (9, 1, ("recipe.ema=0.9", "data.sampling=balanced"))),
    ],
)
def test_a_resumed_run_equals_an_unbroken_one_bitwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_after: int, parts: int, words: tuple[str, ...], whole: Whole
) -> None:
    run = quick_run(f"trainer.accumulate={parts}", *words)
    record, left = whole(run)
    saves = 0
    save = checkpoint.Checkpoint.__call__

    def save_then_die(self: checkpoint.Checkpoint, module: Any, done: int) -> None:
        nonlocal saves
        save(self, module, done)
        saves += 1
        if saves == killed_after:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.Checkpoint, "__call__", save_then_die)
        with pytest.raises(Killed):
            record_of(run, tmp_path / "broken")
    steps: list[int] = []

    def count_steps(self: checkpoint.Checkpoint, module: Any, done: int) -> None:
        steps.append(done)

    monkeypatch.setattr(checkpoint.Checkpoint, "__call__", count_steps)
    resumed = record_of(run, tmp_path / "broken")
    assert steps[0] == killed_after + 1  # nothing before the checkpoint was trained again
    assert resumed.outcome() == record.outcome()
    right = weights(tmp_path / "broken", run)
    assert all(torch.equal(left[key], right[key]) for key in left)


def test_no_checkpoint_falls_between_the_parts_of_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients in flight are in no checkpoint: the optimiser's step is the last thing that one saw."""
    seen: list[tuple[int, int]] = []
    save = checkpoint.Checkpoint.__call__

    def note(self: checkpoint.Checkpoint, module: Any, done: int) -> None:
        seen.append((done, module.trainer.global_step))
        save(self, module, done)

    monkeypatch.setattr(checkpoint.Checkpoint, "__call__", note)
    record_of(quick_run("trainer.accumulate=4"), tmp_path)
    assert seen == [(step, step) for step in range(1, 11)]


def test_a_damaged_checkpoint_is_set_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = quick_run()
    good = fit(task(run, tmp_path / "a"))
    folder = tmp_path / "b" / run.id
    folder.mkdir(parents=True)
    (folder / checkpoint.CHECKPOINT).write_bytes(b"0" * 64 + b"\nnot a checkpoint")
    redone = fit(task(run, tmp_path / "b"))
    assert "set aside" in capsys.readouterr().err
    assert redone.measurements == good.measurements


def test_a_diverged_training_is_not_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was killed while the test data were looked at: the checkpoint of its last step is all there is."""
    run = quick_run("recipe.lr=1e30", "recipe.epochs=6")
    unbroken = record_of(run, tmp_path / "unbroken")

    def die(*given: object, **named: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(pl.Trainer, "test", die)
        with pytest.raises(Killed):
            record_of(run, tmp_path / "broken")
    assert record_of(run, tmp_path / "broken").outcome() == unbroken.outcome()


def test_a_sealed_file_is_torchs_own_and_every_damaged_byte_is_seen(tmp_path: Path) -> None:
    path, content = tmp_path / "weights.pt", {"layer.weight": torch.arange(6.0)}
    checkpoint.seal(content, path)
    assert torch.equal(torch.load(path)["layer.weight"], content["layer.weight"])
    whole = path.read_bytes()
    data = checkpoint.unseal(path)
    for place in (0, len(whole) // 2, len(data) - 30, len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ValueError, match="checksum"):
            checkpoint.unseal(path)
    path.write_bytes(whole[:-40])
    with pytest.raises(ValueError, match="checksum"):
        checkpoint.unseal(path)
    path.write_bytes(hashlib.sha256(data).hexdigest().encode() + b"\n" + data)  # as earlier versions wrote it
    assert checkpoint.unseal(path) == data
