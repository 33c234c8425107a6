"""The generated tables of README.md: up to date, the results' own numbers, and nothing else of the page touched."""

from pathlib import Path

import pytest

from replicate.errors import UserError
from replicate.experiments.catalogue import catalogue, find
from replicate.overview.findings_page import findings_page
from replicate.overview.readme import experiments_page, laptop_cost, papers_block, with_blocks, write_readme
from replicate.overview.standing import standings
from replicate.paths import PACKAGE
from replicate.report.verdict_file import all_verdicts
from tests.helpers.site_results import write_made_up_results

PAGE = """# Title

<!-- finding:begin -->old<!-- finding:end -->
Prose.
<!-- papers:begin -->
<!-- papers:end -->
"""


@pytest.mark.skipif(not (PACKAGE.parent / "README.md").exists(), reason="needs a checkout")
def test_the_readme_of_this_repository_is_up_to_date() -> None:
    changed = write_readme(PACKAGE.parent / "README.md", PACKAGE.parent / "results", check=True)
    assert not changed, "results/ or experiments changed: run `replicate readme`"


@pytest.mark.skipif(not (PACKAGE.parent / "README.md").exists(), reason="needs a checkout")
def test_pages_are_read_on_a_few_screens() -> None:
    text = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")
    assert text.count("\n") < 150
    assert len(text.encode()) < 12_000
    assert (PACKAGE.parent / "results" / "README.md").stat().st_size < 20_000


def test_the_table_counts_every_claim_of_every_paper_once(tmp_path: Path) -> None:
    results = write_made_up_results(tmp_path)
    found = list(all_verdicts(results))
    standing = standings(catalogue(), found)
    assert len({(one.paper, one.claim) for one in standing}) == len(standing)
    text = papers_block(standing)
    for paper in {one.paper for one in standing}:
        own = [one for one in standing if one.paper == paper and one.trained]
        answered = sum(one.answered is not None for one in own)
        assert not own or f"(docs/findings.md#{paper}) | {answered} of {len(own)} answered" in text


def test_findings_say_each_answer_of_trained_claims(tmp_path: Path) -> None:
    found = list(all_verdicts(write_made_up_results(tmp_path)))
    page = findings_page(found, catalogue())
    for data in found:
        for answer in data.verdicts:
            assert (answer.detail in page) == answer.trained


def test_every_experiment_is_listed_once() -> None:
    text = experiments_page(catalogue())
    assert {entry.name: text.count(f"[{entry.name}](") for entry in catalogue()} == {e.name: 1 for e in catalogue()}


def test_only_what_stands_between_markers_changes(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(PAGE)
    assert write_readme(page, tmp_path / "none", check=True)
    assert page.read_text() == PAGE
    assert write_readme(page, tmp_path / "none")
    assert page.read_text().startswith(
        "# Title\n\n<!-- finding:begin -->\nNo results yet.\n<!-- finding:end -->\nProse.\n"
    )
    assert not write_readme(page, tmp_path / "none")


@pytest.mark.parametrize(
    "text",
    [
        PAGE.replace("<!-- finding:end -->", ""),
        PAGE + PAGE,
        PAGE.replace("begin", "-").replace("end", "begin").replace("-", "end"),
    ],
    ids=["missing", "twice", "swapped"],
)
def test_a_page_without_its_markers_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="needs the two lines"):
        with_blocks(text, {"finding": "new"})


def test_the_cost_is_that_of_laptop_scale_or_of_counting() -> None:
    assert laptop_cost(find("alexnet_ensemble")) == "14 min on 2 cores, of which the fifteen trainings take 12"
    assert laptop_cost(find("resnext_blocks")) == "a second; nothing is trained and no image is read"
    assert laptop_cost(find("densenet_released")) == "–"
