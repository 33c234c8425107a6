"""Claims of order on hand-made measurements, against scipy called directly."""

from math import sqrt

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from replicate.verdicts import Outcome, judge
from replicate.verdicts.looks import PLAN
from tests.helpers.runs_by_hand import HIGH, LOW, MIDDLE, ROWS, claim, frame, order, verdict, welch

FIRST = PLAN[0]


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


def test_the_printed_interval_is_the_one_that_decides() -> None:
    """It excludes 0 on the side that the answer says, and lies within the margin where the answer is "smaller"."""
    normal, seen = np.random.default_rng(4).standard_normal, set()
    for shift in np.linspace(-3, 3, 80):
        rows = {"a": 22 + 0.3 * normal(3), "b": 22 - shift + 0.3 * normal(3), "c": 30 + 0.3 * normal(3)}
        found = verdict(rows, order("a", ["b", "c"]))
        low, high = float(found.low or 0), float(found.high or 0)
        seen.add(found.outcome)
        match found.outcome:
            case Outcome.OPPOSITE:
                assert low > 0
            case Outcome.HOLDS:
                assert high < 0
            case Outcome.SMALLER:
                assert -0.1 <= float(found.relative_low or 0) <= float(found.relative_high or 0) <= 0.1
            case _:
                assert low <= 0 <= high
    assert seen == {Outcome.OPPOSITE, Outcome.HOLDS, Outcome.SMALLER, Outcome.UNDECIDED}


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
