"""Errata and conventions: complete, readable, and right wherever counting can decide."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from replicate.errors import UserError
from replicate.experiments.scale import Scale
from replicate.models.counting import count
from replicate.overview.count_readings import SIZED, explain, gives, readings, sizes, steps
from replicate.overview.errata import as_text, errata, errata_of
from replicate.papers import load_paper, paper_ids
from replicate.papers.misprints import Counted
from replicate.papers.schema import Convention, Erratum
from replicate.papers.titles import SOURCE_DOCUMENTS
from replicate.papers.units import unit
from replicate.studies.count import counted, measure
from replicate.studies.options import Column
from replicate.verdicts.exact import agrees_to_printed_digits
from tests.helpers.composed import ENTRIES, PAPER_CASES, experiment_at, paper_run

UNITS = {"megabytes": "MB", "mebibytes": "MiB", "map_kilobytes": "KB"}
PUBLISHED = {
    "params": ("parameters", "count"),
    "params_m": ("parameters", "million"),
    "flops_g": ("multiply_adds", "billion"),
    "gflops": ("multiply_adds", "billion"),
    "mult_adds_m": ("multiply_adds", "million"),
    "mflops": ("multiply_adds", "million"),
}
COUNTED = [
    pytest.param(erratum, id=f"{paper_id}: {erratum.where}")
    for paper_id in paper_ids()
    for erratum in load_paper(paper_id).errata
    if erratum.count
]
CONVENTIONS = [
    pytest.param(convention, id=f"{paper_id}: {convention.where}")
    for paper_id in paper_ids()
    for convention in load_paper(paper_id).conventions
]


@pytest.mark.parametrize("erratum", COUNTED)
def test_no_way_of_counting_gives_an_erratum(erratum: Erratum) -> None:
    """The graph gives what the erratum says, to the last digit, and no reading gives what is printed."""
    for found in erratum.count:
        column = Column(of=found.of, input=found.input, layer=found.layer, side=found.side)
        assert measure(found.model, column) == found.gives
        if found.printed is not None and found.unit is not None:
            assert explain(found.printed, found.unit, known_readings(found)) == []


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_reading_of_a_convention_gives_the_printed_digits(convention: Convention) -> None:
    for found in convention.count:
        value = known_readings(found)[convention.reading]
        assert value == found.gives
        assert found.printed is not None
        assert found.unit is not None
        assert gives(value / dict(sizes(found.unit))[found.unit], found.printed, convention.rounding)


@pytest.mark.parametrize(
    ("value", "printed", "rounding", "right"),
    [
        (3.858, 3.8, "truncated", True),
        (3.858, 3.8, "nearest", False),
        (15346.6, 15300, "nearest", True),
        (15470.3, 15300, "nearest", False),
        (1582.7, 1500, "truncated", True),
        (848, 840, "truncated", False),
        (60.97, 60, "truncated", True),
    ],
)
def test_how_a_count_may_be_rounded(value: float, printed: float, rounding: Any, right: bool) -> None:
    assert gives(value, printed, rounding) is right


def test_the_readings_of_a_network_that_torch_counts() -> None:
    """ResNet-50: 25,557,032 with 53,120 scales and shifts, 53,120 running statistics, 2,049,000 in its classifier."""
    found = readings(Counted(model={"name": "resnet50"}, input=(3, 224, 224), of="parameters", gives=0))
    assert found["as built"] == 25_557_032
    assert found["without normalisation"] == 25_557_032 - 53_120
    assert found["with running statistics"] == 25_557_032 + 53_120
    assert found["without the classifier"] == 25_557_032 - 2_049_000
    operations = readings(Counted(model={"name": "resnet50"}, input=(3, 224, 224), of="multiply_adds", gives=0))
    assert operations["with additions"] - operations["as built"] == 5_519_360  # a sum in each of the 16 blocks
    assert operations["multiplications and additions apart"] == 2 * 4_089_184_256
    assert list(steps(15_300)) == [1, 10, 100]


def test_a_layer_that_is_not_there_is_refused() -> None:
    with pytest.raises(UserError, match=r"layer to count 'layer9'"):
        readings(Counted(model={"name": "resnet50"}, input=(3, 224, 224), of="parameters", gives=0, layer="layer9"))


def test_the_arithmetic_that_no_graph_decides() -> None:
    """The printed stacks of blocks of the DenseNet report, and the layers of AlexNet over one percent."""
    name = "densenet_memory"
    assert [line.right for line in errata_of(name)][:2] == ["6-12-64-48", "6-12-48-48"]
    sizes = [(32, [6, 32, 64, 48], 41_345_704), (48, [6, 32, 48, 48], 71_538_184), (32, [6, 12, 64, 48], 33_337_704)]
    for growth, blocks, parameters in sizes:
        assert count("densenet", (3, 224, 224), blocks=blocks, growth_rate=growth).parameters == parameters
    shares = [count("alexnet_krizhevsky", (3, 227, 227), f"features.conv{i}").parameters / 60_965_224 for i in (3, 4)]
    assert [round(100 * share, 2) for share in shares] == [1.45, 1.09]


def test_failed_claims_of_the_source_documents_are_derived() -> None:
    """Claims that were found right are left out; where another count was meant it is a convention."""
    lines = errata_of("conv_arithmetic")
    stack = next(line for line in lines if line.printed.startswith("102400, 1152"))
    assert (stack.kind, stack.right[:14]) == ("erratum", "73,728 weights")
    assert stack.where == '"Types of convolution kernels and what they do", 1.3'
    assert "2048" not in [line.printed for line in lines]  # right as printed
    meant = [line.printed for line in lines if line.kind == "convention"]
    assert meant == ["62,378,344; 37,748,736; 60%", "102 million (1.02 yi)"]


def test_every_line_says_what_why_and_who() -> None:
    lines = errata()
    kinds = Counter(line.kind for line in lines)
    assert kinds["erratum"] > 80
    assert kinds["convention"] > 50
    assert all(line.where and line.printed and line.right and line.why for line in lines)
    assert not any("None" in line.why for line in lines)
    assert {line.source for line in lines} == {"paper", "source document", "code"}
    assert {line.paper for line in lines} <= set(paper_ids())
    assert len({(line.paper, line.where, line.printed) for line in lines}) == len(lines)
    assert all(title in as_text(lines) for title in SOURCE_DOCUMENTS)


def test_the_command_prints_them_all_errata_first() -> None:
    command = [sys.executable, "-m", "replicate.cli", "errata"]
    listed = json.loads(subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout)
    assert listed == [line.as_dict() for line in errata()]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert text.count("printed: ") == len(listed)
    first, second = text.split("Conventions: ")
    kinds = Counter(line["kind"] for line in listed)
    assert (first.count("right:   "), second.count("counted: ")) == (kinds["erratum"], kinds["convention"])
    assert "25.5 million\n    counted: without normalisation" in second


def cells_that_differ(name: str) -> Iterator[tuple[str, Counted, bool]]:
    """Paper, count and whether it is a share, of every cell of a counting experiment that its networks do not reach."""
    experiment = experiment_at(name, Scale.EXACT)
    table = load_paper(experiment.settings.paper).tables[experiment.settings.table]
    for run in (run for run in experiment.runs() if run.row is not None):
        values, options = counted(run.config), run.config.options.given
        for column, metric in experiment.settings.metrics.items():
            printed, unit_name = table.row(str(run.row)).published.get(column), table.units.get(column, "count")
            if metric not in values or not isinstance(printed, (int, float)):
                continue
            if not agrees_to_printed_digits(values[metric] / unit(unit_name).size, printed):
                asked = {**options, **((options.get("columns") or {}).get(metric) or {"of": metric})}
                found = Counted(
                    model={**run.config.model, **(asked.get("model") or {})},
                    input=asked.get("input", (3, 224, 224)),
                    of=asked["of"],
                    gives=values[metric],
                    printed=printed,
                    unit=UNITS.get(asked["of"], unit_name),
                    layer=asked.get("layer") or "",
                    side=asked.get("side"),
                )
                yield experiment.settings.paper, found, bool(asked.get("share"))


def assert_accounted_for(paper_id: str, found: Counted, share: bool = False) -> None:
    """What a reading gives is a convention; what none gives is an erratum, or a convention that names another graph."""
    assert found.printed is not None
    assert found.unit is not None
    paper, place = load_paper(paper_id), f"{paper_id}: {found.printed} {found.unit}, {found.model}"
    meant = [convention for convention in paper.conventions if same_number(convention, found)]
    explained = [] if share else explain(found.printed, found.unit, known_readings(found))
    if explained:
        assert meant, place
        accused = {counted.gives for erratum in paper.errata for counted in erratum.count if same(counted, found)}
        assert known_readings(found)["as built"] not in accused, place
    else:
        named = [one for one in paper.errata if one.printed == found.printed or same_number(one, found)]
        assert named or any(convention.note for convention in meant), place


def known_readings(found: Counted) -> dict[str, float]:
    """The readings of a count, counted once for all numbers that are printed of it."""
    key = found.model_dump_json(exclude={"gives", "printed", "unit"})
    if key not in KNOWN:
        KNOWN[key] = readings(found)
    return KNOWN[key]


KNOWN: dict[str, dict[str, float]] = {}


def same_number(entry: Erratum | Convention, found: Counted) -> bool:
    return any(same(counted, found) for counted in entry.count)


def same(counted: Counted, found: Counted) -> bool:
    """The same printed number, of operations both or of parameters both or of the same other quantity."""
    quantities = {"parameters" if one.of in SIZED else one.of for one in (counted, found)}
    return counted.printed == found.printed and len(quantities) == 1


@pytest.mark.parametrize("experiment", [name for name, entry in ENTRIES.items() if entry.study == "count"])
def test_a_printed_number_that_differs_is_a_convention_or_an_erratum(experiment: str) -> None:
    for paper_id, found, share in cells_that_differ(experiment):
        assert_accounted_for(paper_id, found, share)


def networks_at_paper_scale(paper_id: str) -> dict[str, dict[str, Any]]:
    """Architecture -> the options of the network that an experiment of the paper trains at paper scale."""
    found: dict[str, dict[str, Any]] = {}
    for name, variant in PAPER_CASES:
        if ENTRIES[name].paper == paper_id and ENTRIES[name].study == "train":
            run = paper_run(name, variant)[1]
            if run.architecture:
                found.setdefault(run.architecture, dict(run.config.model))
    return found


@pytest.mark.parametrize("paper_id", paper_ids())
def test_the_published_size_of_a_network_is_counted(paper_id: str) -> None:
    networks = networks_at_paper_scale(paper_id)
    for name, architecture in load_paper(paper_id).architectures.items():
        if name not in networks or not isinstance(architecture.input, list):
            continue
        for key in architecture.published.keys() & PUBLISHED:
            of, unit_name = PUBLISHED[key]
            printed = architecture.published[key]
            channels, height, width = architecture.input
            found = Counted(
                model=networks[name], input=(channels, height, width), of=of, gives=0, printed=printed, unit=unit_name
            )
            if not agrees_to_printed_digits(known_readings(found)["as built"] / unit(unit_name).size, found.printed):
                assert_accounted_for(paper_id, found)
