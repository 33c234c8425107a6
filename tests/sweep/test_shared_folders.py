"""Folders that several machines share: parts, locks and results/ hold without a common process table, and on NFS."""

import errno
import fcntl
import multiprocessing
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from replicate import files
from replicate.errors import UserError
from replicate.files import locked, write_atomic
from replicate.runs.store import RunStore
from replicate.sweep import stall
from replicate.sweep.execute import Job
from replicate.sweep.stall import ROUNDS, Stall
from tests.runs.test_records import RUN, make_record


def write_often(path: Path, text: str, times: int) -> None:
    os.getpid = lambda: 1  # as in a container of its own
    for _ in range(times):
        write_atomic(path, text.encode())


def test_writers_with_equal_process_numbers_do_not_meet(tmp_path: Path) -> None:
    """Two process-id spaces, one file: no read is torn or empty, no write fails, no part stays."""
    path, texts = tmp_path / "file", {letter * 5000 for letter in "abcd"}
    write_atomic(path, next(iter(texts)).encode())
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write_often, args=(path, text, 25)) for text in texts]
    for writer in writers:
        writer.start()
    reads = 0
    while any(writer.is_alive() for writer in writers):
        assert path.read_text() in texts
        reads += 1
    assert reads > 0
    assert [writer.exitcode for writer in writers] == [0] * 4
    assert os.listdir(tmp_path) == ["file"]


def nfs_flock(flock: Any) -> Any:
    """flock(2) as NFS does it: an exclusive lock needs a descriptor that may write."""

    def strict(file: Any, operation: int) -> None:
        descriptor = file if isinstance(file, int) else file.fileno()
        mode = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
        if operation & fcntl.LOCK_EX and mode == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        flock(file, operation)

    return strict


def test_parts_and_locks_work_on_nfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.fcntl, "flock", nfs_flock(fcntl.flock))
    (tmp_path / ".file.7.part").write_bytes(b"half")
    write_atomic(tmp_path / "file", b"new")
    assert os.listdir(tmp_path) == ["file"]
    with locked(tmp_path / "lock", wait=False) as first, locked(tmp_path / "lock", wait=False) as second:
        assert (first, second) == (True, False)


def test_a_file_system_without_locks_still_gets_whole_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(file: Any, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(files.fcntl, "flock", none)
    write_atomic(tmp_path / "file", b"new")
    assert os.listdir(tmp_path) == ["file"]


def test_a_part_that_was_taken_for_an_orphan_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another writer looks between a part's creation and its lock."""
    names = iter(["first", "second"])
    flock = fcntl.flock

    def remove_then_lock(file: Any, operation: int) -> None:
        (tmp_path / ".file.first.part").unlink(missing_ok=True)
        flock(file, operation)

    monkeypatch.setattr(secrets, "token_hex", lambda size: next(names))
    monkeypatch.setattr(files.fcntl, "flock", remove_then_lock)
    write_atomic(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


def test_a_store_stays_where_it_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    store = RunStore(Path("runs"))
    monkeypatch.chdir("elsewhere")
    store.prepare()
    store.folder(RUN).mkdir()
    store.write(make_record())
    assert (tmp_path / "runs" / RUN / "record.json").is_file()


class Waiting:
    """A job of which a stall looks at the id alone."""

    class run:
        id = RUN


WAITING: Sequence[Job] = [Waiting()]  # type: ignore[list-item]


def test_runs_that_are_done_and_leave_no_record_end_the_sweep(tmp_path: Path) -> None:
    looking = Stall(RunStore(tmp_path))
    for _ in range(ROUNDS - 1):
        looking.look(WAITING, {RUN: "done"})
    with pytest.raises(UserError, match=f"has no record in {tmp_path}"):
        looking.look(WAITING, {RUN: "done"})


def test_a_holder_without_a_sign_of_life_ends_the_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stall, "PATIENCE", 0.0)
    store = RunStore(tmp_path)
    looking = Stall(store)
    with store.claim(RUN):
        looking.look(WAITING, {RUN: "busy"})
        (store.folder(RUN) / "progress.json").touch()
        looking.look(WAITING, {RUN: "busy"})
        with pytest.raises(UserError, match=rf"held by process {os.getpid()} host .*no sign of life"):
            looking.look(WAITING, {RUN: "busy"})
