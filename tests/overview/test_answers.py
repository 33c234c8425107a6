"""`replicate verdicts`: every claim of every paper once, with its numbers, its experiment, or its reason."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from replicate.experiments.catalogue import catalogue, find
from replicate.overview.answers import NO_EXPERIMENT, OUT_OF_REACH, Row, answers, as_text, said
from replicate.papers import load_paper, paper_ids
from replicate.site import site_files
from replicate.site.content import read_content
from tests.helpers.site_results import write_made_up_results


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_made_up_results(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def rows(results: Path) -> list[Row]:
    return answers(results)


def of(rows: list[Row], paper: str, claim: str) -> Iterator[Row]:
    return (row for row in rows if (row["paper"], row["claim"]) == (paper, claim))


def test_every_claim_of_every_paper_is_there(rows: list[Row]) -> None:
    assert list(dict.fromkeys((row["paper"], row["claim"]) for row in rows)) == [
        (paper_id, claim.id) for paper_id in paper_ids() for claim in load_paper(paper_id).claims
    ]


def test_a_verdict_is_that_of_the_results_with_all_its_numbers(results: Path, rows: list[Row]) -> None:
    for path in results.glob("*/*/*/verdicts.json"):
        data = json.loads(path.read_text())
        for verdict in data["verdicts"]:
            [row] = of(rows, data["paper"], verdict["claim"])
            assert (row["experiment"], row["scale"]) == (data["experiment"], data["scale"])
            assert {name: row[name] for name in verdict if name != "statement"} == {
                name: value for name, value in verdict.items() if name != "statement"
            }


def test_both_p_and_the_interval_are_said(rows: list[Row]) -> None:
    [row] = of(rows, "resnext", "cardinality_beats_width")
    assert row["p"] < 0.001
    text = said(row)
    assert text.startswith("resnext_cardinality at laptop scale: ")
    assert "p < 0.001" in text
    assert ", 15 runs, " in text


def test_a_claim_without_results_names_its_experiment(rows: list[Row]) -> None:
    [row] = of(rows, "resnet_paths", "single_deletion_harmless")
    assert (row["outcome"], row["experiment"], row["scale"]) == ("not run", "path_deletion", None)
    assert said(row) == "path_deletion: at laptop or paper scale"
    assert "single_deletion_harmless" in find("path_deletion").claims


def test_a_claim_out_of_reach_says_why(rows: list[Row]) -> None:
    [row] = of(rows, "xception", "jft_gain")
    assert (row["outcome"], row["detail"]) == (OUT_OF_REACH, "JFT and FastEval14k are not public")
    assert f"{OUT_OF_REACH:>13}  {row['statement']} [" in as_text([row])


def test_a_claim_that_says_the_same_as_another_has_its_answer(rows: list[Row]) -> None:
    [row] = of(rows, "alexnet", "augmentation_factor")
    [other] = of(rows, "conv_arithmetic", "alexnet_augmentation_factor")
    assert (row["outcome"], row["experiment"]) == (other["outcome"], "conv_arithmetic")
    assert row["statement"] == load_paper("alexnet").claim("augmentation_factor").statement


def test_no_row_claims_an_experiment_that_does_not_ask(rows: list[Row]) -> None:
    entries = {entry.name: entry for entry in catalogue()}
    for row in rows:
        claim = load_paper(row["paper"]).claim(row["claim"])
        assert (row["experiment"] is None) == (row["outcome"] in (OUT_OF_REACH, NO_EXPERIMENT))
        if row["experiment"]:
            entry = entries[row["experiment"]]
            asked = {f"{entry.paper}/{name}" for name in entry.claims}
            assert asked & set(claim.same_as or (f"{row['paper']}/{row['claim']}",))


def test_the_site_shows_the_reasons_too(results: Path) -> None:
    pages = dict(site_files(read_content(results)))
    for page in ("index.html", "paper/xception.html"):
        assert "Out of reach: JFT and FastEval14k are not public" in pages[page].decode()
