"""The run store: whole records or none, damage seen and survived, one process a run."""

import fcntl
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

from replicate import files
from replicate.errors import UserError
from replicate.experiments.run_config import Run, run_id
from replicate.files import write_atomic
from replicate.runs.records import Measurement, Record, Timing, dump, parse
from replicate.runs.store import CHECKPOINT, RunStore

CONFIG: dict[str, Any] = {"study": "train", "model": {"name": "resnet_cifar"}}
RUN, OTHER = run_id("train", CONFIG, 0), run_id("train", CONFIG, 1)


def make_record(run: Run | str = RUN, value: float = 12.5) -> Record:
    """A record of `run`, or one of that id, which may be anything."""
    return Record(
        id=run if isinstance(run, str) else run.id,
        experiment="e",
        scale="smoke",
        variant="v",
        seed=int(run == OTHER) if isinstance(run, str) else run.seed,
        status="finished",
        config=CONFIG if isinstance(run, str) else run.config.identity(),
        measurements=(Measurement(metric="test_error", value=value), Measurement(metric="lost", value=None)),
        parameters=10,
        multiply_adds=20,
        timing=Timing(seconds=1.5),
        provenance={"commit": None},
    )


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    made = RunStore(tmp_path / "runs")
    made.prepare()
    return made


def put(store: RunStore, record: Record) -> None:
    with store.claim(record.id) as mine:
        assert mine
        store.write(record)


def test_a_record_comes_back_as_it_went(store: RunStore) -> None:
    put(store, make_record())
    assert store.read(make_record().id) == make_record()
    assert store.finished() == {make_record().id}


def test_id_follows_from_configuration_and_seed_alone() -> None:
    assert run_id("train", {"a": 1, "b": 2}, 3) == run_id("train", {"b": 2, "a": 1}, 3)
    assert len({run_id("train", {"a": a}, s) for a in (1, 2) for s in (0, 1)}) == 4


@pytest.mark.parametrize("place", range(0, 600, 37))
def test_every_flipped_bit_is_seen(place: int) -> None:
    data = bytearray(dump(make_record()))
    data[place % len(data)] ^= 1
    with pytest.raises(ValueError):
        parse(bytes(data))


@pytest.mark.parametrize("damage", [b"", b"{", dump(make_record())[:-40]])
def test_a_damaged_record_is_set_aside_and_others_stay(
    store: RunStore, damage: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    put(store, make_record())
    put(store, make_record(OTHER))
    store.record_path(make_record().id).write_bytes(damage)
    assert store.read(make_record().id) is None
    assert "set aside as record.json.damaged-1" in capsys.readouterr().err
    assert not store.has(make_record().id)
    assert store.read(OTHER) is not None


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_parts_of_killed_writers_go_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    dead, alive, other = (tmp_path / name for name in (".file.1.part", ".file.2.part", ".else.1.part"))
    for part in (dead, alive, other):
        part.write_bytes(b"half")
    with alive.open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        write_atomic(tmp_path / "file", b"new")
    assert sorted(os.listdir(tmp_path)) == [".else.1.part", ".file.2.part", "file"]


def test_a_checkpoint_goes_when_the_record_is_there(store: RunStore) -> None:
    record = make_record()
    store.folder(record.id).mkdir()
    path = store.folder(record.id) / CHECKPOINT
    path.touch()
    put(store, record)
    assert not path.exists()


def test_a_store_knows_the_studies_of_its_runs(store: RunStore) -> None:
    for run in ("train-0123456789ab-s0", "train-0123456789ab-s11", "lesion_pretrained-0123456789ab-s2"):
        store.folder(run).mkdir()
        put(store, make_record(run))
    assert store.studies() == {"train", "lesion_pretrained"}


def hold(root: Path, held: "multiprocessing.synchronize.Event", release: "multiprocessing.synchronize.Event") -> None:
    with RunStore(root).claim("run") as mine:
        assert mine
        held.set()
        release.wait(30)


def test_two_processes_do_not_hold_one_run(store: RunStore) -> None:
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    other = context.Process(target=hold, args=(store.root, held, release))
    other.start()
    assert held.wait(60)
    with store.claim("run") as mine:
        assert not mine
    other.kill()  # the kernel frees a killed holder's lock
    other.join()
    with store.claim("run") as mine:
        assert mine


@pytest.mark.parametrize("name", ["../outside", "a/b", ".", "", ".."])
def test_no_id_leaves_the_store(store: RunStore, name: str) -> None:
    with pytest.raises(UserError):
        store.folder(name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="cannot write to the runs folder"):
        RunStore(tmp_path / "runs").prepare()


def test_a_file_in_the_folders_place_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(UserError, match="cannot write to the runs folder"):
        RunStore(tmp_path / "runs").prepare()
