"""One experiment through every launcher leaves the same records in one store; and killed work is taken up again."""

import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from replicate.errors import UserError
from replicate.runs.store import RunStore
from replicate.sweep import launch
from replicate.sweep.launch import run_experiment

TINY = ["variant=A,B", "model.depth=8", "data.train_images=60", "data.test_images=20", "recipe.batch_size=20"]
LAUNCHERS = {"local": "joblib", "ray": "ray", "slurm_local": "submitit"}


def outcomes(launcher: str) -> dict[str, Any]:
    words = ["scale=smoke", f"launcher={launcher}", "machine.workers=1", "wandb=disabled", f"runs_dir={launcher}"]
    sweep = run_experiment("resnet_shortcuts", [*words, *TINY], quiet=True)
    assert sweep.failed == []
    store = RunStore(Path(launcher))
    return {run: record.outcome() for run in store.finished() if (record := store.read(run))}


def installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@pytest.fixture
def small_ray(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ray with one processor and no statistics sent; ended when the test ends."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    yield
    if installed("ray"):
        import ray

        ray.shutdown()


@pytest.fixture(scope="module")
def inline(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a sweep in this process leaves, done once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("inline"))
        return outcomes("inline")


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_every_launcher_leaves_the_records_of_inline(
    workdir: Path, small_ray: None, inline: dict[str, Any], launcher: str
) -> None:
    if not installed(LAUNCHERS[launcher]):
        pytest.skip(f"{LAUNCHERS[launcher]} is not installed: pip install 'replicate[cluster]'")
    assert outcomes(launcher) == inline


def test_processes_that_start_early_end_when_the_sweep_is_refused(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def refuse(*given: Any) -> None:
        deadline = time.monotonic() + 30
        while not (begun := workers()) and time.monotonic() < deadline:
            time.sleep(0.05)
        seen.extend(begun)
        raise UserError("refused")

    monkeypatch.setattr(launch, "check_runs", refuse)
    before = set(workers())
    with pytest.raises(UserError, match="refused"):
        run_experiment("resnet_shortcuts", ["scale=smoke", "machine.workers=2", *TINY], quiet=True)
    assert set(seen) - before
    deadline = time.monotonic() + 30
    while set(workers()) - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not set(workers()) - before
    assert list(workdir.iterdir()) == []


def workers() -> list[int]:
    """Processes that this one started through joblib and that live."""
    found = [int(pid) for thread in Path("/proc/self/task").glob("*/children") for pid in thread.read_text().split()]
    return [pid for pid in found if b"popen_loky" in Path(f"/proc/{pid}/cmdline").read_bytes()]
