"""Each kind of claim on hand-made measurements, against scipy and statsmodels called directly."""

from math import atanh, exp, log, nan, sqrt

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import ttost_ind

from replicate.papers import load_paper
from replicate.papers.claims import RelativeLevel
from replicate.verdicts import Outcome, judge
from replicate.verdicts.collapse import lead, share_interval
from replicate.verdicts.looks import PLAN
from tests.runs_by_hand import HIGH, LOW, MIDDLE, ROWS, TREND, WITHOUT_PRIOR, claim, frame, order, verdict, welch

FIRST = PLAN[0]

# order ----------------------------------------------------------------------------------------------------------------


def test_without_a_prior_order_is_welchs_test_at_the_level_of_the_look() -> None:
    found = welch({"a": LOW, "b": HIGH}, order("a", "b"))
    expected = stats.ttest_ind(LOW, HIGH, equal_var=False)
    interval = expected.confidence_interval(1 - 2 * FIRST.alpha)
    assert found.outcome is Outcome.HOLDS
    assert (found.p, found.effect) == pytest.approx((expected.pvalue, np.mean(LOW) - np.mean(HIGH)))
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert (found.n, found.seeds, found.unit) == (6, 3, "percentage points")
    assert found.relative == pytest.approx((np.mean(LOW) - np.mean(HIGH)) / np.mean(HIGH))


def test_p_decides_at_the_level_of_the_look_and_not_at_five_percent() -> None:
    found = welch({"a": LOW, "b": [22.6, 22.5, 22.9]}, order("a", "b"))
    assert 2 * FIRST.alpha < float(found.p or 0) < 0.05
    assert found.outcome is not Outcome.HOLDS


def test_contrast_is_a_welch_satterthwaite_combination() -> None:
    found = welch(
        {"a": LOW, "b": MIDDLE, "c": HIGH},
        {"kind": "order", "metric": "error", "contrast": {"a": 1.5, "b": -1, "c": -0.5}, "below": 0.2},
    )
    samples, weights = (LOW, MIDDLE, HIGH), (1.5, -1.0, -0.5)
    value = sum(w * np.mean(s) for w, s in zip(weights, samples, strict=True))
    parts = [w**2 * np.var(s, ddof=1) / 3 for w, s in zip(weights, samples, strict=True)]
    error, freedom = sqrt(sum(parts)), sum(parts) ** 2 / sum(p**2 / 2 for p in parts)
    p = 2 * min(stats.t.cdf((value - 0.2) / error, freedom), stats.t.sf((value - 0.2) / error, freedom))
    half = stats.t.isf(FIRST.alpha, freedom) * error
    assert (found.p, found.effect) == pytest.approx((p, value))
    assert (found.low, found.high) == pytest.approx((value - half, value + half))


def test_contrast_may_cross_columns() -> None:
    test = {"kind": "order", "contrast": {"a": {"error": 1, "size": -1}, "b": {"error": -1, "size": 1}}}
    runs = pd.concat([frame({"a": LOW, "b": HIGH}), frame({"a": MIDDLE, "b": LOW}, metric="size")])
    found = judge(claim(test), ROWS, runs)
    gains = (np.mean(LOW) - np.mean(MIDDLE), np.mean(HIGH) - np.mean(LOW))
    assert found.effect == pytest.approx(gains[0] - gains[1])
    assert "a (error) - a (size) - b (error) + b (size)" in found.detail


def test_a_claim_of_above_is_told_with_the_papers_sign() -> None:
    test = {"kind": "order", "metric": "error", "contrast": {"a": -1}, "below": -60}
    found = verdict({"a": [89.0, 90.0, 90.0]}, test)
    assert (found.outcome, found.effect) == (Outcome.HOLDS, pytest.approx(89.667, abs=1e-3))
    assert "the claim: above 60" in found.detail


def test_chain_holds_only_as_its_weakest_pair_does() -> None:
    whole = welch({"a": LOW, "b": [26.0, 26.2, 26.1], "c": [31.0, 31.2, 31.1]}, order("a", "b", "c"))
    broken = welch({"a": LOW, "b": [26.0, 26.2, 26.1], "c": [26.0, 26.3, 26.2]}, order("a", "b", "c"))
    pair = stats.ttest_ind(LOW, [26.0, 26.2, 26.1], equal_var=False).pvalue
    assert (whole.outcome, whole.p) == (Outcome.HOLDS, pytest.approx(pair))
    assert (whole.hold, whole.total, whole.open) == (2, 2, ())
    assert broken.outcome in (Outcome.UNDECIDED, Outcome.SMALLER)
    assert (broken.hold, broken.total, broken.open) == (1, 2, ("b below c in error",))


def test_chain_with_one_reversed_pair_is_the_opposite_at_a_level_that_they_share() -> None:
    found = welch({"a": LOW, "b": [31.0, 31.2, 31.1], "c": [26.0, 26.2, 26.1]}, order("a", "b", "c"))
    one_sided = stats.ttest_ind([31.0, 31.2, 31.1], [26.0, 26.2, 26.1], equal_var=False).pvalue / 2
    assert found.outcome is Outcome.OPPOSITE
    assert 2 * one_sided < float(found.p or 0) <= 4 * one_sided
    assert found.detail.startswith("b has")


def test_the_printed_interval_is_the_one_that_decides_the_opposite() -> None:
    """An interval that excludes 0 on the wrong side stands only above "opposite"."""
    normal = np.random.default_rng(4).standard_normal
    for shift in np.linspace(0, 3, 40):
        rows = {"a": 22 + 0.3 * normal(3), "b": 22 - shift + 0.3 * normal(3), "c": 30 + 0.3 * normal(3)}
        found = verdict(rows, order("a", ["b", "c"]))
        if found.outcome is Outcome.OPPOSITE:
            assert float(found.low or 0) > 0
        elif found.outcome is not Outcome.HOLDS:
            assert float(found.low or 0) <= 0


def test_group_asks_every_pair_across_but_none_within() -> None:
    values = {"a": LOW, "b": [31.0, 31.2, 31.1], "c": [27.0, 27.2, 27.1]}
    assert verdict(values, order("a", ["b", "c"])).outcome is Outcome.HOLDS
    assert verdict(values, order(["a", "b"], "c")).outcome is Outcome.OPPOSITE


def test_columns_are_compared_within_rows() -> None:
    runs = pd.concat([frame({"a": LOW, "b": LOW}, "error"), frame({"a": [31, 32, 31.5], "b": [33, 32, 31.5]}, "size")])
    test = {"kind": "order", "columns": ["error", "size"], "rows": ["a", "b", "c"]}
    found = judge(claim(test), ROWS, runs)
    assert found.outcome is Outcome.HOLDS
    assert found.detail.endswith("Not measured: error, size of 'c'.")


@given(st.lists(st.floats(10, 90), min_size=6, max_size=6), st.floats(-50, 50), st.floats(0.1, 10))
@settings(max_examples=60, deadline=None)
def test_order_swaps_shifts_and_scales(values: list[float], shift: float, scale: float) -> None:
    a, b = np.array(values[:3]), np.array(values[3:])
    assume(min(np.ptp(a), np.ptp(b)) > 0.01)
    original = welch({"a": a, "b": b}, order("a", "b"))
    swapped = welch({"a": b, "b": a}, order("a", "b"))
    moved = welch({"a": a * scale + shift, "b": b * scale + shift}, order("a", "b"))
    opposite = {Outcome.HOLDS: Outcome.OPPOSITE, Outcome.OPPOSITE: Outcome.HOLDS}
    assert swapped.outcome is opposite.get(original.outcome, original.outcome)
    assert swapped.effect == pytest.approx(-float(original.effect or 0), abs=1e-9)
    assert moved.p == pytest.approx(original.p, rel=1e-5)
    assert moved.effect == pytest.approx(scale * float(original.effect or 0), abs=1e-6)


# trend ----------------------------------------------------------------------------------------------------------------


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
    half = stats.t.isf(FIRST.alpha, freedom) * error
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
