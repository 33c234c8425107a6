"""Each kind of claim on hand-made measurements, against scipy and statsmodels called directly."""

import time
from collections.abc import Sequence
from itertools import permutations
from math import exp, log, nan, sqrt

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import ttost_ind

from replicate.papers import load_paper
from replicate.verdicts import Outcome, judge, ranks
from replicate.verdicts.ranks import jonckheere, seeds_for_share, share_interval
from tests.runs_by_hand import HIGH, LOW, MIDDLE, ROWS, TREND, claim, frame, order, verdict

# order ----------------------------------------------------------------------------------------------------------------


def test_order_is_welchs_test() -> None:
    found = verdict({"a": LOW, "b": MIDDLE}, order("a", "b"))
    welch = stats.ttest_ind(LOW, MIDDLE, equal_var=False)
    interval = welch.confidence_interval(0.95)
    assert found.outcome is Outcome.REPRODUCED
    assert (found.p, found.effect) == pytest.approx((welch.pvalue, np.mean(LOW) - np.mean(MIDDLE)))
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert (found.n, found.unit) == (6, "percentage points")
    assert "a below b in error: -0.9 percentage points" in found.detail


def test_contrast_is_a_welch_satterthwaite_combination() -> None:
    found = verdict(
        {"a": LOW, "b": MIDDLE, "c": HIGH},
        {"kind": "order", "metric": "error", "contrast": {"a": 1.5, "b": -1, "c": -0.5}, "below": 0.2},
    )
    samples, weights = (LOW, MIDDLE, HIGH), (1.5, -1.0, -0.5)
    value = sum(w * np.mean(s) for w, s in zip(weights, samples, strict=True))
    parts = [w**2 * np.var(s, ddof=1) / 3 for w, s in zip(weights, samples, strict=True)]
    error, freedom = sqrt(sum(parts)), sum(parts) ** 2 / sum(p**2 / 2 for p in parts)
    p = 2 * min(stats.t.cdf((value - 0.2) / error, freedom), stats.t.sf((value - 0.2) / error, freedom))
    half = stats.t.ppf(0.975, freedom) * error
    assert (found.p, found.effect) == pytest.approx((p, value))
    assert (found.low, found.high) == pytest.approx((value - half, value + half))


def test_contrast_may_cross_columns() -> None:
    test = {"kind": "order", "contrast": {"a": {"error": 1, "size": -1}, "b": {"error": -1, "size": 1}}}
    runs = pd.concat([frame({"a": LOW, "b": HIGH}), frame({"a": MIDDLE, "b": LOW}, metric="size")])
    found = judge(claim(test), ROWS, runs)
    gains = (np.mean(LOW) - np.mean(MIDDLE), np.mean(HIGH) - np.mean(LOW))
    assert found.effect == pytest.approx(gains[0] - gains[1])
    assert "a (error) - a (size) - b (error) + b (size) below 0" in found.detail


def test_chain_holds_only_as_its_weakest_pair_does() -> None:
    close = [23.0, 23.3, 23.0]
    whole = verdict({"a": LOW, "b": MIDDLE, "c": HIGH}, order("a", "b", "c"))
    broken = verdict({"a": LOW, "b": MIDDLE, "c": close}, order("a", "b", "c"))
    assert whole.outcome is Outcome.REPRODUCED
    pairs = [stats.ttest_ind(x, y, equal_var=False).pvalue for x, y in ((LOW, MIDDLE), (MIDDLE, HIGH))]
    assert whole.p == pytest.approx(max(pairs))
    assert broken.outcome is Outcome.UNDECIDED
    assert "b below c" in broken.detail


def test_chain_with_one_reversed_pair_is_contradicted_after_correction() -> None:
    found = verdict({"a": LOW, "b": HIGH, "c": MIDDLE}, order("a", "b", "c"))
    reversed_pair = stats.ttest_ind(HIGH, MIDDLE, equal_var=False).pvalue
    assert found.outcome is Outcome.CONTRADICTED
    assert found.p == pytest.approx(2 * reversed_pair)
    assert "b below c" in found.detail


def test_group_asks_every_pair_across_but_none_within() -> None:
    values = {"a": LOW, "b": HIGH, "c": MIDDLE}
    assert verdict(values, order("a", ["b", "c"])).outcome is Outcome.REPRODUCED
    assert verdict(values, order(["a", "b"], "c")).outcome is Outcome.CONTRADICTED


def test_columns_are_compared_within_rows() -> None:
    runs = pd.concat([frame({"a": LOW, "b": LOW}, "error"), frame({"a": HIGH, "b": MIDDLE}, "size")])
    test = {"kind": "order", "columns": ["error", "size"], "rows": ["a", "b", "c"]}
    found = judge(claim(test), ROWS, runs)
    assert found.outcome is Outcome.REPRODUCED
    assert found.detail.endswith("not measured: error, size of 'c'.")


@given(st.lists(st.floats(10, 90), min_size=6, max_size=6), st.floats(-50, 50), st.floats(0.1, 10))
@settings(max_examples=60, deadline=None)
def test_order_swaps_shifts_and_scales(values: list[float], shift: float, scale: float) -> None:
    a, b = np.array(values[:3]), np.array(values[3:])
    assume(min(np.ptp(a), np.ptp(b)) > 0.01)
    original = verdict({"a": a, "b": b}, order("a", "b"))
    swapped = verdict({"a": b, "b": a}, order("a", "b"))
    moved = verdict({"a": a * scale + shift, "b": b * scale + shift}, order("a", "b"))
    opposite = {Outcome.REPRODUCED: Outcome.CONTRADICTED, Outcome.CONTRADICTED: Outcome.REPRODUCED}
    assert swapped.outcome is opposite.get(original.outcome, original.outcome)
    assert swapped.effect == pytest.approx(-float(original.effect or 0), abs=1e-9)
    assert moved.p == pytest.approx(original.p, rel=1e-5)
    assert moved.effect == pytest.approx(scale * float(original.effect or 0), abs=1e-6)


@given(st.floats(0.5, 2), st.integers(3, 6), st.integers(0, 1000))
@settings(max_examples=4, deadline=None)
def test_more_seeds_decide_a_true_effect_more_often_on_average(effect: float, seeds: int, start: int) -> None:
    """The shares of 40 simulated sweeps that are decided, the larger ones with three times the seeds."""
    normal = np.random.default_rng(start).standard_normal
    shares = []
    for count in (seeds, 3 * seeds):
        sweeps = ({"a": normal(count), "b": normal(count) + effect} for _ in range(40))
        shares.append(np.mean([verdict(values, order("a", "b")).outcome is Outcome.REPRODUCED for values in sweeps]))
    assert shares[1] >= shares[0] - 0.1


# trend ----------------------------------------------------------------------------------------------------------------


def brute_force_p(groups: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Jonckheere-Terpstra over every arrangement, with scipy's Mann-Whitney statistic of each pair of groups."""
    ends = np.cumsum([len(group) for group in groups])[:-1]

    def rising(values: Sequence[float]) -> float:
        parts = np.split(np.array(values), ends)
        return sum(stats.mannwhitneyu(b, a).statistic for i, a in enumerate(parts) for b in parts[i + 1 :])

    observed = rising([value for group in groups for value in group])
    null = np.array([rising(order) for order in permutations([value for group in groups for value in group])])
    return float(np.mean(null <= observed)), float(np.mean(null >= observed))


@pytest.mark.parametrize("groups", [[[5.0, 1.0], [2.0], [4.0, 3.0]], [[1.0, 2.0], [3.0, 4.0], [5.0]]])
def test_jonckheere_is_exact_without_ties(groups: list[list[float]]) -> None:
    assert jonckheere([np.array(g) for g in groups]) == pytest.approx(brute_force_p(groups))


def test_jonckheere_with_ties_permutes() -> None:
    groups = [[1.0, 2.0], [2.0], [2.0, 3.0]]
    assert jonckheere([np.array(g) for g in groups]) == pytest.approx(brute_force_p(groups), abs=0.02)


def test_jonckheere_of_two_groups_is_mann_whitney() -> None:
    below, above = [1.0, 4.0, 2.0, 3.5], [5.0, 2.5, 6.0]
    expected = stats.mannwhitneyu(below, above, alternative="less", method="exact").pvalue
    assert jonckheere([np.array(below), np.array(above)])[1] == pytest.approx(expected)


BORDER = [(10, 8), (3, 31), (2, 54)]
"""Groups and seeds of just under MAX_PAIRS pairs."""


@pytest.mark.parametrize(("groups", "seeds"), BORDER)
@pytest.mark.parametrize("shift", [0.0, -0.05, -0.1])
@pytest.mark.parametrize(("digits", "absolute", "relative"), [(9, 3e-4, 0.25), (1, 0.02, 0.0)])
def test_the_normal_approximation_agrees_at_its_border(
    monkeypatch: pytest.MonkeyPatch,
    groups: int,
    seeds: int,
    shift: float,
    digits: int,
    absolute: float,
    relative: float,
) -> None:
    """With the exact p (nine digits: no ties), and with that of the permutations (one digit: ties)."""
    normal = np.random.default_rng(3).standard_normal
    values = [np.round(normal(seeds) + shift * place * 10 / groups, digits) for place in range(groups)]
    assert 0.9 * ranks.MAX_PAIRS < groups * (groups - 1) / 2 * seeds**2 < ranks.MAX_PAIRS
    small = jonckheere(values)
    monkeypatch.setattr(ranks, "MAX_PAIRS", 0)
    assert jonckheere(values) == pytest.approx(small, abs=absolute + (0.002 if min(small) > 0.01 else 0), rel=relative)


def test_a_trend_over_thousands_of_runs_takes_no_time() -> None:
    groups = list(np.random.default_rng(0).standard_normal((40, 250)) - 0.01 * np.arange(40)[:, None])
    started = time.process_time()
    falling, rising = jonckheere(groups)
    assert time.process_time() - started < 1
    assert falling + rising == pytest.approx(1)
    assert falling < 0.025


def test_trend_reports_last_minus_first() -> None:
    found = verdict({"a": HIGH, "b": MIDDLE, "c": LOW}, TREND)
    interval = stats.ttest_ind(LOW, HIGH, equal_var=False).confidence_interval(0.95)
    assert found.outcome is Outcome.REPRODUCED
    assert found.p == pytest.approx(2 * 1 / 1680)  # one of 9! / (3! 3! 3!) arrangements falls throughout
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert verdict({"a": LOW, "b": MIDDLE, "c": HIGH}, TREND).outcome is Outcome.CONTRADICTED


def test_trend_over_too_few_rungs_is_not_run() -> None:
    assert verdict({"a": HIGH, "b": LOW}, TREND).outcome is Outcome.NOT_RUN


def test_trend_of_one_group_is_told_from_the_group_not_measured() -> None:
    paper = load_paper("resnext")
    rows = [row.variant for row in paper.tables["cardinality_vs_width"].rows[:5]]
    errors = [[24.0, 24.2], [23.4, 23.2], [22.9, 22.7], [22.4, 22.5], [22.0, 22.1]]
    runs = frame(dict(zip(rows, errors, strict=True)), "top1_error")
    found = judge(paper.claim("cardinality_beats_width"), paper.tables["cardinality_vs_width"], runs)
    assert found.outcome is Outcome.REPRODUCED
    assert "depth 50 falling with cardinality from 1 to 32" in found.detail
    assert found.detail.endswith("not measured: top1_error, depth 101.")


@given(st.lists(st.integers(0, 20), min_size=9, max_size=9), st.floats(-5, 5))
@settings(max_examples=40, deadline=None)
def test_trend_ignores_a_constant(values: list[int], shift: float) -> None:
    groups = [np.array(values[i : i + 3], dtype=float) for i in (0, 3, 6)]
    moved = [np.round(group + shift, 6) for group in groups]
    assert jonckheere(moved) == jonckheere(groups)
    monte_carlo = 0.04  # six standard errors of a difference of two p from 9,999 permutations
    assert jonckheere(groups[::-1])[0] == pytest.approx(jonckheere(groups)[1], abs=monte_carlo)


# equal, ratio, growth -------------------------------------------------------------------------------------------------


def test_equal_is_two_one_sided_tests() -> None:
    a, b = [22.1, 22.2, 22.15, 22.05], [22.12, 22.18, 22.2, 22.1]
    test = {"kind": "equal", "metric": "error", "rows": ["a", "b"], "margin": 0.3}
    found = verdict({"a": a, "b": b}, test)
    p, _, _ = ttost_ind(np.array(a), np.array(b), -0.3, 0.3, usevar="unequal")
    assert found.outcome is Outcome.REPRODUCED
    assert found.p == pytest.approx(2 * p)
    assert verdict({"a": LOW, "b": HIGH}, test).outcome is Outcome.CONTRADICTED
    assert verdict({"a": LOW, "b": [22.0, 22.5, 22.3]}, test).outcome is Outcome.UNDECIDED


@given(st.lists(st.floats(10, 90), min_size=6, max_size=6), st.floats(-50, 50))
@settings(max_examples=30, deadline=None)
def test_equality_ignores_a_constant_and_who_comes_first(values: list[float], shift: float) -> None:
    a, b = np.array(values[:3]), np.array(values[3:])
    assume(min(np.ptp(a), np.ptp(b)) > 0.01)
    test = {"kind": "equal", "metric": "error", "rows": ["a", "b"], "margin": 5}
    plain, swapped, moved = (verdict({"a": x, "b": y}, test) for x, y in ((a, b), (b, a), (a + shift, b + shift)))
    assert swapped.p == pytest.approx(plain.p)
    assert moved.p == pytest.approx(plain.p, rel=1e-5)


def test_ratio_is_the_delta_method_on_the_log_scale() -> None:
    slow, fast = [100.0, 103.0, 101.0], [74.0, 75.5, 74.8]
    test = {"kind": "ratio", "metric": "error", "numerator": "a", "denominator": "b", "low": 0.7, "high": 0.8}
    found = verdict({"a": fast, "b": slow}, test)
    value = log(np.mean(fast) / np.mean(slow))
    parts = [np.var(s, ddof=1) / 3 / np.mean(s) ** 2 for s in (fast, slow)]
    error, freedom = sqrt(sum(parts)), sum(parts) ** 2 / sum(p**2 / 2 for p in parts)
    half = stats.t.ppf(0.975, freedom) * error
    p = max(stats.t.sf((value - log(0.7)) / error, freedom), stats.t.cdf((value - log(0.8)) / error, freedom))
    assert found.outcome is Outcome.REPRODUCED
    assert found.p == pytest.approx(2 * p)
    assert (found.effect, found.low, found.high) == pytest.approx((exp(value), exp(value - half), exp(value + half)))
    assert verdict({"a": slow, "b": fast}, test).outcome is Outcome.CONTRADICTED


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
    plain, scaled = (verdict({"a": np.array(LOW) * s, "b": np.array(HIGH) * s}, test) for s in (1.0, scale))
    assert (scaled.effect, scaled.p) == pytest.approx((plain.effect, plain.p))


def test_growth_fits_the_exponent_of_mean_logarithms() -> None:
    values = {"a": [1.0, 1.02, 0.99], "b": [4.1, 3.9, 4.0], "c": [9.1, 8.8, 9.0]}
    test = {"kind": "growth", "metric": "error", "by": "depth", "exponent": 2, "tolerance": 0.1}
    slope = np.polyfit(np.log([1, 2, 3]), [np.mean(np.log(v)) for v in values.values()], 1)[0]
    found = verdict(values, test)
    assert found.outcome is Outcome.REPRODUCED
    assert found.effect == pytest.approx(slope)
    assert verdict(values, {**test, "exponent": 1}).outcome is Outcome.CONTRADICTED


# collapse -------------------------------------------------------------------------------------------------------------

COLLAPSE = {"kind": "collapse", "metric": "error", "rows": ["a"]}


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ([90.0] * 8, Outcome.REPRODUCED),
        ([12.0, 13.0, 11.0, 12.5, 12.2, 12.9, 13.1, 12.0], Outcome.CONTRADICTED),
        ([90.0, 12.0] * 4, Outcome.UNDECIDED),
        ([90.0, 89.0, 85.0], Outcome.UNDECIDED),
    ],
)
def test_collapse_counts_the_runs_at_chance(values: list[float], outcome: Outcome) -> None:
    found = verdict({"a": values}, COLLAPSE, error=90.0)
    failed = sum(value >= 81 for value in values)
    test = stats.binomtest(failed, len(values))
    interval = test.proportion_ci(0.95, "exact")
    assert found.outcome is outcome
    assert found.p == pytest.approx(min(1.0, test.pvalue))
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_collapse_says_how_many_runs_it_needs() -> None:
    assert verdict({"a": [90.0] * 3}, COLLAPSE, error=90.0).seeds_needed == 6
    assert (seeds_for_share(3, 3), seeds_for_share(2, 4)) == (6, 1001)
    assert share_interval(3, 3)[0] == pytest.approx(0.025 ** (1 / 3))


def test_diverged_run_is_a_collapse_even_with_a_good_number() -> None:
    runs = frame({"a": [nan, 15.0, 90.0, 90.0, 90.0, 90.0]}, diverged={"a": 2})
    found = judge(claim(COLLAPSE), ROWS, runs, {"error": 90.0})
    assert (found.outcome, found.effect) == (Outcome.REPRODUCED, 1.0)
    assert "2 of 6 runs of a diverged" in found.detail


def test_collapse_without_a_known_chance_level_is_not_decided() -> None:
    assert "guessing is not known" in verdict({"a": [90.0] * 9}, COLLAPSE).detail
