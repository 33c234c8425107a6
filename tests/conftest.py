"""One thread, no wandb, a folder for each test that runs an experiment, and an order of tests for several workers."""

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["WANDB_MODE"] = "disabled"

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, so that runs/ and results/ are the test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all workers, empty when they begin: what one has tried, no other need try."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


SLOWEST = ("test_faults", "test_adding_a_paper", "test_devices", "test_launch", "test_launchers", "test_cli")
"""Modules with tests of more than 20 seconds on two cores."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow modules first, so that no worker is left with one at the end; then each experiment's tests side by side."""
    items.sort(key=lambda item: (item.path.stem not in SLOWEST, experiment_of(item)))


def experiment_of(item: pytest.Item) -> str:
    """The experiment whose composition the test shares with others; a sign that comes after any name without one."""
    if item.get_closest_marker("by_experiment") is None:
        return "~"
    assert isinstance(item, pytest.Function)
    return str(item.callspec.params["experiment"])
