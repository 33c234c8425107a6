"""Two networks image by image, against statsmodels and scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as reference

from replicate.verdicts.paired import Paired, bootstrap, mcnemar, paired

IMAGES = 1003  # no multiple of eight


def networks(first: float, second: float, shared: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    common = generator.random(IMAGES) < shared
    draws = [np.where(common, generator.random(IMAGES) < 0.9, generator.random(IMAGES) < p) for p in (first, second)]
    draws[1] = np.where(common, draws[0], draws[1])
    return draws[0], draws[1]


def test_packed_bits_give_the_table_of_plain_ones() -> None:
    a, b = networks(0.7, 0.8, 0.5)
    found = paired(np.packbits(a), np.packbits(b), IMAGES)
    assert (found.first_only, found.second_only) == (int(np.sum(a & ~b)), int(np.sum(~a & b)))
    assert found.difference == pytest.approx(np.mean(~a) - np.mean(~b))
    assert found.disagreement == pytest.approx(np.mean(a != b))


def test_padding_bits_count_for_nothing_and_missing_ones_are_refused() -> None:
    ones = np.full(2, 255, dtype=np.uint8)
    assert paired(ones, np.array([255, 0x80], dtype=np.uint8), 9) == Paired(9, 0, 0)
    with pytest.raises(ValueError, match="17 images need 3 bytes, not 2 and 2"):
        paired(ones, ones, 17)


@given(st.integers(0, 60), st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_exact_is_that_of_statsmodels_and_mid_p_takes_half_of_what_was_seen(first: int, second: int) -> None:
    found = Paired(1000, first, second)
    expected = float(reference([[500, first], [second, 500]], exact=True).pvalue) if first + second else 1.0
    assert mcnemar(found, mid=False) == pytest.approx(min(1.0, expected))
    if first != second:
        both, low = first + second, min(first, second)
        mid = 2 * (stats.binom.cdf(low - 1, both, 0.5) + 0.5 * stats.binom.pmf(low, both, 0.5))
        assert mcnemar(found) == pytest.approx(mid)
    assert 0 < mcnemar(found) <= mcnemar(found, mid=False)


def test_the_bootstrap_is_that_of_scipy_on_the_images() -> None:
    a, b = networks(0.7, 0.8, 0.6)
    found = paired(np.packbits(a), np.packbits(b), IMAGES)
    differences = (~a).astype(float) - (~b).astype(float)
    result = stats.bootstrap((differences,), np.mean, method="percentile", n_resamples=10_000, rng=1)
    assert bootstrap(found) == pytest.approx(tuple(result.confidence_interval), abs=0.002)
    assert bootstrap(found) == bootstrap(found)


def test_mid_p_keeps_its_level() -> None:
    """Networks that are right equally often: at most 5 % of p-values under 5 %, and not far fewer."""
    generator = np.random.default_rng(0)
    both = generator.binomial(10_000, 0.08, 4000)
    first = generator.binomial(both, 0.5)
    errs = np.mean([mcnemar(Paired(10_000, int(a), int(n - a))) < 0.05 for a, n in zip(first, both, strict=True)])
    assert 0.035 < errs < 0.06
