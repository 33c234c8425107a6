"""Tests that use only the order of values, or only whether a run failed."""

from collections.abc import Sequence
from functools import lru_cache
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from replicate.verdicts.estimates import LEVEL, MAX_SEEDS, POWER, Values

MAX_PAIRS = 3000  # up to here (10 levels of 8 seeds) the exact null distribution, beyond it the normal one
PERMUTATIONS = 9999
BLOCK = 500  # permutations at a time: 500 x MAX_PAIRS pairs are 12 MB

Places = NDArray[np.intp]


def jonckheere(groups: Sequence[Values]) -> tuple[float, float]:
    """One-sided p of the Jonckheere-Terpstra test that values (fall, rise) from the first group to the last.

    It counts the pairs of values from two groups that rise, ties half. Up to MAX_PAIRS exact without ties, with ties by
    9,999 permutations from a fixed generator, so that a report repeats byte for byte; beyond, the normal approximation.
    """
    values = np.concatenate(groups)
    sizes = tuple(len(group) for group in groups)
    group = np.repeat(np.arange(len(sizes)), sizes)
    if (len(values) ** 2 - sum(size**2 for size in sizes)) // 2 > MAX_PAIRS:
        return _normal_p(group, values)
    earlier, later = np.nonzero(group[:, None] < group[None, :])
    rising = float(_rising(values, earlier, later))
    if len(np.unique(values)) == len(values):
        return _exact_p(sizes, round(rising))
    return _permuted_p(values, rising, earlier, later)


def _normal_p(group: Places, values: Values) -> tuple[float, float]:
    """The same test is Kendall's between place and value: all pairs within a group are ties in place (Kendall 1970)."""
    below, above = (
        stats.kendalltau(group, values, method="asymptotic", alternative=side).pvalue for side in ("less", "greater")
    )
    return float(below), float(above)


def _rising(values: Values, earlier: Places, later: Places) -> Values:
    """Of the pairs of places, how many rise; `values` may be many arrangements, one a row."""
    return (np.sign(values[..., later] - values[..., earlier]) + 1).sum(axis=-1) / 2


def _permuted_p(values: Values, rising: float, earlier: Places, later: Places) -> tuple[float, float]:
    generator = np.random.default_rng(0)
    below = above = 1  # the arrangement that was observed counts as one of them
    for size in np.diff([*range(0, PERMUTATIONS, BLOCK), PERMUTATIONS]):
        null = _rising(generator.permuted(np.tile(values, (size, 1)), axis=1), earlier, later)
        below, above = below + int(np.sum(null <= rising)), above + int(np.sum(null >= rising))
    return below / (1 + PERMUTATIONS), above / (1 + PERMUTATIONS)


def _exact_p(sizes: tuple[int, ...], rising: int) -> tuple[float, float]:
    counts = _null_counts(tuple(sorted(sizes)))
    total = sum(counts)
    return sum(counts[: rising + 1]) / total, sum(counts[rising:]) / total


@lru_cache(maxsize=64)
def _null_counts(sizes: tuple[int, ...]) -> list[int]:
    """How many arrangements of the values have 0, 1, 2, ... rising pairs: the coefficients of the q-multinomial.

    [N]! / ([n_1]! ... [n_k]!) with [n]! = (1 - q) ... (1 - q^n) / (1 - q)^n; Terpstra 1952, Harding 1984.
    """
    total = sum(sizes)
    pairs = (total**2 - sum(size**2 for size in sizes)) // 2
    counts = [1] + [0] * pairs
    for power in range(1, total + 1):  # times 1 - q^power
        for place in range(pairs, power - 1, -1):
            counts[place] -= counts[place - power]
    for power in (power for size in sizes for power in range(1, size + 1)):  # divided by 1 - q^power
        for place in range(power, pairs + 1):
            counts[place] += counts[place - power]
    return counts


def seeds_for_trend(p: float, seeds: int, level: float = LEVEL) -> int:
    """Seeds per variant at which a trend as clear as the observed one is decided with power 0.8.

    `p`: one-sided p in the observed direction. Its normal score grows as the root of the number of seeds.
    """
    score = float(stats.norm.isf(p))
    wanted = float(stats.norm.isf(level / 2) + stats.norm.isf(1 - POWER))
    if score * (MAX_SEEDS / seeds) ** 0.5 <= wanted:
        return MAX_SEEDS + 1
    return ceil(seeds * (wanted / score) ** 2)


def share_interval(failed: int, runs: int, level: float = LEVEL) -> tuple[float, float]:
    """Clopper-Pearson interval of a share (Clopper and Pearson 1934): exact, never too narrow."""
    low = float(special.betaincinv(failed, runs - failed + 1, level / 2)) if failed else 0.0
    high = float(special.betaincinv(failed + 1, runs - failed, 1 - level / 2)) if failed < runs else 1.0
    return low, high


def p_mostly(failed: int, runs: int) -> tuple[float, float]:
    """One-sided exact binomial p that (more, fewer) than half of all runs fail, after `failed` of `runs` did."""
    return float(special.bdtrc(failed - 1, runs, 0.5)) if failed else 1.0, float(special.bdtr(failed, runs, 0.5))


def seeds_for_share(failed: int, runs: int, level: float = LEVEL) -> int:
    """Runs that decide with power 0.8 whether more or fewer than half fail, if the observed share is the truth."""
    share = max(failed, runs - failed) / runs
    counts = np.arange(2, MAX_SEEDS + 1)
    power = stats.binom.sf(stats.binom.isf(level / 2, counts, 0.5), counts, share)
    enough = np.flatnonzero(power >= POWER)  # a scan: the power of a discrete test does not grow evenly
    return int(counts[enough[0]]) if len(enough) else MAX_SEEDS + 1
