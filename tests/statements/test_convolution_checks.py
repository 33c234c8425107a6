"""Every statement of the source documents about convolutions is run, and the outcome is the one on record."""

import re

import pandas as pd
import pytest

from replicate.errors import UserError
from replicate.experiments.experiment import load_experiment
from replicate.experiments.run_config import RunConfig
from replicate.papers import Paper, Table, load_paper
from replicate.papers.schema import Claim
from replicate.statements.checks import PARTS, checks_of, holds, run_check, run_part
from replicate.studies.convolution import check
from replicate.verdicts import COLUMNS, Outcome, judge_all

RIGHT = {"right", "right as summed", "right as products", "not printed in the document"}
UNDECIDED = "not checkable by arithmetic"
FORMULAS = {  # cells that hold what a printed formula gives, or a printed number in words or another unit
    *(f"bottleneck_1x1_ratio at {channels} channels" for channels in (64, 256, 1024)),
    *(f"dilated_kernel_size with {holes} holes" for holes in (1, 2, 4)),
    "densenet_channel_growth channels",
    "naive_inception_output channels",
    "fc_vs_conv_params ratio",
    "max_pool_near_invariance outputs changed",
    "separable_example times fewer",
    "small_kernels_same_field for 5x5",
    "small_kernels_same_field for 11x11",
    "googlenet_5x5_reduced times fewer",
    "alexnet_params tenths in fc6",
    "nin_gap_vs_dense parameters",
    "one_by_one_field ways to pad 2x2",
    "inception_v1_gap flat",
    *(f"lavin_winograd ratio {tile}" for tile in ("2x2", "4x4")),
    *(f"inception_v2_table {block}" for block in ("3b", "3c", "4b", "4c", "4d", "4e", "5a", "5b")),
    *(f"vgg_params {letter}" for letter in "ABCD"),
}


@pytest.fixture(scope="module")
def paper() -> Paper:
    return load_paper("conv_arithmetic")


@pytest.fixture(scope="module")
def table(paper: Paper) -> Table:
    return paper.tables["statements"]


@pytest.fixture(scope="module")
def figures() -> dict[str, dict[str, float]]:
    return {part: run_part(part, seed=0) for part in PARTS}


def frame(figures: dict[str, dict[str, float]]) -> pd.DataFrame:
    rows = [(p, p, 0, "finished", name, None, value) for p, found in figures.items() for name, value in found.items()]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"index": float})


def test_every_claim_has_a_check_and_every_check_a_claim(paper: Paper) -> None:
    checks = [claim for part in PARTS for claim in checks_of(part)]
    assert sorted(checks) == sorted(claim.id for claim in paper.claims if claim.table in ("statements", None))
    assert len(checks) == 125


def test_every_figure_has_a_column_and_every_printed_cell_is_measured(
    table: Table, figures: dict[str, dict[str, float]]
) -> None:
    assert {name for found in figures.values() for name in found} == set(table.units)
    for row in table.rows:
        assert set(row.published) <= set(figures[row.variant])


def test_the_outcome_of_every_claim_is_the_verdict_on_record(
    paper: Paper, table: Table, figures: dict[str, dict[str, float]]
) -> None:
    claims = paper.claims_of("statements")
    found = {verdict.claim: verdict.outcome for verdict in judge_all(claims, table, frame(figures))}
    expected = {c.id: Outcome.EXACT if verdict_on(c) in RIGHT else Outcome.DIFFERS for c in claims}
    assert found == expected
    assert len(claims) == 123
    assert {verdict_on(claim) for claim in paper.claims if not claim.test} == {UNDECIDED}


def test_the_table_holds_what_the_claims_print(paper: Paper, table: Table) -> None:
    for row in table.rows:
        for column, cell in row.published.items():
            claim, _, figure = column.partition(" ")
            if figure and column not in FORMULAS:
                assert str(cell) in numbers_in(paper.claim(claim)), column
            elif not figure:
                assert cell == 100


def numbers_in(claim: Claim) -> set[str]:
    """The numbers of what is printed, thousands separators removed; half is 50 percent of cases."""
    assert claim.examined
    return set(re.findall(r"\d+(?:\.\d+)?", f"{claim.examined.printed} {claim.statement}".replace(",", "")))


def verdict_on(claim: Claim) -> str | None:
    """What was found of the document's claim."""
    return claim.examined and claim.examined.verdict


def test_no_outcome_hangs_on_the_seed(figures: dict[str, dict[str, float]]) -> None:
    for part in ("sums", "shifts", "sharing", "groups"):
        assert run_part(part, seed=1) == figures[part]


def test_one_claim_can_be_run_alone(figures: dict[str, dict[str, float]]) -> None:
    alone = run_part("fast", seed=0, claims=["strassen"])
    assert alone == {name: value for name, value in figures["fast"].items() if name.startswith("strassen")}


def test_a_check_without_cases_is_an_error_and_not_a_success() -> None:
    with pytest.raises(UserError, match="no case"):
        holds([])
    assert run_check("x", lambda: holds([True, False, False]), 0) == {"x": 33.3333333}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"options\.topic"),
        ({"topic": "arithmetik"}, "should be 'arithmetic'"),
        ({"topic": "arithmetic", "part": "sum"}, "did you mean sums"),
        ({"topic": "arithmetic", "part": "sums", "claims": ["conv_comutes"]}, "did you mean conv_commutes"),
        ({"topic": "arithmetic", "part": "sums", "size": 3}, "size"),
    ],
)
def test_wrong_options_are_one_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        check(RunConfig(study="convolution", options=options))
    assert "\n" not in str(caught.value)


def test_the_experiment_asks_for_every_part_and_every_decided_claim(paper: Paper) -> None:
    experiment = load_experiment("conv_arithmetic")
    assert [run.config.options.part for run in experiment.runs()] == list(PARTS)
    assert sorted(experiment.settings.claims) == sorted(claim.id for claim in paper.claims_of("statements"))
