"""The forest of all trained claims, and all networks on one chart: what is drawn is what the results say."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from replicate.overview.findings_page import forest_image
from replicate.papers.claims import Cell
from replicate.report.figures.draw import overview_svgs
from replicate.report.figures.forest_figure import draw_forest
from replicate.report.forest import FOREST, Forest, ForestLine, forest
from replicate.report.networks import networks
from replicate.report.verdict_file import VerdictFile, all_verdicts
from replicate.runs.committed import RECORDS, read_records
from replicate.verdicts import Outcome
from replicate.verdicts.comparisons import Comparison, Region, Shape
from tests.helpers.site_results import write_made_up_results


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_made_up_results(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def found(results: Path) -> list[VerdictFile]:
    return list(all_verdicts(results))


def line(found: list[VerdictFile], **values: Any) -> ForestLine:
    """A line of the made-up cardinality claim with other numbers."""
    data, answer = next((d, a) for d in found for a in d.verdicts if a.trained and a.relative is not None)
    return ForestLine(data, replace(answer, **values))


def test_every_trained_answer_is_drawn_or_counted(found: list[VerdictFile]) -> None:
    made = forest(found)
    answers = [a for data in found for a in data.verdicts if a.trained and a.outcome is not Outcome.NOT_RUN]
    rest = [answer for answer in answers if answer.relative is None]
    assert len(made.lines) == len(answers) - len(rest) > 0
    assert made.left_out.startswith(f"{len(rest)} further answer") if rest else not made.left_out


@pytest.mark.parametrize(
    ("region", "sign"), [(Region(high=0.0), -1), (Region(low=0.0), 1), (Region(-0.1, 0.1), 0)], ids=str
)
def test_a_claim_says_which_sign_it_asserts(region: Region, sign: int) -> None:
    assert Comparison(Shape.PAIR, "", (Cell("a"), Cell("b")), (1.0, -1.0), region).claimed == sign


def test_what_is_as_claimed_lies_to_the_right(found: list[VerdictFile]) -> None:
    numbers = {"relative": -0.1, "relative_low": -0.3, "relative_high": 0.05, "published_relative": -0.02}
    less = line(found, claimed=-1, **numbers)
    assert (less.measured, less.interval, less.published) == (0.1, (-0.05, 0.3), 0.02)
    assert less.numbers == "10.0 % [-5.0, 30.0]; paper 2.0 %"
    more = line(found, claimed=1, **(numbers | {"relative_high": None}))
    assert (more.measured, more.interval) == (-0.1, (-0.3, float("inf")))
    made = Forest((less, more), "")
    places = [made.at(share) for share in (-made.end, -0.1, 0, 0.1, made.end, float("inf"))]
    assert places == [0, pytest.approx(100 - places[3]), 50, pytest.approx(places[3]), 100, 100]
    assert 50 < places[3] < 100


def test_the_figure_has_the_numbers_of_the_answers(found: list[VerdictFile]) -> None:
    made = forest(found)
    [axes] = draw_forest(made).axes
    marks = [mark.get_xydata() for mark in axes.lines]
    drawn = {(float(x), float(y)) for points in marks for x, y in np.asarray(points)}
    for place, one in enumerate(made.lines):
        assert (one.measured, place) in drawn
        assert one.published is None or (one.published, place) in drawn


def test_networks_are_compared_only_within_one_way_of_training(results: Path, found: list[VerdictFile]) -> None:
    records = [(data, read_records(results / data.folder / RECORDS)) for data in found]
    panels, alone = networks(records)
    own = [one for panel in panels for one in panel.networks]
    trained = {(d.experiment, r.variant) for d, many in records for r in many if r.config["study"] == "train"}
    assert len(own) + alone == len(trained)
    assert all(len({(one.experiment) for one in panel.networks}) == 1 for panel in panels)  # 16 and 12 pixels
    for data, many in records:
        for one in (one for one in own if one.experiment == data.experiment):
            errors = [r.value("test_error") for r in many if r.variant == one.variant and r.status == "finished"]
            assert one.error == pytest.approx(sum(map(float, filter(None, errors))) / len(errors))


def test_both_are_written_again_to_the_same_bytes(results: Path, found: list[VerdictFile]) -> None:
    records = [(data, read_records(results / data.folder / RECORDS)) for data in found]
    made = overview_svgs(forest(found), *networks(records))
    assert {name: (results / name).read_bytes() for name in made} == made
    assert FOREST in made
    for name in made:
        assert ElementTree.fromstring(made[name]).tag.endswith("svg")
    assert "resnext/resnext_cardinality/laptop/table.md" in made[FOREST].decode()  # a link


def test_without_answers_nothing_is_drawn() -> None:
    assert overview_svgs(forest([]), *networks([])) == {}
    assert forest_image([], "results") == []
