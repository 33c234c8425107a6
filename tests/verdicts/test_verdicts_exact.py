"""Claims that counting decides: printed numbers, and comparisons of parameters and operations."""

import pandas as pd
import pytest

from replicate.papers import Claim, Table, load_paper
from replicate.papers.printed import Printed
from replicate.verdicts import Outcome, agrees_to_printed_digits, judge
from tests.helpers.runs_by_hand import HIGH, LOW, ROWS, claim, frame, order, verdict

# exact ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "printed", "agrees"),
    [
        (62_378_344, 62_378_344, True),
        (62_378_345, 62_378_344, False),
        (25.557032, 25.6, True),
        (25.557032, 25.5, False),
        (4.995, Printed("5.00"), True),
        (4.994, Printed("5.00"), False),
        (4.96, Printed("5.0"), True),
        (568.74, 569, True),
    ],
)
def test_agreement_is_to_the_printed_digits(value: float, printed: float, agrees: bool) -> None:
    assert agrees_to_printed_digits(value, printed) is agrees


def alexnet_counts(**changes: float) -> tuple[Claim, Table, pd.DataFrame]:
    printed = load_paper("alexnet").tables["layer_parameters"]
    counts = {row.variant: [float(row.published["grouped"] or 0)] for row in printed.rows}
    runs = frame({**counts, **{row: [value] for row, value in changes.items()}}, "grouped")
    return claim({"kind": "exact"}), printed, runs


def test_exact_compares_every_printed_number() -> None:
    found = judge(*alexnet_counts())
    assert (found.outcome, found.n, found.p) == (Outcome.EXACT, 9, None)
    assert found.detail == "All 9 measured numbers agree with the print."


def test_exact_names_what_differs() -> None:
    found = judge(*alexnet_counts(total=62_378_344))
    assert (found.outcome, found.effect, found.unit) == (Outcome.DIFFERS, 1_413_120, "count")
    assert found.detail == (
        "1 of 9 printed numbers differ: total (grouped) measures 62378344 where 60965224 is printed."
    )


def test_exact_values_that_no_table_prints() -> None:
    test = {"kind": "exact", "metric": "error", "values": {"a": 40.25}}
    assert verdict({"a": [40.25]}, test).outcome is Outcome.EXACT
    assert verdict({"a": [40.5]}, test).outcome is Outcome.DIFFERS


# counted --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sizes", "outcome"), [((1, 2), "holds"), ((2, 2), "opposite")])
def test_counted_numbers_decide_without_statistics(sizes: tuple[int, int], outcome: str) -> None:
    found = verdict({"a": [sizes[0]], "b": [sizes[1]]}, order("a", "b", counted=True))
    assert (found.outcome, found.p, found.effect) == (outcome, None, sizes[0] - sizes[1])


def test_counted_equality_and_a_count_that_varies() -> None:
    equal = {"kind": "equal", "metric": "error", "rows": ["a", "b"], "margin": 0, "counted": True}
    assert verdict({"a": [7, 7], "b": [7]}, equal).outcome is Outcome.HOLDS
    assert verdict({"a": [7, 7], "b": [8]}, equal).outcome is Outcome.OPPOSITE
    assert verdict({"a": [7, 8], "b": [7]}, equal).outcome is Outcome.UNDECIDED


def test_a_wrong_count_refutes_a_claim_whose_errors_are_as_claimed() -> None:
    runs = pd.concat([frame({"a": LOW, "b": HIGH}), frame({"a": [3], "b": [2]}, "size")])
    tests = (order("a", "b"), {**order("a", "b"), "metric": "size", "counted": True})
    assert judge(claim(*tests), ROWS, runs).outcome is Outcome.OPPOSITE
