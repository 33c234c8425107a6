"""The door from Python: light to import, the numbers of the command line, and a notebook that does what it shows."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import replicate
from replicate.api import overrides_of
from replicate.errors import UserError

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "table_to_figure.ipynb"
SMALL = {"scale": "smoke", "seeds": 1, "launcher": "inline", "wandb": "disabled", "quiet": True}


def test_import_is_light_and_every_name_is_there() -> None:
    code = "import sys, replicate; assert not {'torch', 'pandas', 'numpy', 'hydra', 'pydantic'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    assert {"run", "results", "load_network", "Result"} <= set(dir(replicate))
    assert all(getattr(replicate, name) for name in replicate.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = replicate.no_such_name


def test_a_run_gives_frames_a_figure_and_its_network(workdir: Path) -> None:
    result = replicate.run("resnet_shortcuts", **SMALL, variant=["plain", "B"], runs_dir="my runs")
    assert list(result.runs["variant"]) == ["plain", "B"]
    row = result.table.set_index("variant").loc["B"]
    measured = result.runs.set_index("variant").loc["B"]
    column = result.findings.columns[0]
    assert row[column] == measured[result.experiment.settings.metrics[column]]
    assert {"train_error", "train_loss"} <= set(result.curves["metric"])
    assert result.verdicts.empty
    assert "answer" in result.verdicts.columns
    assert result.figure().axes
    network = replicate.load_network(result.runs.iloc[1], runs_dir="my runs")
    assert sum(parameter.numel() for parameter in network.parameters()) == row["parameters"]
    assert not network.training
    plain = torch.load(workdir / "my runs" / measured["id"] / "weights.pt")  # a file that torch reads as it is
    assert all(torch.equal(tensor, plain[name]) for name, tensor in network.state_dict().items())
    assert network(torch.zeros(2, 1, 16, 16)).shape == (2, 10)
    assert [path.name for path in workdir.iterdir()] == ["my runs"]
    again = replicate.run("resnet_shortcuts", **SMALL, variant=["plain", "B"], runs_dir="my runs")
    assert again.runs["seconds"].tolist() == result.runs["seconds"].tolist()


def test_committed_records_are_found_from_any_folder(workdir: Path) -> None:
    result = replicate.results("path_lengths")
    assert result.experiment.scale == "exact"
    assert len(result.runs) == len(result.table) > 0
    with pytest.raises(UserError, match="has no records at smoke scale"):
        replicate.results("resnet_shortcuts", scale="smoke")


def test_a_mistake_is_the_commands_line(workdir: Path) -> None:
    with pytest.raises(UserError, match="did you mean resnet_shortcuts"):
        replicate.run("resnet_shortcut")
    with pytest.raises(UserError, match=r"unknown setting .recipe\.rate."):
        replicate.run("resnet_shortcuts", recipe={"rate": 1})
    with pytest.raises(UserError, match="no finished run train-0-s0"):
        replicate.load_network("train-0-s0")
    with pytest.raises(UserError, match="is not a run id"):
        replicate.load_network("../train-0-s0")
    assert list(workdir.iterdir()) == []


def test_python_values_become_overrides() -> None:
    settings = {
        "a": None,
        "b": True,
        "recipe": {"lr": 1e-05, "init": "it's"},
        "seed": range(2),
        "runs_dir": Path("/a b"),
    }
    said = ["a=null", "b=true", "recipe.lr=1e-05", "recipe.init='it\\'s'", "seed=[0,1]", "runs_dir='/a b'"]
    assert list(overrides_of(settings)) == said


def test_the_notebook_is_executed_and_ends_in_a_figure(workdir: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    book = nbformat.read(NOTEBOOK, as_version=4)
    shown = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in shown] == list(range(1, len(shown) + 1))
    assert any("image/png" in output.get("data", {}) for output in shown[-1].outputs)
    nbclient.NotebookClient(book, timeout=300, resources={"metadata": {"path": str(workdir)}}).execute()
    again = [cell for cell in book.cells if cell.cell_type == "code"]
    assert any("image/png" in output.get("data", {}) for output in again[-1].outputs)
