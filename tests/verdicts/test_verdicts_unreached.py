"""A training that never reached the level needed more steps than it had: it counts with those, and only one way."""

import pytest

from replicate.verdicts import UNREACHED, Outcome, Verdict, judge
from tests.helpers.runs_by_hand import ROWS, Values, claim, frame

END = 700.0
FAST, LONG, NEVER = [300.0, 310.0, 305.0], [1500.0, 1520.0, 1510.0], [END, END, END]


def verdict(a: Values, b: Values, test: dict[str, object]) -> Verdict:
    """Steps of a and b; those at END are the least that they can be."""
    runs = frame({"a": a, "b": b}, metric="steps_to_reach")
    runs.loc[runs["value"] == END, "status"] = UNREACHED
    return judge(claim({"metric": "steps_to_reach", **test}), ROWS, runs)


BELOW = {"kind": "order", "ascending": ["a", "b"]}


def test_a_row_that_never_reaches_the_level_is_slower_than_one_that_does() -> None:
    found = verdict(FAST, NEVER, BELOW)
    assert found.outcome is Outcome.HOLDS
    assert "Steps to the level of b: 3 of 3 runs ended before" in found.detail
    assert verdict(NEVER, FAST, BELOW).outcome is Outcome.OPPOSITE


def test_one_run_that_never_does_is_not_left_out() -> None:
    found = verdict(FAST, [600.0, END, 610.0], BELOW)
    assert (found.outcome, found.n) == (Outcome.HOLDS, 6)


def test_what_the_missing_steps_could_turn_round_is_not_said() -> None:
    """a is seen below b, but a run of it would have gone on beyond where it ended."""
    assert verdict([300.0, 310.0, 305.0], [650.0, 680.0, 660.0], BELOW).outcome is Outcome.HOLDS
    assert verdict([300.0, 310.0, END], [2650.0, 2680.0, 2660.0], BELOW).outcome is Outcome.UNDECIDED


def test_rows_that_both_end_before_are_not_called_alike() -> None:
    alike = {"kind": "equal", "rows": ["a", "b"], "margin": 0.1, "relative": True}
    assert verdict([END, END, 690.0], [690.0, END, END], alike).outcome is Outcome.UNDECIDED
    assert verdict([END, END, 690.0], [690.0, END, END], BELOW).outcome is Outcome.UNDECIDED


@pytest.mark.parametrize(
    ("a", "b", "outcome"),
    [(FAST, NEVER, Outcome.OPPOSITE), (NEVER, FAST, Outcome.OPPOSITE), (LONG, NEVER, Outcome.UNDECIDED)],
)
def test_a_ratio_is_refuted_only_from_the_side_that_is_known(a: Values, b: Values, outcome: Outcome) -> None:
    """b / a is claimed to lie from 0.9 to 1.5; b that never reaches the level could bring a low ratio up to that."""
    ratio = {"kind": "ratio", "numerator": "b", "denominator": "a", "low": 0.9, "high": 1.5}
    assert verdict(a, b, ratio).outcome is outcome
