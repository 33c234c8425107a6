"""What the store reads is checked against what it should be; else one line tells, and the run is done again."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from replicate.errors import UserError
from replicate.evaluation.score import FILE, Tally, load_tallies, save_tallies
from replicate.files import canonical, digest, write_atomic
from replicate.runs.committed import read_records
from replicate.runs.progress import FILE as PROGRESS
from replicate.runs.progress import read_progress
from replicate.runs.records import sealed_line
from replicate.runs.store import CHECKPOINT, RunStore
from replicate.training.checkpoint import WEIGHTS, seal, weights_loaded
from replicate.training.fit import fit
from tests.helpers.quick_training import Killed, noisy_net, quick_run, record_of, task
from tests.runs.test_records import OTHER, RUN, make_record

assert noisy_net  # the network of these runs, a fixture for every test here


def sealed(**changes: Any) -> bytes:
    """A record's file whose seal is right, and whose content is not."""
    text = canonical({**make_record().model_dump(mode="json"), **changes})
    return f"{digest(text)}\n{text}\n".encode()


def with_nan() -> bytes:
    text = canonical(make_record().model_dump(mode="json")).replace("12.5", "NaN")
    return f"{digest(text)}\n{text}\n".encode()


NOT_RECORDS: dict[str, Callable[[Path], object]] = {
    "another run's": lambda path: path.write_bytes(sealed(id=OTHER, seed=1)),
    "another configuration": lambda path: path.write_bytes(sealed(config={"study": "train", "model": {}})),
    "another seed": lambda path: path.write_bytes(sealed(seed=7)),
    "an older schema": lambda path: path.write_bytes(sealed(metrics={})),
    "no numbers": lambda path: path.write_bytes(with_nan()),
    "a measurement twice": lambda path: path.write_bytes(
        sealed(measurements=2 * make_record().model_dump(mode="json")["measurements"])
    ),
    "depth without end": lambda path: path.write_bytes(f"{digest('[' * 90_000)}\n{'[' * 90_000}".encode()),
    "bytes": lambda path: path.write_bytes(b"\xff\n"),
    "a folder": lambda path: path.mkdir(),
    "a pipe": lambda path: os.mkfifo(path),
    "a link to itself": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("put", NOT_RECORDS.values(), ids=NOT_RECORDS)
def test_what_is_not_the_record_of_its_run_is_set_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], put: Callable[[Path], object]
) -> None:
    store = RunStore(tmp_path)
    store.folder(RUN).mkdir()
    put(store.record_path(RUN))
    assert store.read(RUN) is None
    [line] = capsys.readouterr().err.splitlines()
    assert "record.json is damaged" in line
    assert "set aside as record.json.damaged-1" in line
    store.write(make_record())
    assert store.read(RUN) == make_record()


@pytest.mark.parametrize("put", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("elsewhere")])
def test_what_is_no_lock_is_set_aside(tmp_path: Path, put: Callable[[Path], object]) -> None:
    store = RunStore(tmp_path)
    store.folder(RUN).mkdir()
    put(store.folder(RUN) / "lock")
    with store.claim(RUN) as mine:
        assert mine
        assert store.holder(RUN).startswith(f"process {os.getpid()} host {os.uname().nodename} boot ")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("text", ["[]", "{}", '{"done": NaN}', "[" * 90_000, '{"done": "much"}'])
def test_progress_that_makes_no_sense_is_no_news(tmp_path: Path, text: str) -> None:
    (tmp_path / PROGRESS).write_text(text)
    assert read_progress(tmp_path) is None


def test_a_pipe_in_the_place_of_progress_stops_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / PROGRESS)
    assert read_progress(tmp_path) is None


def sealed_text(text: str) -> bytes:
    return f"{digest(text)}\n{text}".encode()


@pytest.mark.parametrize("text", ["{}", "[]", '{"": {"loss": "much"}}', '{"": 1}', '{"_other": {"loss": 1.0}}'])
def test_counts_of_other_protocols_are_set_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    (tmp_path / FILE).write_bytes(sealed_text(text))
    assert load_tallies(tmp_path, [""]) == {"": Tally()}
    assert "set aside as evaluation.json.damaged-1" in capsys.readouterr().err
    save_tallies({"": Tally(1.0, 2, 1, 3, 4)}, tmp_path)
    assert load_tallies(tmp_path, [""]) == {"": Tally(1.0, 2, 1, 3, 4)}


def test_a_changed_digit_of_a_committed_record_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    lines = [sealed_line(make_record()), sealed_line(make_record(OTHER))]
    path.write_text("\n".join(lines) + "\n")
    assert read_records(path) == [make_record(), make_record(OTHER)]
    for spoilt, told in (
        ([lines[0].replace("12.5", "12.6"), lines[1]], "line 1, .*its seal does not match"),
        ([lines[0], lines[1].replace('"lost"', '"found"')], "line 2, .*its seal does not match"),
        ([lines[0], lines[0]], f"line 2, .*{RUN} stands twice"),
        ([lines[0], canonical(make_record(OTHER).model_dump(mode="json"))], "line 2, .*it has no seal"),
        ([lines[0].replace("12.5", "NaN")], "line 1, .*NaN is no number"),
        (["[]"], "line 1, .*no record"),
        ([lines[0][:40]], "line 1"),
    ):
        path.write_text("\n".join(spoilt) + "\n")
        with pytest.raises(UserError, match=told) as error:
            read_records(path)
        assert "\n" not in str(error.value)


def test_records_of_an_older_suite_have_no_seals_and_are_still_read(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text(canonical(make_record().model_dump(mode="json")) + "\n")
    assert read_records(path) == [make_record()]


def stopped(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that was stopped after its fourth batch; returns its checkpoint."""
    from replicate.training import checkpoint

    save = checkpoint.Checkpoint.__call__

    def save_then_die(self: checkpoint.Checkpoint, module: Any, done: int) -> None:
        save(self, module, done)
        if done == 4:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.Checkpoint, "__call__", save_then_die)
        with pytest.raises(Killed):
            record_of(quick_run(), root)
    return root / quick_run().id / CHECKPOINT


def older_network(saved: dict[str, Any]) -> None:
    saved["state_dict"].pop("network.net.0.weight")


def older_library(saved: dict[str, Any]) -> None:
    saved.pop("loops")  # Lightning alone would train all steps again, from these weights


def other_optimiser(saved: dict[str, Any]) -> None:
    saved["optimizer_states"] = [{"state": {}, "param_groups": []}]


@pytest.mark.parametrize("spoil", [older_network, older_library, other_optimiser])
def test_a_whole_checkpoint_that_does_not_fit_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], spoil: Callable[[Any], None]
) -> None:
    from replicate.training.checkpoint import SealedCheckpointIO

    unbroken = record_of(quick_run(), tmp_path / "unbroken")
    path = stopped(tmp_path, monkeypatch)
    saved = SealedCheckpointIO().load_checkpoint(path)
    spoil(saved)
    seal(saved, path)
    assert record_of(quick_run(), tmp_path).outcome() == unbroken.outcome()
    assert "last.ckpt is damaged (it does not fit this training" in capsys.readouterr().err


def test_the_checkpoint_of_another_run_is_set_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = task(quick_run(), tmp_path).folder
    (tmp_path / "train-of-others").mkdir()
    seal({}, tmp_path / "train-of-others" / CHECKPOINT)
    os.rename(tmp_path / "train-of-others" / CHECKPOINT, folder / CHECKPOINT)
    fit(task(quick_run(), tmp_path))
    assert "(it is of train-of-others); set aside as last.ckpt.damaged-1" in capsys.readouterr().err


def damage_none(path: Path) -> None:
    path.write_bytes(b"")


def damage_other_network(path: Path) -> None:
    seal(nn.Linear(3, 3).state_dict(), path)


def damage_no_weights(path: Path) -> None:
    seal([1, 2], path)


@pytest.mark.parametrize("damage", [damage_none, damage_other_network, damage_no_weights])
def test_weights_that_do_not_fit_are_set_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], None]
) -> None:
    damage(tmp_path / WEIGHTS)
    network = nn.Linear(2, 2)
    assert not weights_loaded(network, tmp_path)
    assert "weights.pt is damaged" in capsys.readouterr().err
    assert not (tmp_path / WEIGHTS).exists()
    seal(network.state_dict(), tmp_path / WEIGHTS)
    assert weights_loaded(nn.Linear(2, 2), tmp_path)


def test_a_study_trains_again_what_it_needs_and_is_damaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from replicate.studies.trained import trained

    asked = task(quick_run(), tmp_path)
    before = trained(asked).network.state_dict()
    path = tmp_path / quick_run().id / WEIGHTS
    path.write_bytes(path.read_bytes()[:-9])
    after = trained(asked).network.state_dict()
    assert "weights.pt is damaged" in capsys.readouterr().err
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_an_empty_part_of_a_killed_writer_goes(tmp_path: Path) -> None:
    (tmp_path / ".file.0123456789abcdef.part").touch()
    write_atomic(tmp_path / "file", b"new")
    assert os.listdir(tmp_path) == ["file"]
