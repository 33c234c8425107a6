"""The command line as a person meets it: answers in a second, one line and code 2 for a mistake, nothing written."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from replicate.cli import main
from replicate.data import loaders, sources

COMMAND = [sys.executable, "-m", "replicate.cli"]


def call(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "WANDB_MODE": "disabled", "COLUMNS": "100"}
    environment.pop("REPLICATE_IMAGENET", None)
    return subprocess.run(
        [*COMMAND, *words], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.parametrize("words", [("--help",), ("list",), ("list", "--json")])
def test_answers_in_a_second_without_torch(tmp_path: Path, words: tuple[str, ...]) -> None:
    started = time.perf_counter()
    done = call(*words, cwd=tmp_path)
    assert done.returncode == 0
    assert time.perf_counter() - started < (1.0 if os.environ.get("REPLICATE_STRICT_TIMES") else 4.0)
    code = f"import sys; sys.argv[1:] = {list(words)!r}\nfrom replicate.cli import app\n"
    code += "try: app()\nexcept SystemExit: pass\nassert not {'torch', 'pandas', 'scipy', 'wandb'} & set(sys.modules)"
    checked = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_list_is_the_catalogue(tmp_path: Path) -> None:
    listed = json.loads(call("list", "--json", cwd=tmp_path).stdout)
    entry = next(entry for entry in listed if entry["name"] == "resnext_cardinality")
    assert (entry["paper"], entry["table"], entry["study"]) == ("resnext", "cardinality_vs_width", "train")
    assert entry["scales"] == ["smoke", "laptop", "paper"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "resnext_cardinalty"), "did you mean resnext_cardinality"),
        (("run", "resnext_cardinality", "scale=pretrained"), "it has smoke, laptop, paper"),
        (("run", "resnext_cardinality", "scale=huge"), "unknown scale 'huge'"),
        (("run", "resnext_cardinality", "variant=3x3d"), "unknown variant"),
        (("run", "resnext_cardinality", "seed=-1"), "seed"),
        (("run", "resnext_cardinality", "model.name=resnet5"), "unknown model 'resnet5'"),
        (("run", "resnext_cardinality", "model.dept=3"), "did you mean depth"),
        (("run", "resnext_cardinality", "model.depth=21"), "depth is 9n + 2"),
        (("run", "resnext_cardinality", "recipe.lr=fast"), "valid number"),
        (("run", "resnext_cardinality", "recipe.rate=1"), "recipe.rate"),
        (("run", "resnext_cardinality", "seeds=0"), "seeds is a whole number"),
        (("run", "resnext_cardinality", "scale=paper"), "data.root"),
        (("run", "resnext_cardinality", "scale=smoke", "runs_dir=blocked/runs"), "cannot write to the runs folder"),
        (("run", "resnext_cardinality", "wandb=sometimes"), "wandb"),
        (("run", "resnext_cardinality", "launcher=nowhere"), "launcher/nowhere"),
        (("run", "alexnet_parameters", "options.layer=conv9"), "unknown layer"),
        (("cost", "resnet51"), "unknown model"),
        (("cost", "resnet50", "--input", "3x224"), "--input"),
        (("cost", "resnet50", "depth"), "option=value"),
        (("cost", "resnet50", "--input", "3x8x8"), "smallest size that works is 32"),
        (("show", "nothing"), "unknown experiment"),
        (("plan", "nothing"), "unknown experiment"),
        (("report", "nothing"), "unknown experiment"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_mistake_is_one_line_code_2_and_nothing_written(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    monkeypatch.delenv("REPLICATE_IMAGENET", raising=False)
    monkeypatch.setattr(sys, "argv", ["replicate", *words])
    (workdir / "blocked").touch()
    with pytest.raises(SystemExit) as left:
        main()
    printed = capfd.readouterr()
    assert (left.value.code, printed.out) == (2, "")
    assert said in printed.err
    assert len(printed.err.strip().splitlines()) == 1
    assert os.listdir(workdir) == ["blocked"]


def test_the_shell_sees_the_line_and_the_code(tmp_path: Path) -> None:
    done = call("run", "resnext_cardinalty", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "replicate: unknown experiment 'resnext_cardinalty'; did you mean resnext_cardinality"
    )
    assert done.stderr.count("\n") == 1


def test_a_damaged_data_file_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from replicate.errors import UserError
    from replicate.sweep.launch import run_experiment

    damaged = tmp_path / "images.npz"
    damaged.write_bytes(b"not images")
    monkeypatch.setattr(sources, "BUNDLED_FILE", damaged)
    loaders.check_data.cache_clear()  # another test of this process may have looked at the real file
    with pytest.raises(UserError, match=r"has sha256 .* expected"):
        run_experiment("resnext_cardinality", ["scale=smoke", f"runs_dir={tmp_path}/runs"])
    assert not (tmp_path / "runs").exists()


Inside = Callable[..., tuple[str, str]]


@pytest.fixture
def inside(workdir: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Inside:
    """The command in this process, which saves the seconds that torch takes to import: what it printed, and said."""

    def run(*words: str) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["replicate", *words])
        with pytest.raises(SystemExit) as left:
            main()
        printed = capfd.readouterr()
        assert not left.value.code, printed.err
        return printed.out, printed.err

    return run


def test_cost_counts(inside: Inside) -> None:
    counted = json.loads(inside("cost", "resnext50_32x4d", "--json")[0])
    assert counted["parameters"] == 25_028_904
    assert round(counted["multiply_adds"] / 1e9, 2) == 4.23


def test_plan_adds_up(inside: Inside) -> None:
    planned = json.loads(inside("plan", "resnext_cardinality", "--scale", "paper", "--json")[0])
    assert planned["runs"] == 10
    # 100 epochs of 5005 batches of 256, ten runs
    assert planned["training_images"] == 10 * 100 * 5005 * 256
    assert 4e19 < planned["training_flops"] < 5e19


def test_one_experiment_end_to_end(workdir: Path, inside: Inside) -> None:
    """Runs in a process, skips in another what is done, reports from records alone, and writes the same bytes again."""
    words = ("run", "path_lengths", "variant=plain,10 deleted", "machine.workers=1")
    first = call(*words, cwd=workdir)
    assert first.returncode == 0, first.stderr
    assert "0 were done before, 0 failed" in first.stderr
    assert "5 of 7 runs are missing" in first.stderr
    assert "7 runs: 2 were done before, 0 failed" in inside("run", "path_lengths", "scale=paper")[1]
    folder = workdir / "results" / "resnet_paths" / "path_lengths" / "exact"
    written = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(written) == {"records.jsonl", "runs.csv", "table.md", "verdicts.json", "figure.svg"}
    inside("report", "path_lengths", "scale=smoke")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == written
    assert "path_lengths" in (workdir / "results" / "README.md").read_text()


def test_at_smoke_scale_nothing_is_judged_and_nothing_written(workdir: Path, inside: Inside) -> None:
    printed, said = inside("run", "resnet_shortcuts", "scale=smoke", "machine.workers=1")
    assert "smoke scale shows that everything runs: nothing is judged" in said
    assert "Verdicts" not in printed
    assert not (workdir / "results").exists()
