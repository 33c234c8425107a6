"""One thread, no wandb, and a folder of its own for every test that runs an experiment."""

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
