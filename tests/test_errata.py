"""Errata: complete, readable, and right wherever counting can decide."""

import json
import re
import subprocess
import sys

import pytest

from replicate.experiments.catalogue import catalogue
from replicate.experiments.experiment import load_experiment
from replicate.models.counting import count
from replicate.overview.errata import as_text, errata, errata_of
from replicate.papers import load_paper, paper_ids
from replicate.papers.schema import Erratum
from replicate.papers.titles import SOURCE_DOCUMENTS
from replicate.report.units import unit
from replicate.studies.count import counted, measure
from replicate.studies.options import Column
from replicate.verdicts.exact import agrees_to_printed_digits

COUNTED = [
    pytest.param(erratum, id=f"{paper_id}: {erratum.where}")
    for paper_id in paper_ids()
    for erratum in load_paper(paper_id).errata
    if erratum.count
]


@pytest.mark.parametrize("erratum", COUNTED)
def test_what_counting_decides_is_counted_again(erratum: Erratum) -> None:
    """The graph gives what the erratum says, to the last digit, and not what is printed."""
    column = erratum.count
    assert column is not None
    found = measure(column.model, Column(of=column.of, input=column.input, layer=column.layer))
    assert found == column.gives
    if column.unit:
        assert isinstance(erratum.printed, (int, float))
        assert not agrees_to_printed_digits(found / unit(column.unit).size, erratum.printed)


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
    """Claims that were found right are left out, the others name the document by its title and not by its file."""
    lines = errata_of("conv_arithmetic")
    stack = next(line for line in lines if line.printed.startswith("102400, 1152"))
    assert stack.right.startswith("73,728 weights")
    assert stack.where == '"Types of convolution kernels and what they do", 1.3'
    verdicts = {claim.verdict for claim in load_paper("conv_arithmetic").claims if str(claim.printed) == stack.printed}
    assert verdicts == {"wrong"}
    assert not any(".txt" in line.where for line in lines)
    assert "2048" not in [line.printed for line in lines]  # right as printed


def test_every_erratum_says_what_why_and_who() -> None:
    lines = errata()
    assert len(lines) > 90
    assert all(line.where and line.printed and line.right and line.why for line in lines)
    assert {line.source for line in lines} == {"paper", "source document", "code"}
    assert {line.paper for line in lines} <= set(paper_ids())
    assert len({(line.paper, line.where, line.printed) for line in lines}) == len(lines)
    assert all(title in as_text(lines) for title in SOURCE_DOCUMENTS.values())


def test_the_command_prints_them_all() -> None:
    command = [sys.executable, "-m", "replicate.cli", "errata"]
    listed = json.loads(subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout)
    assert listed == [line.as_dict() for line in errata()]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert text.count("printed: ") == len(listed)


def printed_numbers_that_differ(name: str) -> list[tuple[str, str, str]]:
    """Paper, place and printed number of every cell of a counting experiment that its networks do not reach."""
    experiment = load_experiment(name, ["scale=smoke"])
    table = load_paper(experiment.settings.paper).tables[experiment.settings.table]
    found = []
    for run in (run for run in experiment.runs() if run.row is not None):
        values = counted(run.config)
        for column, metric in experiment.settings.metrics.items():
            printed = table.row(str(run.row)).published.get(column)
            if metric in values and isinstance(printed, (int, float)):
                value = values[metric] / unit(table.units[column]).size
                if not agrees_to_printed_digits(value, printed):
                    found.append((experiment.settings.paper, f"{name}, {run.row}, {column}: {value}", str(printed)))
    return found


@pytest.mark.parametrize("name", [entry.name for entry in catalogue() if entry.study == "count"])
def test_a_printed_number_that_no_network_reaches_has_an_erratum(name: str) -> None:
    for paper_id, place, printed in printed_numbers_that_differ(name):
        said = " ".join(f"{line.printed} {line.why} {line.right}" for line in errata_of(paper_id)).replace(",", "")
        assert printed in re.findall(r"\d+(?:\.\d+)?", said), f"{paper_id}: {place} where {printed} is printed"
