"""docs/adding_a_paper.md is followed word by word in a temporary folder: no file of the suite has to be touched."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from replicate.paths import PACKAGE

PAGE = (PACKAGE.parent / "docs" / "adding_a_paper.md").read_text(encoding="utf-8")
FILE = re.compile(r"^`(?P<path>[\w/.]+)`(?:, `(?P<key>\w+):`)?\n\n```\w+\n(?P<text>.*?)```$", re.MULTILINE | re.DOTALL)


def write_the_pages_files(folder: Path) -> None:
    """Every block of the page under the name before it; one with a key takes the place of that empty key."""
    for found in FILE.finditer(PAGE):
        path, text = folder / found["path"], found["text"]
        path.parent.mkdir(parents=True, exist_ok=True)
        if found["key"]:
            text = path.read_text().replace(f"{found['key']}: []\n", text)
        path.write_text(text)


def commands() -> list[list[str]]:
    """The lines of the page's last step."""
    return [line.split()[1:] for line in PAGE[PAGE.index("## 5.") :].splitlines() if line.startswith("    replicate ")]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    write_the_pages_files(folder)
    return folder


def call(words: list[str], own: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "REPLICATE_PATH": str(own), "WANDB_MODE": "disabled", "COLUMNS": "160"}
    command = [sys.executable, "-m", "replicate.cli", *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_the_page_leads_to_table_verdict_and_site(own: Path, workdir: Path) -> None:
    assert sorted(str(path.relative_to(own)) for path in own.rglob("*.*")) == [
        "experiment/wider/wider_width.yaml", "models/wider.py", "papers/wider.yaml", "recipe/wider.yaml",
    ]  # fmt: skip
    said = {}
    for line in commands():
        words = [str(own) if word == "~/my_papers" else word for word in line]
        if words[0] == "run":
            words.append("machine.workers=1")  # no process a worker
        done = call(words, own, workdir)
        assert done.returncode == 0, done.stderr
        said[words[0]] = done.stdout
    assert "4 files in " in said["check"]
    assert "wider/width  [Table 1]\n    wider_width\n    without another system: another" in said["list"]
    folder = workdir / "results" / "wider" / "wider_width" / "laptop"
    table = (folder / "table.md").read_text()
    assert re.search(r"\| wide +\| +25\.0 \|", table)
    assert "2,000 images of Fashion-MNIST, 16 pixels instead of 60,000 images of Fashion-MNIST, 28 pixels" in table
    verdicts = json.loads((folder / "verdicts.json").read_text())["verdicts"]
    assert {v["claim"]: v["outcome"] for v in verdicts}["sizes"] == "exact"
    assert "The wide network errs less" in said["verdicts"]
    assert "Wider Is Better" in (workdir / "site" / "paper" / "wider.html").read_text()
    assert "does a wider layer err less?" in (workdir / "site" / "experiment" / "wider_width.html").read_text()


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("papers/resnet.yaml", "id: resnet", "resnet.yaml: the suite has a file of this name"),
        ("papers/wider.yaml", "id: wider\nid: other", "wider.yaml: "),
        ("models/wider.py", "def broken(:", "wider.py: SyntaxError"),
        ("models/wider.py", "import replicate.no_such_file", "wider.py: ModuleNotFoundError"),
        ("experiment/wider/wider_width.yaml", "table: width\n", "wider_width.yaml: question: Field required"),
        ("experiment/wider/wider_width.yaml", "table: [", "wider_width.yaml"),
        ("experiment/wider/wider_width.yaml", "paper: wider\n", "remove the key paper"),
        ("experiment/flat.yaml", "table: width\n", "flat.yaml: move it to"),
        ("experiment/wieder/other.yaml", "table: width\n", "unknown paper"),
        ("experiment/wider/resnet_depth.yaml", "table: width\n", "has this name; give yours another"),
    ],
)
def test_a_mistake_in_ones_own_file_is_one_line_that_names_it(
    own: Path, workdir: Path, path: str, text: str, said: str
) -> None:
    (own / path).parent.mkdir(exist_ok=True)
    (own / path).write_text(text)
    done = call(["list", "--tables"] if "models" not in path else ["cost", "wider"], own, workdir)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_check_says_everything_that_is_wrong_at_once(own: Path, workdir: Path) -> None:
    paper, experiment = own / "papers" / "wider.yaml", own / "experiment" / "wider" / "wider_width.yaml"
    paper.write_text(paper.read_text().replace("reference_params: 90", "reference_params: 91"))
    text = experiment.read_text().replace("test_error: test_error", "test_error: test_eror")
    experiment.write_text(text.replace("wide: {row: wide,", "wide: {row: broad,"))
    counting = "# @package _global_\ndefaults: [/study: count]\ntable: width\nquestion: how large?\nexpected: 90\n"
    counting += "metrics: {params: parameters}\nmodel: {name: wider}\nvariants:\n"
    counting += "  narrow: {row: narrow, architecture: narrow, model: {width: 4}}\n"
    (own / "experiment" / "wider" / "wider_count.yaml").write_text(counting)
    (own / "recipe" / "broken.yaml").write_text("lr: fast\n")
    (own / "models" / "broken.py").write_text("import no_such_module\n")
    (own / "notes.yaml").write_text("a: 1\n")
    done = call(["check", str(own)], own, workdir)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    for line in (
        "notes.yaml: nothing reads it",
        "ModuleNotFoundError: No module named 'no_such_module'",
        "recipe broken: ",
        "unknown metric of study train (metrics.test_error) 'test_eror'; did you mean test_error",
        "table width has no row 'broad'",
        "it has 90 parameters, architecture narrow says 91",
        "it is counted on [3, 224, 224], its paper says [1, 28, 28]: set options.input",
    ):
        assert line in done.stderr, done.stderr
    assert all(line.startswith("replicate: ") for line in done.stderr.splitlines())
    assert list(workdir.iterdir()) == [own]


def test_a_folder_that_is_none_is_refused(workdir: Path) -> None:
    done = call(["list"], workdir / "nowhere", workdir)
    assert (done.returncode, done.stdout) == (2, "")
    assert "REPLICATE_PATH names no folder" in done.stderr
