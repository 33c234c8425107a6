"""From a claim's test and the measurements to evidence, kind by kind."""

from collections.abc import Mapping
from dataclasses import replace
from math import exp, isfinite

import numpy as np

from replicate.papers.claims import (
    Cell,
    ClaimTest,
    CollapseTest,
    EqualTest,
    ExactTest,
    GrowthTest,
    Ladder,
    OrderTest,
    RatioTest,
    TrendTest,
)
from replicate.papers.schema import Table
from replicate.verdicts import comparisons as compare
from replicate.verdicts.comparisons import Comparison, Comparisons
from replicate.verdicts.estimates import Values, contrast, seeds_to_decide
from replicate.verdicts.evidence import NOT_MEASURED, Condition, Evidence
from replicate.verdicts.exact import weigh_exact
from replicate.verdicts.ranks import jonckheere, p_mostly, seeds_for_share, seeds_for_trend, share_interval
from replicate.verdicts.samples import Sample, Samples

CHANCE_MARGIN = 0.1  # a run this share of the way from guessing to perfect has learnt something


def weigh(test: ClaimTest, table: Table | None, samples: Samples, chance: Mapping[str, float]) -> list[Condition]:
    """Every condition of `test`, weighed against the measurements."""
    match test:
        case OrderTest():
            return _means(compare.order(test, table), samples, test.counted)
        case EqualTest():
            return _means(compare.equal(test, table), samples, test.counted)
        case RatioTest():
            return _means(compare.ratio(test, table), samples, test.counted)
        case CollapseTest():
            return [_collapse(test, metric, samples, chance) for metric in test.metric]
        case TrendTest() | GrowthTest():
            return _along_ladders(test, table, samples)
        case ExactTest():
            return [weigh_exact(test, table, samples)]


def _means(asked: Comparisons, samples: Samples, counted: bool) -> list[Condition]:
    return [
        Condition(label, tuple(weigh_means(comparison, samples, counted) for comparison in comparisons))
        for label, comparisons in asked
    ]


def weigh_means(comparison: Comparison, samples: Samples, counted: bool = False) -> Evidence:
    """Weigh one comparison of means: a t test against the bounds of its region, or a plain look at counted numbers."""
    blank = Evidence(comparison.label, comparison.cells, comparison.unit, counted=counted)
    found = [samples.get(cell) for cell in comparison.cells]
    reason = obstacle(comparison.cells, found, least=1 if counted else 2, positive=comparison.logarithmic)
    if reason:
        return replace(blank, reason=reason)
    values = [sample.values for sample in found if sample is not None]
    return _counted(blank, comparison, values) if counted else _tested(blank, comparison, values)


def obstacle(cells: tuple[Cell, ...], found: list[Sample | None], least: int, positive: bool = False) -> str:
    """Why these samples cannot be compared; empty if they can."""
    absent = [f"{cell.metric} of '{cell.row}'" for cell, sample in zip(cells, found, strict=True) if sample is None]
    if absent:
        return NOT_MEASURED + ", ".join(dict.fromkeys(absent))
    for cell, sample in zip(cells, found, strict=True):
        assert sample is not None
        if sample.lost:
            return f"{sample.lost} runs of {cell.row} diverged, and the {cell.metric} of guessing is not known"
        if len(sample.values) < least:
            return f"{len(sample.values) or 'no'} run of {cell.row}: a spread needs two"
        if positive and (sample.values <= 0).any():
            return f"{cell.metric} of {cell.row} is not positive, so it has no ratio"
    return ""


def _tested(blank: Evidence, comparison: Comparison, values: list[Values]) -> Evidence:
    estimate, region = comparison.estimate(values), comparison.region
    effect = exp(estimate.value) if comparison.exponential else estimate.value
    if estimate.error == 0 or not isfinite(estimate.error):
        return replace(blank, effect=effect, reason="the runs do not differ at all, so their spread is unknown")
    low, high = estimate.interval()
    return replace(
        blank,
        effect=effect,
        low=exp(low) if comparison.exponential else low,
        high=exp(high) if comparison.exponential else high,
        p_holds=region.p_inside(estimate),
        p_fails=region.p_outside(estimate),
        seeds=lambda level: seeds_to_decide(estimate, region, level),
    )


def _counted(blank: Evidence, comparison: Comparison, values: list[Values]) -> Evidence:
    if any(len(np.unique(value)) > 1 for value in values):
        return replace(blank, reason="a count differs from run to run, so it is no count")
    value = comparison.estimate([np.repeat(value[:1], 2) for value in values]).value
    region = comparison.region
    holds = region.contains(value) or (len(region.bounds) == 2 and value in region.bounds)
    effect = exp(value) if comparison.exponential else value
    return replace(blank, effect=effect, low=effect, high=effect, p_holds=float(not holds), p_fails=float(holds))


def _along_ladders(test: TrendTest | GrowthTest, table: Table | None, samples: Samples) -> list[Condition]:
    conditions = []
    for ladder in test.ladders(table.params() if table else {}):
        for metric in test.metric:
            label = ", ".join(filter(None, (metric, ladder.label)))
            measured = _measured(ladder, metric, samples)
            if len(measured.steps) < min(3, len(ladder.steps)):
                evidence = Evidence(label, (), reason=NOT_MEASURED + label)
            elif isinstance(test, GrowthTest):
                evidence = weigh_means(compare.growth(test, measured, metric), samples, test.counted)
            else:
                evidence = _trend(test, measured, metric, label, samples, compare.difference_unit(table, metric))
            conditions.append(Condition(label, (evidence,)))
    return conditions


def _measured(ladder: Ladder, metric: str, samples: Samples) -> Ladder:
    steps = {level: tuple(row for row in rows if Cell(row, metric) in samples) for level, rows in ladder.steps.items()}
    return Ladder(ladder.label, {level: rows for level, rows in steps.items() if rows})


def _trend(test: TrendTest, ladder: Ladder, metric: str, place: str, samples: Samples, unit: str) -> Evidence:
    cells = tuple(Cell(row, metric) for rows in ladder.steps.values() for row in rows)
    along = test.by or "the listed rows"
    label = f"{place} {test.direction} with {along} from {_ends(test, ladder)}"
    blank = Evidence(label, cells, unit)
    found = [samples[cell] for cell in cells]
    reason = obstacle(cells, list(found), least=2)
    if reason:
        return replace(blank, reason=reason)
    groups = [np.concatenate([samples[Cell(row, metric)].values for row in rows]) for rows in ladder.steps.values()]
    if all(np.ptp(group) == 0 for group in groups):
        return replace(blank, reason="the runs do not differ at all, so their spread is unknown")
    return _ranked(test, blank, groups)


def _ends(test: TrendTest, ladder: Ladder) -> str:
    first, last = min(ladder.steps), max(ladder.steps)
    if test.by is None:
        return f"{ladder.steps[first][0]} to {ladder.steps[last][-1]}"
    return f"{first:g} to {last:g}"


def _ranked(test: TrendTest, blank: Evidence, groups: list[Values]) -> Evidence:
    falling, rising = jonckheere(groups)
    holds, fails = (falling, rising) if test.direction == "falling" else (rising, falling)
    change = contrast([groups[0], groups[-1]], (-1.0, 1.0))
    low, high = change.interval() if change.error else (None, None)
    seeds = min(len(group) for group in groups)
    return replace(
        blank,
        effect=change.value,
        low=low,
        high=high,
        p_holds=holds,
        p_fails=fails,
        seeds=lambda level: seeds_for_trend(min(holds, fails), seeds, level),
    )


def _collapse(test: CollapseTest, metric: str, samples: Samples, chance: Mapping[str, float]) -> Condition:
    level = chance.get(metric) if test.level == "chance" else test.level
    bound = None if level is None else level * (1 - CHANCE_MARGIN) if test.level == "chance" else level
    return Condition(
        metric, tuple(_fails(Cell(row, metric), samples.get(Cell(row, metric)), bound) for row in test.rows)
    )


def _fails(cell: Cell, sample: Sample | None, bound: float | None) -> Evidence:
    """The exact test that most runs fail. Not a bound on the mean: some runs collapse and others train, so the values
    have two humps, and three runs that all sit at chance have no spread from which a t bound could be had."""
    blank = Evidence(f"most runs of {cell.row} fail in {cell.metric}", (cell,), "share of runs")
    if sample is None:
        return replace(blank, reason=f"{NOT_MEASURED}{cell.metric} of '{cell.row}'")
    if bound is None:
        return replace(blank, reason=f"the {cell.metric} of guessing is not known")
    failed = int(np.sum((sample.values >= bound) | sample.diverged)) + sample.lost
    runs = len(sample.values) + sample.lost
    holds, fails = p_mostly(failed, runs)
    low, high = share_interval(failed, runs)
    return replace(
        blank,
        effect=failed / runs,
        low=low,
        high=high,
        p_holds=holds,
        p_fails=fails,
        seeds=lambda level: seeds_for_share(failed, runs, level),
    )
