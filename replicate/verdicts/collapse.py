"""Whether training fails: counted over runs, with a zone between "seldom" and "mostly" in which neither is an error."""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, log

import numpy as np
from scipy import special

from replicate.papers.claims import Cell, CollapseTest, RelativeLevel
from replicate.verdicts.evidence import NOT_MEASURED, Evidence, Scene, State
from replicate.verdicts.frame import Run, Sample
from replicate.verdicts.looks import planned

CHANCE_MARGIN = 0.1  # a run this share of the way from guessing to perfect has learnt something
ODDS = 3.0
"""Mostly: at least three of four runs fail; seldom: at most one of four. The odds of the two for one run are 3 : 1."""
LEVEL = 0.05


def lead(rows: int = 1) -> int:
    """By how many runs one side must lead to decide: 3 for one row, so that three of three decide.

    Wald's (1945) sequential test of 1/4 against 3/4: it errs in 1 / (1 + 3^lead) of the cases however often one looks;
    3.6 % for one row. Of several rows any one may refute the claim, so that each must err more rarely.
    """
    return max(3, ceil(log(max(rows, 1) / LEVEL - 1, ODDS)))


def weigh_collapse(test: CollapseTest, metric: str, scene: Scene, comparisons: int = 1) -> tuple[Evidence, ...]:
    """One piece of evidence a row. comparisons: how many of them the claim has in all."""
    bound, reason = bound_of(test, metric, scene)
    return tuple(_row(Cell(row, metric), scene, bound, reason, comparisons) for row in test.rows)


def bound_of(test: CollapseTest, metric: str, scene: Scene) -> tuple[float | None, str]:
    """The value from which on a run has failed, or why there is none."""
    guessing = scene.chance.get(metric)
    if test.level == "chance":
        if guessing is None:
            return None, f"the {metric} of guessing is not known"
        return guessing * (1 - CHANCE_MARGIN), ""
    if not isinstance(test.level, RelativeLevel):
        return test.level, ""
    return _relative(test.level, metric, scene, guessing)


def _relative(level: RelativeLevel, metric: str, scene: Scene, guessing: float | None) -> tuple[float | None, str]:
    """`times` the mean of a reference row, unless that row itself has failed."""
    sample = scene.samples.get(Cell(level.row, metric))
    if sample is None or not len(sample.values):
        return None, f"{NOT_MEASURED}{metric} of '{level.row}'"
    mean = float(np.mean(sample.values))
    if sample.diverged.any() or sample.lost:
        return None, f"the reference row {level.row} itself has runs that diverged"
    if guessing is not None and level.times * mean > guessing:
        return None, (
            f"the reference row {level.row} itself ends at {mean:.3g}, so that {level.times:g} times as much lies "
            f"above guessing ({guessing:.3g})"
        )
    return level.times * mean, ""


def _row(cell: Cell, scene: Scene, bound: float | None, reason: str, comparisons: int) -> Evidence:
    blank = Evidence(f"most runs of {cell.row} fail in {cell.metric}", (cell,), "share of runs")
    sample = scene.samples.get(cell)
    if sample is None:
        return replace(blank, reason=f"{NOT_MEASURED}{cell.metric} of '{cell.row}'")
    if bound is None:
        return replace(blank, reason=reason)
    runs, failed = failures(sample, bound)
    looks = [look.runs for look in planned(len(runs), once=scene.comparable)]
    if not looks:
        return replace(blank, reason=f"{len(runs)} runs of {cell.row}: the first look is at 3")
    state, seeds = decided(failed, looks, lead(comparisons))
    count = sum(failed[:seeds])
    low, high = share_interval(count, seeds)
    fails, holds = special.bdtr(count, seeds, 1 - 1 / (1 + ODDS)), special.bdtrc(count - 1, seeds, 1 / (1 + ODDS))
    return replace(
        blank,
        state=state,
        effect=count / seeds,
        low=low,
        high=high,
        p_holds=float(holds) if count else 1.0,
        p_fails=float(fails),
        seeds=seeds,
        runs=frozenset(runs[:seeds]),
        finding=f"{count} of {seeds} runs of {cell.row} fail: they diverge, or their {cell.metric} ends at {bound:.3g} "
        "or worse",
    )


def failures(sample: Sample, bound: float) -> tuple[list[Run], list[bool]]:
    """The runs of a row in the order of their seeds, and which of them failed."""
    failed = (sample.values >= bound) | sample.diverged
    known = [*zip(sample.runs, map(bool, failed), strict=True), *((run, True) for run in sample.lost)]
    known.sort(key=lambda pair: pair[0][1])
    return [run for run, _ in known], [fails for _, fails in known]


def decided(failed: Sequence[bool], looks: Sequence[int], needed: int) -> tuple[State, int]:
    """The answer of the first look at which one side leads by `needed` runs, and how many runs it saw."""
    for runs in looks:
        ahead = 2 * sum(failed[:runs]) - runs
        if abs(ahead) >= needed:
            return (State.HOLDS if ahead > 0 else State.OPPOSITE), runs
    return State.OPEN, looks[-1]


def share_interval(failed: int, runs: int, level: float = LEVEL) -> tuple[float, float]:
    """Clopper-Pearson interval of a share (Clopper and Pearson 1934): exact, never too narrow."""
    low = float(special.betaincinv(failed, runs - failed + 1, level / 2)) if failed else 0.0
    high = float(special.betaincinv(failed + 1, runs - failed, 1 - level / 2)) if failed < runs else 1.0
    return low, high
