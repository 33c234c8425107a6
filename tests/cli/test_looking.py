"""What a user can see before anything is run: configuration, a dry run, this machine, lists that a filter narrows."""

import json
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from replicate import __version__
from replicate.cli import app, main
from replicate.cli.arguments import experiments, wrapped
from replicate.experiments.experiment import load_experiment
from replicate.experiments.run_config import run_id
from replicate.overview.fields_page import write_fields

ROOT = Path(__file__).parents[2]
EXP = "resnet_shortcuts"


def said(*words: str) -> str:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_composed_configuration_is_what_ids_are_made_of() -> None:
    documents = list(yaml.safe_load_all(said("show", EXP, "--config", "scale=smoke", "recipe.lr=0.05")))
    assert documents[0]["scale"] == "smoke"
    runs = load_experiment(EXP, ["scale=smoke", "recipe.lr=0.05"]).runs()
    assert [run_id("train", without_source(body), 0) for body in documents[1:]] == [run.id for run in runs]
    assert {body["recipe"]["lr"] for body in documents[1:]} == {0.05}


def without_source(body: dict[str, object]) -> dict[str, object]:
    """What is hashed: no folder, no download, no source of the recipe."""
    left_out = {"root", "download", "published"}
    return {
        key: {k: v for k, v in value.items() if k not in left_out} if isinstance(value, dict) else value
        for key, value in body.items()
    }


def test_a_dry_run_names_every_run_and_touches_nothing(workdir: Path) -> None:
    told = said("run", EXP, "scale=laptop", "seeds=2", "--dry-run")
    for run in load_experiment(EXP, ["scale=laptop", "seeds=2"]).runs():
        assert f"to do  {run.id}  {run.variant} seed {run.seed}" in told
    assert "8 runs: 0 are done, 8 to do" in told
    assert f"runs in           {workdir / 'runs'}" in told
    assert "results           none: overrides differ" in told
    assert "what it can decide:" in told
    assert "GB a run at least" in told
    assert list(workdir.iterdir()) == []


def test_version_and_doctor(workdir: Path) -> None:
    assert said("--version") == f"replicate {__version__}\n"
    told = said("doctor")
    assert all(word in told for word in ("torch ", "cores", "bf16", "GPU", "data", "wandb", "GB free for"))
    assert list(workdir.iterdir()) == []


def test_filters_narrow_every_list() -> None:
    listed = json.loads(said("list", "--json", "--paper", "resnext", "--minutes", "12"))
    assert "resnext_cifar" in {entry["name"] for entry in listed}
    assert "resnext_cardinality" not in {entry["name"] for entry in listed}
    assert {entry["paper"] for entry in listed} == {"resnext"}
    claims = json.loads(said("verdicts", "--json", "--paper", "senet", "--state", "exact"))
    assert {(row["paper"], row["answer"]) for row in claims} == {("senet", "exact")}
    tables = json.loads(said("list", "--tables", "--json", "--paper", "vgg", "--state", "not made"))
    assert all(not table["experiments"] and table["paper"] == "vgg" for table in tables)
    lines = json.loads(said("errata", "--json", "--state", "convention"))
    assert {line["kind"] for line in lines} == {"convention"}


def test_networks_recipes_and_metrics_are_listed() -> None:
    assert json.loads(said("models", "resnext50", "--json"))["resnext50_32x4d"][-2:] == ["num_classes", "in_channels"]
    assert json.loads(said("recipes", "he2016_cifar", "--json"))["he2016_cifar"].startswith("He et al. 2016")
    assert "test_error  percent, lower is better" in said("metrics", "train")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", EXP, "-m"), "all variants and seeds run anyway"),
        (("run", EXP, "--multirun", "seed=0,1"), "all variants and seeds run anyway"),
        (("run", EXP, "--cfg", "job"), "`replicate show EXP --config`"),
        (("show", EXP, "--cfg=job"), "`replicate show EXP --config`"),
        (("run", EXP, "--dryrun"), "no such option: --dryrun"),
        (("show", EXP, "scale=smoke"), "overrides belong to --config"),
        (("list", "--paper", "resnxt"), "unknown paper 'resnxt'; did you mean resnext"),
        (("list", "--state", "opne"), "unknown state 'opne'; did you mean open"),
        (("list", "--paper", "senet", "--minutes", "0"), "no experiment is left"),
        (("verdicts", "--state", "exakt"), "did you mean exact"),
        (("errata", "--state", "x"), "Known: convention, erratum"),
        (("models", "no_such_network"), "no network is left"),
        (("metrics", "trian"), "did you mean train"),
    ],
)
def test_the_right_word_is_given(
    workdir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    told: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["replicate", *words])
    with pytest.raises(SystemExit) as left:
        main()
    printed = capsys.readouterr()
    assert (left.value.code, printed.out) == (2, "")
    assert told in printed.err
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("run resnext_card", "resnext_cardinality"),
        ("run resnet_shortcuts variant=pl", "variant=plain"),
        ("run resnet_shortcuts recipe.l", "recipe.lr="),
        ("run resnet_shortcuts scale=lap", "scale=laptop"),
        ("cost resnext50", "resnext50_32x4d"),
    ],
)
def test_the_shell_completes(line: str, found: str) -> None:
    asked = {"_REPLICATE_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": f"replicate {line}"}
    done = CliRunner().invoke(app, [], prog_name="replicate", env=asked)
    assert found in done.stdout
    assert len(done.stdout.split()) < 60


def test_completion_and_widths() -> None:
    assert "resnext_cardinality" in experiments("resnext_c")
    assert all(len(line) <= 60 for line in wrapped("    cost: " + "many words " * 30, 60))
    assert wrapped("    cost: a b", 60) == ["    cost: a b"]


def test_the_page_of_metrics_and_fields_is_what_the_code_says() -> None:
    page = ROOT / "docs" / "fields.md"
    assert not write_fields(page, check=True), "run `replicate readme`"
    text = page.read_text(encoding="utf-8")
    assert "| `train` | `test_error` (percent)" in text
    assert "## test of kind `trend`" in text
    assert "| `out_of_reach` |" in text
