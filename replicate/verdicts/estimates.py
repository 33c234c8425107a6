"""Means, contrasts and ratios of few values with unequal spread, and the region that a claim allows them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf, isfinite, log, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import special

LEVEL = 0.05  # two-sided: without an effect a verdict falls to either side in at most 2.5 % of the sweeps
POWER = 0.8
MAX_SEEDS = 1000  # beyond it "more than 1000 seeds" says all there is to say
NORMAL = 1e9  # degrees of freedom beyond which t is normal; stdtr and stdtrit lose their footing further out

Values = NDArray[np.float64]


def t_quantile(probability: float, freedom: float) -> float:
    """Quantile of Student's t."""
    return float(special.stdtrit(min(freedom, NORMAL), probability))


@dataclass(frozen=True)
class Estimate:
    """A weighted sum of means, with the variance that one observation of each term has (weights included).

    Standard error and degrees of freedom as Welch (1947) and Satterthwaite (1946). `counts`: observations of each term.
    """

    value: float
    variances: tuple[float, ...]
    counts: tuple[int, ...]

    @cached_property
    def error(self) -> float:
        """Standard error."""
        return sqrt(sum(v / n for v, n in zip(self.variances, self.counts, strict=True)))

    @cached_property
    def freedom(self) -> float:
        """Welch-Satterthwaite degrees of freedom."""
        parts = sum((v / n) ** 2 / (n - 1) for v, n in zip(self.variances, self.counts, strict=True))
        return self.error**4 / parts if parts else inf

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The two-sided interval that misses the truth in `level` of the cases."""
        half = t_quantile(1 - level / 2, self.freedom) * self.error
        return self.value - half, self.value + half

    def p_below(self, bound: float) -> float:
        """p of the one-sided test that the truth is below `bound`."""
        return float(special.stdtr(min(self.freedom, NORMAL), (self.value - bound) / self.error))

    def p_above(self, bound: float) -> float:
        """p of the one-sided test that the truth is above `bound`."""
        return float(special.stdtr(min(self.freedom, NORMAL), (bound - self.value) / self.error))


def contrast(samples: Sequence[Values], weights: Sequence[float]) -> Estimate:
    """The weighted sum of the samples' means; each sample needs two values, since one has no spread.

    At three seeds a side Welch's two-sided 5 % test errs in 3.5 % of simulated sweeps at equal spreads, in 5.8 % at
    spreads of 5 to 1.
    """
    value = sum(w * float(np.mean(s)) for s, w in zip(samples, weights, strict=True))
    variances = tuple(w * w * float(np.var(s, ddof=1)) for s, w in zip(samples, weights, strict=True))
    return Estimate(value, variances, tuple(len(s) for s in samples))


def log_ratio(numerator: Values, denominator: Values) -> Estimate:
    """log(mean of numerator / mean of denominator), both positive, by the delta method with Welch's t quantile.

    Not the percentile bootstrap: with three seeds it can only resample the same three values, and its 95 % interval
    missed the true ratio in 19 to 25 % of simulated sweeps (five seeds: 12 to 17 %, ten: 8 to 10 %; spreads of 1 to
    20 %). This interval missed it in 3.3 to 5.8 % (4.2 to 5.4 %, 4.7 to 5.1 %), as did Fieller's.
    """
    means = float(np.mean(numerator)), float(np.mean(denominator))
    variances = (float(np.var(numerator, ddof=1)) / means[0] ** 2, float(np.var(denominator, ddof=1)) / means[1] ** 2)
    return Estimate(log(means[0] / means[1]), variances, (len(numerator), len(denominator)))


@dataclass(frozen=True)
class Region:
    """The values that a claim allows: low < truth < high."""

    low: float = -inf
    high: float = inf

    @property
    def bounds(self) -> tuple[float, ...]:
        """The finite bounds."""
        return tuple(bound for bound in (self.low, self.high) if isfinite(bound))

    def contains(self, value: float) -> bool:
        return self.low < value < self.high

    def p_inside(self, estimate: Estimate) -> float:
        """p that the truth lies inside: with two bounds both one-sided tests must reject (TOST, Schuirmann 1987)."""
        above = estimate.p_above(self.low) if isfinite(self.low) else 0.0
        below = estimate.p_below(self.high) if isfinite(self.high) else 0.0
        return max(above, below)

    def p_outside(self, estimate: Estimate) -> float:
        """p that the truth lies outside; with two bounds there are two ways out, so p is doubled."""
        below = estimate.p_below(self.low) if isfinite(self.low) else 1.0
        above = estimate.p_above(self.high) if isfinite(self.high) else 1.0
        return min(1.0, len(self.bounds) * min(below, above))


def seeds_to_decide(estimate: Estimate, region: Region, level: float = LEVEL) -> int:
    """Seeds per variant that decide with power 0.8 if truth and spread are as observed; MAX_SEEDS + 1 if more."""
    distances = [abs(estimate.value - bound) for bound in region.bounds]
    if not region.contains(estimate.value):
        distances, level = [min(distances)], level / len(region.bounds)

    def decided(seeds: int) -> bool:
        more = Estimate(estimate.value, estimate.variances, (seeds,) * len(estimate.counts))
        t = t_quantile(1 - level / 2, more.freedom)
        return 1 - sum(_miss(t, more.freedom, distance / more.error) for distance in distances) >= POWER

    return smallest(decided, start=2)


def _miss(t: float, freedom: float, shift: float) -> float:
    """Probability that a t statistic with non-centrality `shift` stays under `t`."""
    far = shift > t + 20  # nctdtr is NaN far out, where the answer is 0
    return 0.0 if far else float(special.nctdtr(min(freedom, 1e6), shift, t))


def smallest(decided: Callable[[int], bool], start: int) -> int:
    """The smallest count from `start` on for which `decided` holds (it is monotone), MAX_SEEDS + 1 beyond MAX_SEEDS."""
    low, high = start - 1, start
    while high <= MAX_SEEDS and not decided(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if middle <= MAX_SEEDS and decided(middle) else (middle, high)
    return min(high, MAX_SEEDS + 1)
