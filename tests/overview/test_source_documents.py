"""Every section of the source documents has a line, every line is carried or left out, and the page is current."""

from pathlib import Path

import pytest
import yaml

from replicate.errors import UserError
from replicate.models import model_names
from replicate.overview.source_documents import (
    DATA,
    PAGE,
    Document,
    carried,
    outcomes,
    page,
    read_documents,
    source_documents,
    state,
    write_source_documents,
)
from replicate.papers import load_paper
from replicate.paths import PACKAGE

MOST_LEFT_OUT = 10
LISTED = yaml.safe_load((Path(__file__).parent / "source_sections.yaml").read_text(encoding="utf-8"))
DOCUMENTS_OWN = ("conv_arithmetic", "source_questions")  # papers whose claims the documents themselves make


def listed(title: str) -> list[str]:
    """The ids in the checked-in list; a half of a document is a section, too."""
    numbers = LISTED[title]
    if isinstance(numbers, str):
        return numbers.split()
    return [half + end for half, own in numbers.items() for end in ("", *(f" {number}" for number in own.split()))]


def sections(title: str) -> list[str]:
    return [section.id for document in source_documents() if document.title == title for section in document.sections]


@pytest.mark.parametrize("title", LISTED)
def test_every_section_stands_in_the_documents_order(title: str) -> None:
    assert sections(title) == listed(title)


def test_every_document_stands_once() -> None:
    assert [document.title for document in source_documents()] == list(LISTED)


def test_every_section_has_a_line_of_its_own_or_in_a_section_below() -> None:
    for document in source_documents():
        for section in document.sections:
            assert section.items or any(below.items for below in document.within(section)), section.id


def test_what_carries_an_item_exists() -> None:
    names = model_names()
    for item in read_documents(DATA).items():
        for paper_id, _, claim in (said.partition("/") for said in item.claims):
            assert load_paper(paper_id).claim(claim)
        assert set(item.networks) <= set(names)


def test_what_is_left_out_is_little_and_has_a_reason() -> None:
    left_out = [item for item in read_documents(DATA).items() if item.left_out]
    assert 0 < len(left_out) <= MOST_LEFT_OUT
    assert len({item.left_out for item in left_out}) == len(left_out)


def test_no_item_rests_on_what_is_out_of_reach() -> None:
    for item in read_documents(DATA).items():
        claims = [load_paper(said.partition("/")[0]).claim(said.partition("/")[2]) for said in item.claims]
        assert not claims or any(not claim.out_of_reach for claim in claims), item.says


def test_every_claim_of_the_documents_is_some_sections() -> None:
    carried_claims = {claim for item in read_documents(DATA).items() for claim in item.claims}
    for paper_id in DOCUMENTS_OWN:
        claims = load_paper(paper_id).claims
        assert {f"{paper_id}/{claim.id}" for claim in claims if not claim.same_as} <= carried_claims


def test_states_follow_the_answers() -> None:
    items = [
        {"says": "one", "claims": ["p/a", "p/b"]},
        {"says": "two", "networks": ["vgg"]},
        {"says": "three", "left_out": "nobody can do this"},
    ]
    document = Document.model_validate({"title": "T", "sections": [{"id": "1", "heading": "H", "items": items}]})
    one, two, three = document.sections[0].items
    assert [state(item, {}) for item in (one, two, three)] == ["ready", "answered", "left out"]
    assert state(one, {"p/a": "not run", "p/b": "exact"}) == "answered"
    assert state(one, {"p/a": "not run (laptop)", "p/b": "not run (laptop)"}) == "ready"
    assert state(one, {"p/a": "not run (laptop), holds (paper)"}) == "answered"
    assert carried(one, {"p/b": "exact"}) == "`p/a`: no experiment; `p/b`: exact"
    text = page((document,), {"p/b": "exact"})
    assert "| T | 1 | 3 | 2 | 0 | 1 |" in text
    assert "- T, 1: three. Nobody can do this." in text


@pytest.mark.parametrize("item", [{"says": "x"}, {"says": "x", "claims": ["a/b"], "networks": ["vgg"]}])
def test_an_item_is_carried_in_one_way(tmp_path: Path, item: dict[str, object]) -> None:
    path = tmp_path / "made.yaml"
    content = {"documents": [{"title": "T", "sections": [{"id": "1", "heading": "H", "items": [item]}]}]}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(UserError, match=r"made\.yaml: .*one of claims, networks and left_out"):
        read_documents(path)


@pytest.mark.skipif(not (PACKAGE.parent / PAGE).exists(), reason="needs a checkout")
def test_the_page_of_this_repository_is_up_to_date() -> None:
    root = PACKAGE.parent
    assert not write_source_documents(root / PAGE, root / "results", check=True), "run `replicate readme`"


def test_the_page_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "docs" / "source_documents.md"
    assert not write_source_documents(path, tmp_path)
    path.parent.mkdir()
    assert write_source_documents(path, tmp_path, check=True)
    assert not path.exists()
    assert write_source_documents(path, tmp_path)
    assert not write_source_documents(path, tmp_path)
    assert outcomes(tmp_path)["conv_arithmetic/strassen"] == "not run"
