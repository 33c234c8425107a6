"""One comparison over the planned looks: at which of them it was shown, reversed, or shown to be small."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, log1p

import numpy as np
from numpy.typing import NDArray

from replicate.verdicts.comparisons import Comparison, Region, Shape
from replicate.verdicts.frame import Values
from replicate.verdicts.looks import Look
from replicate.verdicts.moderated import Borrowed, Estimate, estimate
from replicate.verdicts.prior import Prior
from replicate.verdicts.quantities import Quantity
from replicate.verdicts.simultaneous import level_of_each

HOLDS, OPEN, OPPOSITE = 1, 0, -1
UNSCALED = (Shape.RATIO, Shape.EXPONENT, Shape.LEVEL)
"""Comparisons of which "smaller than 10 %" would say nothing."""

States = NDArray[np.int8]


@dataclass(frozen=True)
class Replay:
    """What each look showed; the leading axes of every array are simulated sweeps.

    state: HOLDS, OPPOSITE or OPEN, of the first look that showed either. small_at: the place of the first look that
    showed the effect to be smaller than the margin, the number of looks if none did. decided: the place of the look
    that decided it, of the last one where none did. levels: what the effect is a share of, at each look; each: the
    one-sided level of an answer "opposite".
    """

    looks: tuple[Look, ...]
    state: States
    small_at: NDArray[np.intp]
    decided: NDArray[np.intp]
    estimates: tuple[Estimate, ...]
    levels: tuple[Values, ...]
    each: tuple[float, ...]

    @property
    def small(self) -> NDArray[np.bool_]:
        return self.small_at < len(self.looks)


def borrowed(means: Values, variances: Values, quantities: Sequence[Quantity], prior: Prior | None) -> Borrowed:
    """What the cells may borrow at their `means` and own `variances` (..., cells).

    Metrics of no kind of their own have nothing in common but that runs differ by some share of the mean, so that only
    runs which do not differ at all borrow from them.
    """
    variance, freedom = np.full(means.shape, np.nan), np.zeros(len(quantities))
    for place, quantity in enumerate(quantities):
        spread = prior.kinds.get(quantity.kind) if prior else None
        if spread is not None:
            scale = quantity.in_percent() if quantity.kind.endswith("error") else 1.0
            levels = quantity.level(means[..., place]) * scale
            lent = spread.variance(levels) / scale**2
            variance[..., place] = np.where(variances[..., place] > 0, np.nan, lent) if quantity.is_other else lent
            freedom[place] = spread.lent
    return Borrowed(variance, freedom)


def level_of(means: Values, comparison: Comparison, quantities: Sequence[Quantity]) -> Values:
    """What an effect is a share of (...,): the level of the second of two rows, else that of all, by their weights."""
    levels = np.stack([q.level(means[..., place]) for place, q in enumerate(quantities)], axis=-1)
    if len(comparison.cells) == 2 and comparison.shape is not Shape.TREND:
        return levels[..., 1]
    weights = np.abs(np.array(comparison.weights))
    share: Values = weights / np.sum(weights)
    return levels @ share


def contrast(
    values: Values, comparison: Comparison, quantities: Sequence[Quantity], prior: Prior | None
) -> tuple[Estimate, Values]:
    """The contrast of `values` (..., cells, runs) and the level of its rows; logarithms by the delta method."""
    weights, runs = np.array(comparison.weights), values.shape[-1]
    means = np.mean(values, axis=-1)
    variances = np.var(values, axis=-1, ddof=1) if runs > 1 else np.zeros(means.shape)
    lent, level = borrowed(means, variances, quantities, prior), level_of(means, comparison, quantities)
    if comparison.logarithmic:
        lent = Borrowed(lent.variance / means**2, lent.freedom)
        means, variances = np.log(means), variances / means**2
    return estimate(means, variances, runs, weights, lent), level


def p_inside(found: Estimate, region: Region) -> Values:
    """p that the truth lies inside: with two bounds both one-sided tests must reject (TOST, Schuirmann 1987)."""
    above = found.p_above(region.low) if isfinite(region.low) else np.zeros(found.value.shape)
    below = found.p_below(region.high) if isfinite(region.high) else np.zeros(found.value.shape)
    return np.maximum(above, below)


def p_outside(found: Estimate, region: Region) -> Values:
    """p that the truth lies outside, on the nearer side; it can only err on the side on which the truth is near."""
    below = found.p_below(region.low) if isfinite(region.low) else np.ones(found.value.shape)
    above = found.p_above(region.high) if isfinite(region.high) else np.ones(found.value.shape)
    return np.minimum(below, above)


def small_region(comparison: Comparison, level: Values, margin: float) -> Values | None:
    """How large the effect may be, up or down, to be called smaller than `margin` of the level; None if it has none."""
    if comparison.shape in UNSCALED or not comparison.balanced:
        return None
    return np.full(level.shape, log1p(margin)) if comparison.logarithmic else margin * level


def replay(
    values: Values,
    comparison: Comparison,
    quantities: Sequence[Quantity],
    prior: Prior | None,
    looks: Sequence[Look],
    tree: tuple[float, ...] = (),
    margin: float = 0.1,
) -> Replay:
    """Look at `values` (..., cells, seeds), seeds in ascending order, at each of `looks`.

    tree: correlations with the claim's other comparisons, which share the level of an answer "opposite".
    """
    shape = values.shape[:-2]
    state, small_at = np.zeros(shape, dtype=np.int8), np.full(shape, len(looks))
    decided = np.full(shape, len(looks) - 1)
    estimates, levels, each = [], [], []
    for place, look in enumerate(looks):
        found, level = contrast(values[..., : look.runs], comparison, quantities, prior)
        shared = level_of_each(look.alpha, tree)
        holds = p_inside(found, comparison.region) <= (look.alpha if comparison.one_sided else look.equal)
        fails = (p_outside(found, comparison.region) <= shared) & ~holds
        bound = small_region(comparison, level, margin)
        tiny = np.zeros(shape, dtype=bool)
        if bound is not None:
            tiny = np.maximum(found.p_above(-bound), found.p_below(bound)) <= look.equal
        still_open = state == OPEN
        state = np.where(still_open & holds, HOLDS, np.where(still_open & fails, OPPOSITE, state)).astype(np.int8)
        first = tiny & (small_at == len(looks))
        decided = np.where(still_open & (holds | fails | first), place, decided)
        small_at = np.where(first, place, small_at)
        estimates.append(found)
        levels.append(level)
        each.append(shared)
    return Replay(tuple(looks), state, small_at, decided, tuple(estimates), tuple(levels), tuple(each))
