"""Planned looks: the answer is a function of the records, whenever and in whatever order they came."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from replicate.verdicts import Outcome, Verdict, judge
from replicate.verdicts.looks import PLAN, planned
from replicate.verdicts.simultaneous import any_below, correlations, level_of_each
from tests.helpers.runs_by_hand import HIGH, LOW, ROWS, claim, frame, order, verdict, welch


def test_the_levels_keep_two_and_a_half_percent_a_side_over_all_looks() -> None:
    """Normal means of known spread: the sums of independent increments; 5 % for two-sided regions."""
    generator, sweeps = np.random.default_rng(0), 400_000
    total, seen = np.zeros(sweeps), 0
    shown, alike = np.zeros(sweeps, bool), np.zeros(sweeps, bool)
    for look in PLAN:
        total += generator.standard_normal(sweeps) * (look.runs - seen) ** 0.5
        seen = look.runs
        score = total / seen**0.5
        shown |= score > stats.norm.isf(look.alpha)
        alike |= score > stats.norm.isf(look.equal)
    assert 0.018 < shown.mean() < 0.025
    assert 0.036 < alike.mean() < 0.05


@pytest.mark.parametrize(("seeds", "looked"), [(2, 0), (3, 3), (7, 6), (9, 8), (16, 16), (20, 16)])
def test_records_between_looks_wait_for_the_next(seeds: int, looked: int) -> None:
    assert max((look.runs for look in planned(seeds)), default=0) == looked
    noise = 0.3 * np.random.default_rng(1).standard_normal((2, seeds))
    found = verdict({"a": 22 + noise[0], "b": 22.1 + noise[1]}, order("a", "b"))
    assert found.outcome is not Outcome.HOLDS
    if looked:
        assert found.seeds <= looked
    else:
        assert (found.outcome, found.seeds) == (Outcome.UNDECIDED, 0)
        assert "2 seeds in common: the first look is at 3" in found.detail


def test_seeds_that_wait_change_nothing() -> None:
    wild = [90.0, 5.0]
    for seeds in (5, 8, 16):
        values = {
            row: mean + 0.3 * np.random.default_rng(2).standard_normal(seeds) for row, mean in (("a", 22), ("b", 23))
        }
        longer = {row: [*line, wild[place]] for place, (row, line) in enumerate(values.items())}
        assert verdict(values, order("a", "b")) == verdict(longer, order("a", "b"))


def test_what_was_shown_stays_shown() -> None:
    clear = {"a": LOW, "b": [28.0, 28.4, 28.2]}
    later = {"a": [*LOW, 40.0, 45.0], "b": [*clear["b"], 10.0, 12.0]}
    assert verdict(clear, order("a", "b")) == verdict(later, order("a", "b"))
    assert verdict(later, order("a", "b")).seeds == 3


def test_a_comparison_rests_on_the_seeds_that_its_rows_share() -> None:
    runs = frame({"a": [22.0, 22.2, 22.1, 22.3], "b": [28.0, 28.2, 28.1, 28.3]})
    apart = runs[~((runs["row"] == "a") & (runs["seed"] == 0)) & ~((runs["row"] == "b") & (runs["seed"] == 3))]
    found = judge(claim(order("a", "b")), ROWS, apart)
    assert (found.outcome, found.seeds) == (Outcome.UNDECIDED, 0)
    assert "2 seeds in common" in found.detail
    without_last = runs[~((runs["row"] == "b") & (runs["seed"] == 3))]
    assert judge(claim(order("a", "b")), ROWS, without_last) == judge(
        claim(order("a", "b")), ROWS, runs[runs["seed"] < 3]
    )


def test_pilot_seeds_never_count() -> None:
    runs = frame({"a": LOW, "b": HIGH})
    pilot = frame({"a": [90.0] * 20, "b": [1.0] * 20}).assign(seed=lambda f: f["seed"] + 100)
    test = claim(order("a", "b"))
    assert judge(test, ROWS, pd.concat([runs, pilot])) == judge(test, ROWS, runs)
    assert judge(test, ROWS, pilot).outcome is Outcome.NOT_RUN


@given(st.permutations(range(24)), st.integers(0, 24), st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_neither_order_nor_time_of_arrival_matters(places: list[int], half: int, start: int) -> None:
    """Two parts of the records in any order and interleaving: the same as all of them in the order of seeds."""
    noise = np.random.default_rng(start).standard_normal((3, 8))
    runs = frame(
        {row: 22 + 0.5 * place + 0.4 * line for place, (row, line) in enumerate(zip("abc", noise, strict=True))}
    )
    test = claim(order("a", "b", "c"))
    shuffled = runs.iloc[places]
    parts = pd.concat([shuffled.iloc[half:], shuffled.iloc[:half]], ignore_index=True)
    assert judge(test, ROWS, parts) == judge(test, ROWS, runs)


def test_a_fixed_number_of_seeds_is_looked_at_once() -> None:
    def once(values: dict[str, list[float]]) -> Verdict:
        return judge(claim(order("a", "b")), ROWS, frame(values), comparable=True)

    slightly = [22.7, 22.6, 23.0]
    found = once({"a": LOW, "b": slightly})
    expected = stats.ttest_ind(LOW, slightly, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert expected.pvalue < 0.05
    assert (found.outcome, found.p) == (Outcome.HOLDS, pytest.approx(expected.pvalue))
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert once({"a": LOW[:2], "b": [30.0, 30.3]}).outcome is Outcome.HOLDS
    assert "a spread needs two" in once({"a": LOW[:1], "b": [30.0]}).detail


def test_a_single_run_is_judged_with_the_spread_that_is_declared() -> None:
    imagenet = ROWS.model_copy(update={"dataset": "imagenet1k_val"})

    def once(difference: float, dataset: bool = True) -> Verdict:
        runs = frame({"a": [23.6], "b": [23.6 + difference]})
        return judge(claim(order("a", "b")), imagenet if dataset else ROWS, runs, comparable=True)

    half = float(stats.t.isf(0.025, 8)) * 0.12 * 2**0.5  # two rows of four borrowed degrees of freedom
    assert once(half * 1.01).outcome is Outcome.HOLDS
    assert once(-half * 1.01).outcome is Outcome.OPPOSITE
    assert once(half * 0.99).outcome is not Outcome.HOLDS
    assert "One run a row, judged with the spread that is declared" in once(half * 1.01).detail
    assert once(5.0, dataset=False).outcome is Outcome.UNDECIDED


# several comparisons --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("others", [1, 2, 4, 10])
def test_the_shared_level_is_that_of_dunnett(others: int) -> None:
    """One row against several of equal spread: correlations of one half, many degrees of freedom."""
    weights = np.zeros((others, others + 1))
    weights[:, 0], weights[range(others), range(1, others + 1)] = 1, -1
    tree = correlations(weights, [True] * others)
    assert tree == pytest.approx([0.5] * (others - 1))
    each = level_of_each(0.025, tree)
    covariance = np.full((others, others), 0.5) + 0.5 * np.eye(others)
    z = np.full(others, stats.norm.isf(each))
    exact = 1 - stats.multivariate_normal(np.zeros(others), covariance).cdf(z) if others > 1 else each
    assert 0.018 < exact <= 0.0252  # an upper bound of the error, near to it
    assert each >= 0.025 / others


def test_a_two_sided_region_shares_as_if_it_stood_apart() -> None:
    weights = np.array([[1.0, -1, 0], [1, 0, -1]])
    assert correlations(weights, [True, False]) == (0.0,)
    assert any_below(0.01, (0.0,)) == pytest.approx(0.02)
    assert level_of_each(0.02, (0.0,)) == pytest.approx(0.01)


def test_more_comparisons_make_the_opposite_harder_but_not_the_claim() -> None:
    values = {"a": [24.0, 24.3, 24.1], "b": [22.7, 22.9, 22.8], "c": [30.0, 30.1, 30.2]}
    alone, together = welch(values, order("a", "b")), welch(values, order("a", ["b", "c"]))
    assert (alone.outcome, together.outcome) == (Outcome.OPPOSITE, Outcome.OPPOSITE)
    assert float(together.p or 0) > float(alone.p or 0)
    assert float(together.high or 0) - float(together.low or 0) > float(alone.high or 0) - float(alone.low or 0)
