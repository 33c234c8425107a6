"""A comparison of means weighed against the runs: by statistics, by plain numbers if counted, or by the loss."""

from collections.abc import Sequence
from dataclasses import replace
from math import exp, isfinite

import numpy as np

from replicate.papers.claims import Cell
from replicate.verdicts.comparisons import Comparison, Region, Shape
from replicate.verdicts.effects import log_margin, published_effect, smallest_effect
from replicate.verdicts.evidence import NOT_MEASURED, Evidence, Scene, State, missing
from replicate.verdicts.frame import Sample, Values, at_seeds, common_seeds
from replicate.verdicts.looks import LOOKS, planned
from replicate.verdicts.quantities import Quantity, spoken
from replicate.verdicts.replay import Replay, p_inside, p_outside, replay

SIGNIFICANT = 0.025
"""One-sided p at which error and loss count as shown, where they contradict each other."""


def weigh(comparison: Comparison, scene: Scene, tree: tuple[float, ...] = (), counted: bool = False) -> Evidence:
    """The evidence on one comparison; `tree` as :func:`replicate.verdicts.simultaneous.correlations` gives it."""
    blank = Evidence(
        comparison.label,
        comparison.cells,
        comparison.unit,
        counted=counted,
        required=comparison.required,
        comparison=comparison,
    )
    reason = obstacle(comparison, scene, counted)
    if reason:
        return replace(blank, reason=reason)
    samples = [scene.samples[cell] for cell in comparison.cells]
    return _counted(blank, comparison, samples) if counted else _looked_at(blank, comparison, samples, scene, tree)


def obstacle(comparison: Comparison, scene: Scene, counted: bool) -> str:
    """Why the comparison cannot be weighed; empty if it can."""
    absent = [f"{spoken(cell.metric or '')} of '{cell.row}'" for cell in missing(comparison.cells, scene.samples)]
    if absent:
        return NOT_MEASURED + ", ".join(dict.fromkeys(absent))
    for cell in comparison.cells:
        sample = scene.samples[cell]
        if sample.lost:
            return f"{len(sample.lost)} runs of {cell.row} diverged, and the {cell.metric} of guessing is not known"
        if not len(sample.values):
            return f"no run of {cell.row} has a number in {cell.metric}"
        values = 100 - sample.values if comparison.complement else sample.values
        if comparison.logarithmic and (values <= 0).any():
            return f"{cell.metric} of {cell.row} is not positive, so it has no ratio"
    return "" if counted else _too_few(comparison, scene)


def _too_few(comparison: Comparison, scene: Scene) -> str:
    seeds = len(common_seeds([scene.samples[cell] for cell in comparison.cells]))
    if not scene.comparable:
        few = "one seed" if seeds == 1 else f"{seeds or 'no'} seeds"
        return f"{few} in common: the first look is at {LOOKS[0]}" if seeds < LOOKS[0] else ""
    kinds = [scene.quantity(cell.metric).kind for cell in comparison.cells]
    known = scene.prior is not None and all(kind in scene.prior.kinds for kind in kinds)
    return "" if seeds > 1 or (seeds and known) else "one run a row: a spread needs two"


def _counted(blank: Evidence, comparison: Comparison, samples: list[Sample]) -> Evidence:
    runs = frozenset(run for sample in samples for run in sample.runs)
    if any(len(np.unique(sample.values)) > 1 for sample in samples):
        return replace(blank, reason="a count differs from run to run, so it is no count")
    means = np.array([sample.values[0] for sample in samples])
    means = 100 - means if comparison.complement else means
    value = float((np.log(means) if comparison.logarithmic else means) @ np.array(comparison.weights))
    region = comparison.region
    holds = region.contains(value) or (len(region.bounds) == 2 and value in region.bounds)
    effect = _shown(comparison, value)
    state = State.HOLDS if holds else State.OPPOSITE
    return replace(blank, effect=effect, low=effect, high=effect, state=state, runs=runs)


def _shown(comparison: Comparison, value: float) -> float:
    """On the scale on which it is told: a ratio instead of its logarithm."""
    exponential = comparison.logarithmic and comparison.shape is not Shape.EXPONENT
    return exp(value) if exponential else value


def _looked_at(
    blank: Evidence, comparison: Comparison, samples: list[Sample], scene: Scene, tree: tuple[float, ...]
) -> Evidence:
    seeds = common_seeds(samples)
    looks = planned(len(seeds), once=scene.comparable)
    quantities = [scene.quantity(cell.metric) for cell in comparison.cells]
    values = np.stack([at_seeds(sample, seeds) for sample in samples])
    if comparison.complement:
        values, quantities = 100 - values, [replace(q, accuracy=False) for q in quantities]
    found = replay(values, comparison, quantities, scene.prior, looks, tree, scene.margin)
    estimate = found.estimates[int(found.decided)]
    if not (np.isfinite(estimate.error) and estimate.error > 0):
        effect = _shown(comparison, float(estimate.value))
        return replace(blank, effect=effect, reason="the runs do not differ at all, so their spread is unknown")
    used = set(seeds[: looks[int(found.decided)].runs])
    runs = frozenset(run for sample in samples for run in sample.runs if run[1] in used)
    look = looks[int(found.decided)]
    means = np.mean(values[:, : look.runs], axis=-1)
    published, relative = published_effect(comparison, scene.table, quantities)
    weighted = zip(comparison.weights, samples, strict=True)
    late = [weight for weight, sample in weighted if any(seed in used for _, seed in sample.unreached)]
    seen = replace(
        bounded(_numbers(blank, comparison, found), comparison.region, float(estimate.value), late),
        seeds=look.runs,
        runs=runs,
        reversed_here=not comparison.required and not comparison.region.contains(float(found.estimates[-1].value)),
        published=None if published is None else _shown(comparison, published),
        published_relative=relative,
        smallest=smallest_effect(means, comparison, quantities, scene.prior, look),
    )
    return seen if comparison.refutes or seen.state is not State.OPPOSITE else replace(seen, state=State.OPEN)


def bounded(found: Evidence, region: Region, value: float, late: Sequence[float]) -> Evidence:
    """What may still be said where rows with the weights `late` have runs whose numbers are only the least they can be.

    The contrast `value` may lie further up for a positive weight, further down for a negative one. Ending all trainings
    at one length keeps the order of rows; how small an effect is cannot be said.
    """
    if not late:
        return found
    up, down = any(weight > 0 for weight in late), any(weight < 0 for weight in late)
    leaves = (up and isfinite(region.high)) or (down and isfinite(region.low))
    enters = (value <= region.low and up) or (value >= region.high and down)
    lost = (leaves and found.state is State.HOLDS) or (enters and found.state is State.OPPOSITE)
    return replace(
        found,
        small=False,
        state=State.OPEN if lost else found.state,
        p_holds=1.0 if leaves else found.p_holds,
        p_fails=1.0 if enters else found.p_fails,
    )


def _numbers(blank: Evidence, comparison: Comparison, found: Replay) -> Evidence:
    """State, effect, interval and p at the look that decided.

    The interval is the one that decides: it leaves out what the answer excludes.
    """
    place = int(found.decided)
    estimate, level, look = found.estimates[place], float(found.levels[place]), found.looks[place]
    each = found.each[place]
    if found.state == State.HOLDS.value:
        each = look.alpha if comparison.one_sided else look.equal
    elif found.state == State.OPEN.value and found.small:
        each = look.equal
    value, half = float(estimate.value), float(estimate.half_width(each))
    low, high = value - half, value + half
    relative = None
    if comparison.balanced and comparison.shape is not Shape.EXPONENT:
        if comparison.logarithmic:
            relative = (exp(value) - 1, exp(low) - 1, exp(high) - 1)
        elif level > 0:
            relative = (value / level, low / level, high / level)
    return replace(
        blank,
        state=State(int(found.state)),
        small=bool(found.small),
        effect=_shown(comparison, value),
        low=_shown(comparison, low),
        high=_shown(comparison, high),
        relative=relative,
        p_holds=float(p_inside(estimate, comparison.region)),
        p_fails=float(p_outside(estimate, comparison.region)),
    )


# the loss in place of the error ---------------------------------------------------------------------------------------


def by_loss(comparison: Comparison, scene: Scene) -> Comparison | None:
    """The same comparison of the test loss on the log scale; None where the loss does not stand for it.

    Loss and error of two networks differ by the same share (log effects: correlation 0.99, slope 1.01, one sign in 148
    of 148 pairs where both are significant), and the loss needs half as many seeds.
    """
    columns = {cell.metric or "" for cell in comparison.cells}
    losses = {scene.surrogate.get(column) for column in columns}
    if len(columns) != 1 or len(losses) != 1 or None in losses or not comparison.balanced:
        return None
    quantity = scene.quantity(columns.pop())
    if not quantity.is_test_error or (comparison.logarithmic and quantity.accuracy and not comparison.complement):
        return None
    loss = losses.pop()
    cells = tuple(Cell(cell.row, loss) for cell in comparison.cells)
    region = _region_of_loss(comparison, scene, quantity)
    if region is None or any(missing((*cells, *comparison.cells), scene.samples)):
        return None
    turned = -1.0 if quantity.accuracy and not comparison.complement else 1.0
    weights = tuple(turned * weight for weight in comparison.weights)
    turned_round = replace(comparison, cells=cells, weights=weights, region=region)
    return replace(turned_round, unit="ratio", logarithmic=True, complement=False)


def _region_of_loss(comparison: Comparison, scene: Scene, quantity: Quantity) -> Region | None:
    """The claim's region for the logarithm of the loss. A margin in points becomes a share of the measured error."""
    if comparison.logarithmic or comparison.region.bounds == (0.0,):
        return comparison.region
    if comparison.shape is not Shape.ALIKE:
        return None  # a bound in points on a difference has no counterpart
    means: Values = np.array([np.mean(scene.samples[cell].values) for cell in comparison.cells])
    bound = log_margin(comparison.region.high, float(np.mean(quantity.level(means))))
    return Region(-bound, bound)


def with_loss(comparison: Comparison, scene: Scene, tree: tuple[float, ...] = ()) -> Evidence:
    """The evidence by the loss with the error beside it; by the error alone where the loss does not stand for it."""
    by_error, counterpart = weigh(comparison, scene, tree), by_loss(comparison, scene)
    if counterpart is None or by_error.reason:
        return by_error
    found = weigh(counterpart, scene, tree)
    if found.reason:
        return by_error
    conflict = comparison.one_sided and (
        max(found.p_holds, by_error.p_fails) <= SIGNIFICANT or max(found.p_fails, by_error.p_holds) <= SIGNIFICANT
    )
    return replace(
        found,
        beside=by_error,
        conflict=conflict,
        state=State.OPEN if conflict else found.state,
        small=found.small and not conflict,
        published_relative=by_error.published_relative,
        published=None,
    )
