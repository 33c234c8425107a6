"""The experiments on the source documents' questions compare what is equal where they say so."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from replicate.models.counting import Count, count
from replicate.papers import load_paper
from replicate.paths import PACKAGE

FOLDER = PACKAGE.parent / "conf" / "experiment" / "source_questions"
pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="needs a checkout")


@cache
def body(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return content


def plain(options: dict[str, Any]) -> dict[str, Any]:
    """Without what differs from scale to scale: such values stand for smoke scale alone in the files looked at here."""
    return {key: value for key, value in options.items() if not str(value).startswith("${at:{smoke")}


def sizes(name: str, pixels: int) -> dict[str, Count]:
    """Row -> what its network counts, at laptop scale."""
    found = {}
    for variant, own in body(name)["variants"].items():
        model = {**plain(body(name).get("model", {})), **plain(own["model"])}
        side = own.get("data", {}).get("size", pixels)
        found[own.get("row", variant)] = count(model.pop("name"), (1, side, side), num_classes=10, **model)
    return found


def assert_equal_work(found: list[Count], within: float) -> None:
    work = [one.multiply_adds for one in found]
    assert max(work) / min(work) < 1 + within


def test_kernels_have_equal_multiply_adds() -> None:
    found = sizes("kernel_sizes", 16)
    assert len(found) == 6
    assert_equal_work([*found.values()], 0.005)


def test_asymmetric_pairs_cost_what_the_square_kernel_costs() -> None:
    found = sizes("asymmetric_maps", 32)
    assert len(found) == 6
    assert_equal_work([*found.values()], 0.013)


def test_reductions_cost_what_the_question_says() -> None:
    found = sizes("grid_reduction", 16)
    assert_equal_work([found[row] for row in ("wide", "balanced", "deep")], 0.03)
    placed = [found[row] for row in ("early", "even", "late")]
    assert len({one.parameters for one in placed}) == 1
    assert [one.multiply_adds for one in placed] == sorted(one.multiply_adds for one in placed)
    ways = ("both in parallel", "strided convolution", "convolution, then pooling")
    assert [found[row].multiply_adds for row in ways] == sorted(found[row].multiply_adds for row in ways)
    assert found["strided convolution"].multiply_adds == found["pooling, then convolution"].multiply_adds


def test_families_have_about_equal_multiply_adds() -> None:
    found = sizes("families", 16)
    assert len(found) == 16
    assert_equal_work([*found.values()], 0.2)


def test_networks_on_small_sets_have_about_equal_parameters() -> None:
    found = [one.parameters for one in sizes("small_training_sets", 12).values()]
    assert len(found) == 6
    assert max(found) / min(found) < 1.06


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_claim_and_row_of_a_file_stands_in_the_paper(path: Path) -> None:
    content, paper = body(path.stem), load_paper("source_questions")
    table = paper.tables[content["table"]]
    assert {claim.id for claim in paper.claims_of(content["table"])} == set(content["claims"])
    assert {own.get("row", name) for name, own in content["variants"].items()} == {row.variant for row in table.rows}
    assert set(content.get("metrics", {})) <= set(table.units)
