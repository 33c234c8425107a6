"""The prior spread and the moderated t, against limma's own numbers and against brute force."""

from math import log
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special, stats

from replicate.verdicts import Outcome, Prior, fit_prior, judge
from replicate.verdicts.declared import declared_prior
from replicate.verdicts.moderated import Borrowed, estimate, moderate, scale
from replicate.verdicts.prior import FREEDOM, Spread, fit_spread, inverse_trigamma, moments
from tests.helpers.runs_by_hand import ROWS, claim, frame, order, verdict, welch

MEANS = np.array([12.0, 15, 18, 20, 22, 25, 30, 36, 44, 60])
VARIANCES = np.array([0.2, 0.05, 0.9, 0.01, 0.6, 0.7, 3.0, 28.0, 6.0, 80.0])
FREEDOMS = np.array([2, 2, 2, 2, 4, 2, 2, 3, 2, 2.0])


def test_the_fit_is_limmas_fitfdist() -> None:
    """Numbers of inmoose 0.9.1, the port of limma's fitFDist; its spline replaced by a line for the trend."""
    _, freedom = moments(VARIANCES, FREEDOMS, np.ones((10, 1)))
    assert freedom == pytest.approx(0.8957069661556736)
    spread = fit_spread(MEANS, VARIANCES, FREEDOMS)
    assert spread.freedom == pytest.approx(2.491665514861139)
    expected = [3.942458515247e-02, 1.081824747841e-01, 2.468013002034e-01, 3.975022922393e-01, 6.117681366476e-01]
    expected += [1.090760537885, 2.488398601510, 5.676890009245, 14.07180764464, 57.23780688464]
    assert spread.variance(MEANS) == pytest.approx(expected)


def test_the_posterior_variance_is_limmas_where_no_guard_applies() -> None:
    """inmoose's squeezeVar; only rows whose own variance lies under the prior's, and without the freedom's discount."""
    spread = fit_spread(MEANS, VARIANCES, FREEDOMS)
    posterior = (spread.freedom * spread.variance(MEANS) + FREEDOMS * VARIANCES) / (spread.freedom + FREEDOMS)
    assert posterior[[0, 3, 7]] == pytest.approx([0.110923860562, 0.22495948336, 17.871611226522])


def test_the_fit_recovers_a_simulated_prior_as_maximum_likelihood_does() -> None:
    generator = np.random.default_rng(3)
    means = np.exp(generator.uniform(np.log(10), np.log(60), 3000))
    own = generator.integers(2, 6, 3000).astype(float)
    prior = np.exp(-13 + 4 * np.log(means))
    variances = prior * stats.f.rvs(own, 6.0, random_state=generator)
    spread = fit_spread(means, variances, own)

    def loss(guess: np.ndarray) -> float:
        scale = np.exp(guess[0] + guess[1] * np.log(means))
        return -float(np.sum(stats.f.logpdf(variances / scale, own, np.exp(guess[2])) - np.log(scale)))

    best = optimize.minimize(loss, [-12.0, 3.5, 1.5], method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-3})
    assert (spread.slope, spread.freedom) == pytest.approx((4.0, 6.0), rel=0.2)
    assert spread.variance(np.array([25.0]))[0] == pytest.approx(
        float(np.exp(best.x[0] + best.x[1] * np.log(25))), rel=0.1
    )


@given(st.floats(1e-3, 1e3))
@settings(max_examples=50, deadline=None)
def test_inverse_trigamma_is_a_root(value: float) -> None:
    assert float(special.polygamma(1, inverse_trigamma(value))) == pytest.approx(value, rel=1e-8)


def test_spreads_alike_but_for_chance_lend_as_much_as_is_allowed() -> None:
    generator = np.random.default_rng(0)
    spread = fit_spread(np.linspace(10, 40, 300), generator.chisquare(4, 300) / 4, np.full(300, 4.0))
    assert spread.freedom > 20
    assert spread.lent == FREEDOM


def test_beyond_its_range_the_prior_is_not_extrapolated() -> None:
    spread = Spread(-13.0, 4.0, 6.0, low=10.0, high=50.0, typical=20.0, variants=79)
    inside, above, below = (float(spread.variance(np.array([m]))[0]) for m in (50.0, 90.0, 5.0))
    assert above == inside
    assert below == pytest.approx(float(spread.variance(np.array([10.0]))[0]) / 2)
    assert np.isnan(spread.variance(np.array([0.0]))[0])


# moderation -----------------------------------------------------------------------------------------------------------


def test_a_row_borrows_the_less_the_more_unusual_it_is_and_never_lowers_its_variance() -> None:
    own = np.array([0.0, 0.5, 1.0, 4.0, 25.0])
    variances, freedom = moderate(own, 3, Borrowed(np.ones(5), np.full(5, 4.0)))
    usual = np.minimum(own, stats.f.isf(0.1, 2, 4))
    scaled = (8 + 2 * usual.sum()) / (8 + 2 * 5)
    expected = 4.0 * stats.f.sf(own / scaled, 2, 4)
    assert freedom == pytest.approx(2 + expected)
    assert variances == pytest.approx(np.maximum((expected * scaled + 2 * own) / (2 + expected), own))
    assert (np.diff(expected) < 0).all()


@pytest.mark.parametrize(("spread", "low", "high"), [(0.2, 0.67, 0.69), (1.0, 0.9, 1.0), (3.0, 1.7, 1.9)])
def test_rows_that_all_scatter_alike_move_the_priors_scale(spread: float, low: float, high: float) -> None:
    """Two rows of three runs against a prior of 1: (8 + 2 x 2 x spread^2) / 12, the unusual ones cut off."""
    runs = spread * np.random.default_rng(0).standard_normal((3000, 2, 3))
    moved = scale(np.var(runs, axis=-1, ddof=1), 2.0, np.full(2, 4.0))
    assert low < float(np.mean(moved)) < high


def test_rows_without_a_prior_do_not_move_the_scale() -> None:
    own = np.array([1.0, 400.0])
    alone, _ = moderate(own, 3, Borrowed(np.array([1.0, np.nan]), np.array([4.0, 0.0])))
    assert alone == pytest.approx(own)


def test_without_anything_to_borrow_it_is_welch() -> None:
    a, b = np.array([1.0, 2.0, 4.0]), np.array([5.0, 9.0, 7.0])
    found = estimate(
        np.array([a.mean(), b.mean()]),
        np.array([a.var(ddof=1), b.var(ddof=1)]),
        3,
        np.array([1.0, -1.0]),
        Borrowed(np.full(2, np.nan), np.zeros(2)),
    )
    expected = stats.ttest_ind(a, b, equal_var=False)
    assert float(found.p_below(0.0)) == pytest.approx(expected.pvalue / 2)
    assert float(found.freedom) == pytest.approx(expected.df)


def test_moderation_finds_what_welch_does_not() -> None:
    values = {"a": [20.0, 20.4, 20.8], "b": [23.4, 24.9, 22.4]}
    steady = Spread(log(0.75**2) - 2 * log(20), 2.0, 8.0, 1.0, 90.0, 20.0, 100)  # 0.75 points at 20 %
    moderated = judge(claim(order("a", "b")), ROWS, frame(values), prior=Prior({"test_error": steady}))
    assert moderated.outcome is Outcome.HOLDS
    assert welch(values, order("a", "b")).outcome is Outcome.UNDECIDED


def test_runs_that_do_not_differ_at_all_decide() -> None:
    values = {"a": [10.0] * 3, "b": [60.0] * 3}
    assert verdict(values, order("a", "b")).outcome is Outcome.HOLDS
    assert verdict(values, order("b", "a")).outcome is Outcome.OPPOSITE
    assert "do not differ at all" in welch(values, order("a", "b")).detail


# the suite's own ------------------------------------------------------------------------------------------------------


def records_frame(variants: int = 200, classes: int = 10) -> pd.DataFrame:
    generator = np.random.default_rng(1)
    rows = []
    for variant in range(variants):
        level = 15 + 40 * variant / variants
        for seed in range(3):
            error, tau = level * (1 + 0.03 * generator.normal()), 0.5 + 0.1 * generator.normal()
            measured = {"test_error": error, "classes": classes, "tau": tau}
            rows += [("x", "train", f"v{variant}", seed, "finished", *pair) for pair in measured.items()]
    return pd.DataFrame(rows, columns=["experiment", "study", "variant", "seed", "status", "metric", "value"])


def test_pilots_failures_and_networks_that_learnt_nothing_do_not_count() -> None:
    runs = records_frame()
    wild = runs[runs["metric"] == "test_error"].assign(value=lambda f: f["value"] * 3)
    pilot, diverged = wild.assign(seed=wild["seed"] + 100), wild.assign(status="diverged", seed=wild["seed"] + 10)
    blind = wild[wild["variant"] == "v0"].assign(variant="blind", value=[89.0, 90.0, 91.0])
    blind = pd.concat([blind, blind.assign(metric="classes", value=10)])
    memorised = wild[wild["variant"] == "v1"].assign(variant="memorised", value=[0.0, 0.01, 0.02])
    others = [pilot, diverged, blind, memorised, memorised.assign(metric="test_loss", value=[1e-6, 1e-4, 1e-2])]
    fitted = [fit_prior(f).kinds["test_error"] for f in (runs, pd.concat([runs, *others]))]
    assert fitted[0] == fitted[1]
    assert fitted[0].variants == 200
    assert fitted[0].variance(np.array([20.0]))[0] ** 0.5 == pytest.approx(0.6, rel=0.2)


def test_a_prior_survives_its_file(tmp_path: Path) -> None:
    prior = fit_prior(records_frame(), "abc")
    prior.dump(tmp_path / "prior.yaml")
    again = Prior.load(tmp_path / "prior.yaml")
    assert (again.experiments, again.commit, set(again.kinds)) == (("x",), "abc", {"test_error", "other"})
    assert again.kinds["test_error"].slope == pytest.approx(prior.kinds["test_error"].slope, rel=1e-5)
    assert again.kinds["other"].variance(np.array([1e9])) > 0


def test_the_committed_prior_has_every_kind_and_plausible_spreads() -> None:
    kinds = Prior.load().kinds
    assert set(kinds) == {"test_error", "train_error", "test_top5_error", "test_loss", "train_loss", "other"}
    for name in ("test_error", "train_error", "test_loss", "train_loss"):
        spread = kinds[name]
        assert 0.01 < float(spread.variance(np.array(spread.typical))) ** 0.5 / spread.typical < 0.1
        assert 1 < spread.lent <= FREEDOM


def test_other_metrics_borrow_only_where_runs_do_not_differ() -> None:
    values = {"a": [0.99, 0.991, 0.9905]}
    test = {"kind": "order", "metric": "size", "contrast": {"a": -1.0}, "below": -0.9}
    varied = judge(claim(test), ROWS, frame(values, "size"))
    own = judge(claim(test), ROWS, frame(values, "size"), prior=Prior({}))
    same = judge(claim(test), ROWS, frame({"a": [0.99] * 3}, "size"))
    assert varied.p == pytest.approx(own.p)
    assert same.p is not None


@pytest.mark.parametrize(("dataset", "deviation"), [("imagenet1k_val", 0.12), ("cifar10_test", 0.17)])
def test_a_declared_spread_is_the_same_at_every_level(dataset: str, deviation: float) -> None:
    prior = declared_prior(dataset)
    assert prior is not None
    assert prior.kinds["test_error"].variance(np.array([5.0, 50.0])) == pytest.approx([deviation**2] * 2)
    assert declared_prior(f"{dataset} (all 50000)") is not None
    assert declared_prior("cifar10_test and cifar100_test") is None
    assert declared_prior("none") is None
