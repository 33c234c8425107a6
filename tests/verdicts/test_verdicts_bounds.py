"""Claims of equality, ratio, growth and collapse on hand-made measurements, against scipy and statsmodels."""

from math import atanh, exp, log, nan, sqrt

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import ttost_ind

from replicate.papers.claims import RelativeLevel
from replicate.verdicts import Outcome, judge
from replicate.verdicts.collapse import lead, share_interval
from replicate.verdicts.looks import PLAN
from tests.helpers.runs_by_hand import HIGH, LOW, ROWS, WITHOUT_PRIOR, claim, frame, verdict, welch

FIRST = PLAN[0]


# equal, ratio, growth -------------------------------------------------------------------------------------------------

EQUAL = {"kind": "equal", "metric": "error", "rows": ["a", "b"], "margin": 0.5}


def test_equal_is_two_one_sided_tests_at_five_percent_over_all_looks() -> None:
    a, b = [22.1, 22.2, 22.15, 22.05], [22.12, 22.18, 22.2, 22.1]
    found = welch({"a": a, "b": b}, EQUAL)
    p, _, _ = ttost_ind(np.array(a[:3]), np.array(b[:3]), -0.5, 0.5, usevar="unequal")
    assert found.outcome is Outcome.HOLDS
    assert found.p == pytest.approx(2 * p)
    assert FIRST.alpha < FIRST.equal
    assert welch({"a": LOW, "b": [31.0, 31.2, 31.1]}, EQUAL).outcome is Outcome.OPPOSITE
    assert welch({"a": LOW, "b": [22.0, 22.5, 22.9]}, EQUAL).outcome is Outcome.SMALLER


def test_a_relative_margin_bounds_the_ratio() -> None:
    a, b = [20.0, 20.1, 20.2], [20.3, 20.4, 20.5]
    test = {**EQUAL, "margin": 0.1, "relative": True}
    found = welch({"a": a, "b": b}, test)
    value = log(np.mean(a) / np.mean(b))
    parts = [np.var(s, ddof=1) / 3 / np.mean(s) ** 2 for s in (a, b)]
    error, freedom = sqrt(sum(parts)), sum(parts) ** 2 / sum(p**2 / 2 for p in parts)
    bound = 2 * atanh(0.05)
    p = max(stats.t.sf((value + bound) / error, freedom), stats.t.cdf((value - bound) / error, freedom))
    assert (found.outcome, found.p) == (Outcome.HOLDS, pytest.approx(2 * p))
    scaled = welch({"a": 3 * np.array(a), "b": 3 * np.array(b)}, test)
    assert scaled.p == pytest.approx(found.p)


def test_a_relative_margin_of_an_accuracy_is_one_of_its_error() -> None:
    test = {"kind": "equal", "metric": "top1_accuracy", "rows": ["a", "b"], "margin": 0.1, "relative": True}
    printed = ROWS.model_copy(update={"units": {**ROWS.units, "top1_accuracy": "percent"}})
    errors = {"a": np.array([20.0, 20.1, 20.2]), "b": np.array([20.3, 20.4, 20.5])}
    runs = frame({row: 100 - values for row, values in errors.items()}, "top1_accuracy")
    expected = welch(errors, {**EQUAL, "margin": 0.1, "relative": True})
    found = judge(claim(test), printed, runs, prior=WITHOUT_PRIOR)
    assert (found.outcome, found.p) == (expected.outcome, pytest.approx(expected.p))


@given(st.lists(st.floats(10, 90), min_size=6, max_size=6), st.floats(-50, 50))
@settings(max_examples=30, deadline=None)
def test_equality_ignores_a_constant_and_who_comes_first(values: list[float], shift: float) -> None:
    a, b = np.array(values[:3]), np.array(values[3:])
    assume(min(np.ptp(a), np.ptp(b)) > 0.01)
    test = {**EQUAL, "margin": 5}
    plain, swapped, moved = (welch({"a": x, "b": y}, test) for x, y in ((a, b), (b, a), (a + shift, b + shift)))
    assert swapped.p == pytest.approx(plain.p)
    assert moved.p == pytest.approx(plain.p, rel=1e-5)


def test_ratio_is_the_delta_method_on_the_log_scale() -> None:
    slow, fast = [100.0, 100.3, 100.1], [75.0, 75.15, 75.08]
    test = {"kind": "ratio", "metric": "size", "numerator": "a", "denominator": "b", "low": 0.7, "high": 0.8}
    found = judge(claim(test), ROWS, frame({"a": fast, "b": slow}, "size"))
    value = log(np.mean(fast) / np.mean(slow))
    parts = [np.var(s, ddof=1) / 3 / np.mean(s) ** 2 for s in (fast, slow)]
    error, freedom = sqrt(sum(parts)), sum(parts) ** 2 / sum(p**2 / 2 for p in parts)
    half = stats.t.isf(FIRST.equal, freedom) * error
    p = max(stats.t.sf((value - log(0.7)) / error, freedom), stats.t.cdf((value - log(0.8)) / error, freedom))
    assert (found.outcome, found.p) == (Outcome.HOLDS, pytest.approx(2 * p))
    assert (found.effect, found.low, found.high) == pytest.approx((exp(value), exp(value - half), exp(value + half)))
    assert judge(claim(test), ROWS, frame({"a": slow, "b": fast}, "size")).outcome is Outcome.OPPOSITE


@given(st.floats(0.01, 100))
@settings(max_examples=20, deadline=None)
def test_ratio_ignores_the_unit(scale: float) -> None:
    test = {
        "kind": "ratio",
        "metric": "error",
        "numerator": "a",
        "denominator": "b",
        "published": 0.9,
        "tolerance": 0.1,
    }
    plain, scaled = (welch({"a": np.array(LOW) * s, "b": np.array(HIGH) * s}, test) for s in (1.0, scale))
    assert (scaled.effect, scaled.p) == pytest.approx((plain.effect, plain.p))


def test_growth_fits_the_exponent_of_logarithmic_means() -> None:
    values = {"a": [1.0, 1.002, 0.999], "b": [4.01, 3.99, 4.0], "c": [9.01, 8.98, 9.0]}
    test = {"kind": "growth", "metric": "error", "by": "depth", "exponent": 2, "tolerance": 0.1}
    slope = np.polyfit(np.log([1, 2, 3]), [log(np.mean(v)) for v in values.values()], 1)[0]
    found = welch(values, test)
    assert (found.outcome, found.effect) == (Outcome.HOLDS, pytest.approx(slope))
    assert welch(values, {**test, "exponent": 1}).outcome is Outcome.OPPOSITE


# collapse -------------------------------------------------------------------------------------------------------------

COLLAPSE = {"kind": "collapse", "metric": "error", "rows": ["a"]}


@pytest.mark.parametrize(
    ("values", "outcome", "seeds"),
    [
        ([90.0] * 3, Outcome.HOLDS, 3),
        ([12.0] * 3, Outcome.OPPOSITE, 3),
        ([90.0, 12.0] * 4, Outcome.UNDECIDED, 8),
        ([90.0, 90.0, 12.0, 90.0, 90.0], Outcome.HOLDS, 5),
        ([90.0, 89.0], Outcome.UNDECIDED, 0),
    ],
)
def test_collapse_counts_the_runs_at_chance(values: list[float], outcome: Outcome, seeds: int) -> None:
    found = verdict({"a": values}, COLLAPSE, error=90.0)
    assert (found.outcome, found.seeds) == (outcome, seeds)
    if seeds:
        interval = stats.binomtest(sum(v >= 81 for v in values), seeds).proportion_ci(0.95, "exact")
        assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize("rows", [1, 2, 4, 12])
def test_however_often_one_looks_at_most_five_percent_are_called_wrongly(rows: int) -> None:
    """A walk with steps of +1 in 1/4 and -1 in 3/4 of the runs reaches +lead before -lead this often."""
    assert rows / (1 + 3 ** lead(rows)) <= 0.05
    assert lead(1) == 3
    assert share_interval(3, 3)[0] == pytest.approx(0.025 ** (1 / 3))


def test_diverged_run_is_a_collapse_even_with_a_good_number() -> None:
    runs = frame({"a": [nan, 15.0, 90.0]}, diverged={"a": 2})
    found = judge(claim(COLLAPSE), ROWS, runs, {"error": 90.0})
    assert (found.outcome, found.effect) == (Outcome.HOLDS, 1.0)
    assert "2 of 3 runs of a diverged" in found.detail


def test_collapse_without_a_known_chance_level_is_not_decided() -> None:
    assert "guessing is not known" in verdict({"a": [90.0] * 9}, COLLAPSE).detail


def test_a_level_that_moves_with_the_task_refuses_a_reference_that_fails_itself() -> None:
    relative = {**COLLAPSE, "level": {"row": "b", "times": 1.5}}
    assert RelativeLevel.model_validate(relative["level"]).times == 1.5
    assert verdict({"a": [40.0] * 3, "b": [20.0] * 3}, relative, error=90.0).outcome is Outcome.HOLDS
    assert verdict({"a": [25.0] * 3, "b": [20.0] * 3}, relative, error=90.0).outcome is Outcome.OPPOSITE
    refused = verdict({"a": [90.0] * 3, "b": [70.0] * 3}, relative, error=90.0)
    assert refused.outcome is Outcome.UNDECIDED
    assert "reference row b itself ends at 70" in refused.detail
    runs = frame({"a": [90.0] * 3, "b": [20.0, 20.0, nan]}, diverged={"b": 3})
    assert "itself has runs that diverged" in judge(claim(relative), ROWS, runs, {"error": 90.0}).detail
