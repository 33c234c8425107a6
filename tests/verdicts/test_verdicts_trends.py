"""Claims of trends on hand-made measurements: the line through the rows, its steps, its ends."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from replicate.papers import load_paper
from replicate.verdicts import Outcome, judge
from replicate.verdicts.looks import PLAN
from tests.helpers.runs_by_hand import HIGH, LOW, TREND, claim, frame, verdict, welch

FIRST = PLAN[0]


def test_trend_is_the_line_through_the_places_of_the_rows() -> None:
    values = {"a": [27.0, 27.3, 27.1], "b": [25.0, 25.1, 25.2], "c": [21.0, 21.3, 21.1]}
    found = welch(values, TREND)
    slope = np.polyfit([0, 1, 2], [np.mean(v) for v in values.values()], 1)[0]
    assert found.outcome is Outcome.HOLDS
    assert found.effect == pytest.approx(2 * slope)  # from the first row to the last
    assert verdict(dict(zip("abc", [*values.values()][::-1], strict=True)), TREND).outcome is Outcome.OPPOSITE


SEVEN = ("a", "b", "c", "d", "e", "f", "g")


@pytest.mark.parametrize("last", [24.0, 28.0, 60.0])
@pytest.mark.parametrize("seeds", [3, 8])
def test_a_ladder_whose_last_row_lies_above_the_first_never_falls(last: float, seeds: int) -> None:
    means = (20, 18, 16, 14, 12, 10, last)
    noise = 0.1 * np.random.default_rng(0).standard_normal((7, seeds))
    values = {row: mean + line for row, mean, line in zip(SEVEN, means, noise, strict=True)}
    test = {
        "kind": "trend",
        "metric": "error",
        "rows": list(SEVEN),
        "direction": "falling",
        "unprinted": {r: {} for r in SEVEN},
    }
    found = verdict(values, test)
    assert found.outcome is not Outcome.HOLDS
    if last == 24.0:  # the line through the rows does fall, the ends do not
        assert (found.hold, found.open) == (1, ("error falling from a to g",))


STEEP = {"a": [40.0, 40.2, 40.1], "b": [30.0, 30.2, 30.1], "c": [20.0, 20.2, 20.1]}


def test_a_claim_of_every_step_allows_no_reversed_one() -> None:
    every_step = {**TREND, "monotone": True}
    reversed_step = {**STEEP, "b": [19.0, 19.2, 19.1]}  # the line falls, the last step rises a little
    shown = {**STEEP, "b": [10.0, 10.1, 10.2]}
    assert verdict(STEEP, every_step).outcome is Outcome.HOLDS
    assert verdict(reversed_step, TREND).outcome is Outcome.HOLDS
    seen = verdict(reversed_step, every_step)
    assert (seen.outcome, seen.open) == (Outcome.UNDECIDED, ("error falling from b to c",))
    assert "seen reversed" in seen.detail
    assert verdict(shown, TREND).outcome is Outcome.HOLDS
    assert verdict(shown, every_step).outcome is Outcome.OPPOSITE


def test_trend_over_too_few_rungs_is_not_run() -> None:
    assert verdict({"a": HIGH, "b": LOW}, TREND).outcome is Outcome.NOT_RUN


def test_trend_of_one_group_is_told_from_the_group_not_measured() -> None:
    paper = load_paper("resnext")
    rows = [row.variant for row in paper.tables["cardinality_vs_width"].rows[:5]]
    errors = [[24.0, 24.2, 24.1], [22.4, 22.2, 22.3], [20.9, 20.7, 20.8], [19.4, 19.5, 19.3], [18.0, 18.1, 18.2]]
    runs = frame(dict(zip(rows, errors, strict=True)), "top1_error")
    test = {"kind": "trend", "metric": "top1_error", "by": "cardinality", "direction": "falling"}
    within = {**test, "within": [{"depth": 50}, {"depth": 101}]}
    found = judge(claim(within), paper.tables["cardinality_vs_width"], runs)
    assert found.outcome is Outcome.HOLDS
    assert "top-1 error, depth 50, falls by" in found.detail
    assert found.detail.endswith("Not measured: top-1 error, depth 101.")


@given(st.lists(st.floats(1, 50), min_size=9, max_size=9), st.floats(-5, 5))
@settings(max_examples=40, deadline=None)
def test_trend_ignores_a_constant_and_turns_with_the_ladder(values: list[float], shift: float) -> None:
    rows = {row: np.array(values[i : i + 3]) for row, i in zip("abc", (0, 3, 6), strict=True)}
    assume(min(np.ptp(v) for v in rows.values()) > 0.01)
    plain, moved = welch(rows, TREND), welch({r: v + shift for r, v in rows.items()}, TREND)
    turned = welch(dict(zip("abc", [*rows.values()][::-1], strict=True)), TREND)
    assert moved.p == pytest.approx(plain.p, rel=1e-5)
    assert turned.effect == pytest.approx(-float(plain.effect or 0), abs=1e-9)


def test_a_reversed_step_is_said_in_the_direction_that_was_measured() -> None:
    values = {"a": [28.0, 28.2, 28.1], "b": LOW, "c": [25.0, 25.2, 25.1]}
    found = verdict(values, {**TREND, "monotone": True})
    assert found.outcome is Outcome.OPPOSITE
    assert found.detail.startswith("error rises by 11.7 % from b to c (")
    assert found.detail.endswith("The ladder as a whole goes as claimed.")
