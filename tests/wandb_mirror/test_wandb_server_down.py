"""A wandb server that is dead, refuses or dies in the middle costs a line and seconds; nothing is lost."""

from pathlib import Path

import pytest

from replicate.wandb_mirror.session import SYNCED
from replicate.wandb_mirror.upload import offline_files
from tests.wandb_mirror.wandb_files import history, summary
from tests.wandb_mirror.wandb_runs import EPOCHS, two_runs
from tests.wandb_mirror.wandb_server import WandbServer, outside

MARGIN = 10.0  # seconds in which a run must have begun without its server: 3.5 on an idle machine, wandb alone takes 31


SCRIPT = "from pathlib import Path; from tests.wandb_mirror.wandb_runs import mirror_two; mirror_two(Path({!r}))"
SYNC = "import sys; sys.argv[1:] = ['sync', 'runs_dir={}']; from replicate.cli import main; main()"


def all_is_there(server: WandbServer) -> None:
    """Every value of both runs stands on the server."""
    for made in two_runs():
        run = server.runs[made.id]
        epochs = {step["epoch"]: step for step in run.history if "train_error" in step}
        assert [epochs[e + 1]["train_error"] for e in range(2)] == [values["train_error"] for values in EPOCHS]
        assert run.summary["test_error"] == 20.0
        assert run.settings()["variant"] == "32x4d"


def sync_to_a_new_server(folder: Path, home: Path, before: WandbServer) -> WandbServer:
    server = WandbServer()
    server.runs = before.runs
    done = outside(SYNC.format(folder), home, server.environment)
    assert "2 of 2 waiting runs uploaded" in done.stderr
    assert offline_files(folder) == []
    server.close()
    return server


@pytest.mark.parametrize("how", ["dead", "refuses"])
def test_without_its_server_a_run_begins_offline_and_is_uploaded_later(tmp_path: Path, how: str) -> None:
    server, folder = WandbServer(), tmp_path / "runs"
    if how == "dead":
        server.die()
    else:
        server.refusal = 401
    done = outside(SCRIPT.format(str(folder)), tmp_path, server.environment)
    said = f"no answer from {server.url}" if how == "dead" else f"{server.url} refuses the login"
    assert done.stderr == f"replicate: wandb is written offline, for `replicate sync` ({said})\n"
    assert max(map(float, done.stdout.split())) < MARGIN
    files = sorted(folder.glob("wandb/offline-run-*/*.wandb"))
    for file in files:
        assert [step.get("train_error") for step in history(file)[:2]] == [50.0, 25.0]
        assert summary(file)["test_error"] == 20.0
    if how == "refuses":  # what a dead one left is no other file
        all_is_there(sync_to_a_new_server(folder, tmp_path, server))
        assert all(file.with_name(file.name + SYNCED).exists() for file in files)
    server.close()


@pytest.mark.parametrize("how", ["dies", "refuses"])
def test_a_server_that_goes_in_the_middle_costs_a_line_and_loses_nothing(tmp_path: Path, how: str) -> None:
    server, folder = WandbServer(), tmp_path / "runs"

    def turns(path: str) -> bool:
        """At the first data of a run."""
        if "file_stream" in path and how == "refuses":
            server.refusal = 401
        return "file_stream" in path and how == "dies"

    server.die_when = turns
    done = outside(SCRIPT.format(str(folder)), tmp_path, server.environment)
    first, second = done.stderr.splitlines()
    assert first.startswith("replicate: not all is in wandb, `replicate sync` uploads the rest (")
    assert second.startswith("replicate: wandb is written offline, for `replicate sync` (")
    assert len(list(folder.glob("wandb/run-*/*.wandb"))) == len(list(folder.glob("wandb/offline-run-*/*.wandb"))) == 1
    all_is_there(sync_to_a_new_server(folder, tmp_path, server))
    server.close()


def test_a_malformed_key_is_named_and_costs_no_run(tmp_path: Path) -> None:
    done = outside(SCRIPT.format(str(tmp_path / "runs")), tmp_path, {"WANDB_API_KEY": "abc"})
    [line] = done.stderr.splitlines()
    assert line.startswith("replicate: wandb is ")
    assert "API" in line


def test_a_folder_that_is_not_there_is_a_users_mistake(tmp_path: Path) -> None:
    done = outside(SYNC.format(tmp_path / "nowhere"), tmp_path, {}, codes=(2,))
    assert done.stderr == f"replicate: there is no folder of runs {tmp_path / 'nowhere'}\n"
