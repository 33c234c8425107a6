"""The generated tables of README.md: up to date, the results' own numbers, and nothing else of the page touched."""

import json
from collections import Counter
from pathlib import Path

import pytest

from replicate.errors import UserError
from replicate.experiments.catalogue import catalogue, find
from replicate.overview.readme import blocks, laptop_cost, with_blocks, write_readme
from replicate.paths import PACKAGE
from replicate.report import report
from replicate.report.write import EACH
from tests.made_up import errors_falling, made_up_experiment
from tests.site_results import write_made_up_results

PAGE = """# Title

<!-- verdicts:begin -->old<!-- verdicts:end -->
Prose.
<!-- experiments:begin -->
<!-- experiments:end -->
"""


@pytest.mark.skipif(not (PACKAGE.parent / "README.md").exists(), reason="needs a checkout")
def test_the_readme_of_this_repository_is_up_to_date() -> None:
    changed = write_readme(PACKAGE.parent / "README.md", PACKAGE.parent / "results", check=True)
    assert not changed, "results/ or experiments changed: run `replicate readme`"


def test_verdicts_are_those_of_the_results(tmp_path: Path) -> None:
    results = write_made_up_results(tmp_path)
    lines = blocks(results)["verdicts"].splitlines()
    found = [json.loads(path.read_text()) for path in sorted(results.glob(f"{EACH}/verdicts.json"))]
    assert lines[0].startswith(f"{len(found)} tables, {sum(len(data['verdicts']) for data in found)} verdicts")
    for data, line in zip(found, lines[-len(found) :], strict=True):
        assert f"[{data['experiment']}](results/{data['paper']}/{data['experiment']}/{data['scale']}/table.md)" in line
        for outcome, count in Counter(verdict["outcome"] for verdict in data["verdicts"]).items():
            assert f"{count} {outcome}" in line


def test_smoke_results_say_nothing(tmp_path: Path) -> None:
    experiment = made_up_experiment(scale="smoke")
    report(experiment, errors_falling(experiment.runs()), tmp_path)
    assert blocks(tmp_path)["verdicts"] == "No results yet."


def test_every_experiment_is_listed_once(tmp_path: Path) -> None:
    text = blocks(tmp_path)["experiments"]
    assert {entry.name: text.count(f"[{entry.name}](") for entry in catalogue()} == {e.name: 1 for e in catalogue()}


def test_only_what_stands_between_markers_changes(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(PAGE)
    assert write_readme(page, tmp_path / "none", check=True)
    assert page.read_text() == PAGE
    assert write_readme(page, tmp_path / "none")
    assert page.read_text().startswith(
        "# Title\n\n<!-- verdicts:begin -->\nNo results yet.\n<!-- verdicts:end -->\nProse.\n"
    )
    assert not write_readme(page, tmp_path / "none")


@pytest.mark.parametrize(
    "text",
    [
        PAGE.replace("<!-- verdicts:end -->", ""),
        PAGE + PAGE,
        PAGE.replace("begin", "-").replace("end", "begin").replace("-", "end"),
    ],
    ids=["missing", "twice", "swapped"],
)
def test_a_page_without_its_markers_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="needs the two lines"):
        with_blocks(text, {"verdicts": "new"})


def test_the_cost_is_that_of_laptop_scale_or_of_counting() -> None:
    assert laptop_cost(find("alexnet_ensemble")) == "14 min on 2 cores, of which the fifteen trainings take 12"
    assert laptop_cost(find("resnext_blocks")) == "a second; nothing is trained and no image is read"
    assert laptop_cost(find("densenet_released")) == "–"
