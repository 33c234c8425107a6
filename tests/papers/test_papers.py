"""The published facts: every file is of the schema, and what is not of it is refused with one clear line."""

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from replicate import papers
from replicate.errors import UserError
from replicate.experiments.catalogue import catalogue
from replicate.papers import load_paper, paper_ids, read_paper
from replicate.papers.claims import OrderTest, TrendTest
from replicate.papers.printed import Printed, decimals
from tests.helpers.small_paper import SMALL, changed, read


def order(**fields: Any) -> dict[str, Any]:
    return {"kind": "order", "metric": "test_error", **fields}


def premise(**fields: Any) -> dict[str, Any]:
    return {"row": "a", "metric": "test_error", "below": 20, "because": "it must be trained", **fields}


WAITING = {  # claims with a test whose experiment is not written yet
    "shufflenet": {"best_unit"},
}


@pytest.mark.parametrize("paper_id", paper_ids())
def test_every_claim_has_a_test_and_an_experiment_or_its_reason(paper_id: str) -> None:
    """An experiment that is written takes its claims out of WAITING."""
    asked = {claim for entry in catalogue() if entry.paper == paper_id for claim in entry.claims}
    claims = load_paper(paper_id).claims
    answered = {c.id for c in claims if c.same_as or c.out_of_reach or (c.test and c.id in asked)}
    assert {claim.id for claim in claims} - answered == WAITING.get(paper_id, set())
    assert asked <= {claim.id for claim in claims if claim.test}


@pytest.mark.parametrize("paper_id", paper_ids())
def test_a_claim_on_trained_networks_says_what_it_is_about(paper_id: str) -> None:
    """What is counted or drawn at random needs no training, and no regime of training."""
    untrained = {"relu_information", "expected_depth"}
    for claim in load_paper(paper_id).claims:
        counted = all(test.kind == "exact" or getattr(test, "counted", False) for test in claim.test)
        if claim.test and not counted and claim.table not in {"statements", "algorithms", "receptive_fields"}:
            assert claim.about or claim.id in untrained, claim.id


@pytest.mark.parametrize("paper_id", paper_ids())
def test_what_would_confirm_a_claim_is_said_from_its_tests(paper_id: str) -> None:
    """No kind and no check are written beside a test, and the bounds that are ours are said to be."""
    for claim in load_paper(paper_id).claims:
        if claim.test:
            assert (claim.untested_kind, claim.check) == (None, None), claim.id
            assert claim.kind in {test.kind for test in claim.test}
            assert claim.criterion, claim.id
        ours = any(test.margin_by == "ours" for test in claim.test)
        assert ("our bound" in claim.criterion) == ours or claim.examined, claim.id


def test_a_claim_that_says_the_same_as_others_names_claims_with_a_test() -> None:
    for said in (said for paper_id in paper_ids() for claim in load_paper(paper_id).claims for said in claim.same_as):
        paper_id, _, claim_id = said.partition("/")
        assert load_paper(paper_id).claim(claim_id).test, said


def test_small_paper_reads(tmp_path: Path) -> None:
    paper = read(tmp_path, SMALL)
    assert paper.tables["errors"].row("a").params == {"depth": 1}
    assert [claim.id for claim in paper.claims_of("errors")] == ["deeper"]
    assert paper.claim("deeper").test[0].kind == "order"


@pytest.mark.parametrize(
    "place",
    [
        ["surprise"],
        ["architectures", "net", "surprise"],
        ["tables", "errors", "surprise"],
        ["tables", "errors", "rows", 0, "surprise"],
        ["tables", "errors", "provenance", 0, "surprise"],
        ["recipes", "cifar", "surprise"],
        ["claims", 0, "surprise"],
        ["claims", 0, "test", "surprise"],
    ],
    ids=lambda place: ".".join(map(str, place)),
)
def test_unknown_key_is_refused_by_name(tmp_path: Path, place: list[str | int]) -> None:
    with pytest.raises(UserError, match=r"small\.yaml: .*surprise") as caught:
        read(tmp_path, changed(place, 1))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (["claims", 0, "table"], "nowhere", "no table 'nowhere'"),
        (["claims", 0, "test"], order(ascending=["b", "c"]), "no single row 'c'"),
        (["claims", 0, "test"], order(ascending=["b", "twin"]), "no single row 'twin'"),
        (["claims", 0, "test"], {**order(ascending=["b", "a"]), "metric": "top9"}, "no column 'top9'"),
        (["claims", 0, "test"], {"kind": "order", "ascending": ["b", "a"]}, "no column says"),
        (["claims", 0, "test"], order(ascending=["b"]), "two things"),
        (["claims", 0, "test"], order(ascending=["b", "a"], contrast={"a": 1}), "exactly one"),
        (["claims", 0, "test"], order(columns=["test_error", "params"]), "give both"),
        (
            ["claims", 0, "test"],
            {"kind": "trend", "metric": "test_error", "by": "width", "direction": "falling"},
            "fewer than two rows differ in 'width'",
        ),
        (
            ["claims", 0, "test"],
            {"kind": "ratio", "metric": "test_error", "numerator": "a", "denominator": "b", "published": 1.1},
            "belong together",
        ),
        (["claims", 0, "test"], {"kind": "equal", "metric": "test_error", "rows": ["a", "b"], "margin": 0}, "margin"),
        (["claims", 0, "test"], {"kind": "exact", "values": {"a": 1}}, "values belong to a metric"),
        (["tables", "errors", "rows", 0, "published"], {"top1": 9.0}, "'top1' without a unit"),
        (["claims"], [SMALL["claims"][0], SMALL["claims"][0]], "deeper stand twice"),
        (["claims", 0, "out_of_reach"], "needs what nobody has", "only one of test, same_as and out_of_reach"),
        (["claims", 0, "same_as"], "small/deeper", "only one of test, same_as and out_of_reach"),
        (["claims", 0, "check"], "b < a", "leave out check"),
        (["claims", 0, "kind"], "trend", "its kind is that of its tests, order"),
        (["claims", 0, "test"], None, "a claim without a test needs a kind"),
        (["claims", 0, "premise"], premise(row="c"), "premise is on 'c'"),
        (["claims", 0, "premise"], premise(metric="top9"), "premise is on 'top9'"),
        (["claims", 0, "premise"], premise(above=10), "either below or above"),
        (["id"], "other", "must be the file's name 'small'"),
    ],
)
def test_what_points_nowhere_is_refused(tmp_path: Path, place: list[str | int], value: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, changed(place, value))


def test_a_key_written_twice_is_refused(tmp_path: Path) -> None:
    twice = yaml.safe_dump(SMALL) + "discrepancies: [another list]\n"
    with pytest.raises(UserError, match="'discrepancies' stands twice"):
        read(tmp_path, twice)


@pytest.mark.parametrize("text", ["id: [", "just text", "", "!!python/object/apply:os.getcwd []"])
def test_broken_yaml_is_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match=r"^small\.yaml: ") as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_missing_file_and_unknown_paper() -> None:
    with pytest.raises(UserError, match=r"none\.yaml"):
        read_paper(Path("none.yaml"))
    with pytest.raises(UserError, match="did you mean resnext"):
        load_paper("resnex")


def test_printed_digits_survive_reading_and_pickling() -> None:
    error = load_paper("preact").tables["preact_vs_original_cifar"].rows[0].published["test_error"]
    assert isinstance(error, Printed)
    assert (float(error), str(error), error.decimals) == (9.9, "9.90", 2)
    assert pickle.loads(pickle.dumps(error)).decimals == 2
    assert [decimals(number) for number in (62_378_344, 9.25, Printed("1e-3"))] == [0, 2, 3]


def test_a_failed_row_has_no_number() -> None:
    row = load_paper("preact").tables["shortcut_types"].row("dropout shortcut 0.5")
    assert row.published == {"test_error": None, "fail": True}


def test_ladder_takes_the_rows_of_its_group_in_order() -> None:
    paper = load_paper("resnext")
    test = paper.claim("cardinality_beats_width").test[0]
    assert isinstance(test, TrendTest)
    ladders = test.ladders(paper.tables["cardinality_vs_width"].params())
    assert [ladder.label for ladder in ladders] == ["depth 50", "depth 101"]
    assert list(ladders[0].steps) == [1, 2, 4, 8, 32]
    assert ladders[1].steps[32] == ("ResNeXt-101 32x4d",)


def test_groups_and_cells_of_an_order() -> None:
    test = OrderTest.model_validate({"kind": "order", "ascending": ["a", ["b", {"c": "top1"}]], "metric": "top5"})
    assert [cell.row for cell in test.cells()] == ["a", "b", "c"]
    assert test.columns_named() == {"top1", "top5"}


def test_a_kind_is_that_of_most_tests_and_the_criterion_says_all(tmp_path: Path) -> None:
    tests = [
        {"kind": "trend", "metric": "test_error", "by": "depth", "direction": "falling"},
        order(contrast={"b": 1, "a": -1.05}, margin_by="ours"),
        {**order(ascending=["b", "a"]), "case": "plain"},
    ]
    claim = read(tmp_path, changed(["claims", 0], {**SMALL["claims"][0], "test": tests, "premise": premise()})).claims[
        0
    ]
    assert claim.kind == "order"
    assert claim.criterion == (
        "test_error: falling with depth; test_error: - 1.05 x a + b < 0 (our bound); plain: test_error: b < a. "
        "Asked only where test_error of a below 20"
    )


def test_a_premise_may_ask_for_the_undamaged_network(tmp_path: Path) -> None:
    asked = {**SMALL["claims"][0], "premise": premise(metric="undamaged_error")}
    assert read(tmp_path, changed(["claims", 0], asked)).claims[0].premise[0].words == "undamaged_error of a below 20"


def test_reading_papers_imports_nothing_heavy() -> None:
    code = (
        "import sys, replicate.papers as p; p.load_paper('resnext');"
        "print([m for m in ('torch', 'pandas', 'scipy', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_listing_reads_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(papers, "read_paper", lambda path: pytest.fail(f"{path} was read"))
    assert "resnext" in paper_ids()
