"""How often the engine is wrong: simulated sweeps of which the truth is known.

A claim's published table is the truth, or half of its effect is, or none. "None" is where neither answer is right: for
an order or trend all rows are alike; for equality, ratio and growth the truth sits on the bound of what the claim
allows; for a collapse every second run fails.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, product
from math import exp, inf, log

import numpy as np
import pandas as pd

from replicate.papers import load_paper
from replicate.papers.claims import (
    Cell,
    ClaimTest,
    CollapseTest,
    EqualTest,
    ExactTest,
    GrowthTest,
    OrderTest,
    RatioTest,
    TrendTest,
)
from replicate.papers.schema import Claim, Table
from replicate.verdicts.comparisons import order
from replicate.verdicts.samples import Sample
from replicate.verdicts.verdict import Outcome
from replicate.verdicts.weighed import weigh_claim

TRUTHS = {"none": 0.0, "half": 0.5, "published": 1.0}
SEEDS = (3, 5, 10)

Means = dict[Cell, float]


@dataclass(frozen=True)
class Case:
    """A claim to simulate, reduced to its test number `part`.

    spread: standard deviation between runs, in the metric's unit, or as a share of the mean when `relative`.
    uneven: the first row's spread is that many times the others'.
    """

    paper: str
    claim: str
    spread: float
    part: int = 0
    relative: bool = False
    uneven: float = 1.0

    def table(self) -> Table:
        paper = load_paper(self.paper)
        return paper.tables[paper.claim(self.claim).table or ""]

    def reduced(self) -> Claim:
        """The claim with one test only, decided by statistics even if the paper's own metric is a count."""
        claim = load_paper(self.paper).claim(self.claim)
        test = claim.test[self.part]
        if not isinstance(test, (CollapseTest, ExactTest)):
            test = test.model_copy(update={"counted": False})
        return claim.model_copy(update={"test": (test,)})


def printed_spread() -> float:
    """Standard deviation of the test error between five runs of ResNet-110 on CIFAR-10, as printed, in percent."""
    return float(load_paper("resnet").tables["cifar10_depth"].row("ResNet-110").published["test_error_std"] or 0)


def default_cases(spread: float) -> tuple[Case, ...]:
    """Every kind of test that meets spread; ratios and sizes by 1 or 2 % of their mean."""
    return (
        Case("preact", "bn_after_addition_hurts_imagenet", spread),
        Case("preact", "bn_after_addition_hurts_imagenet", spread, uneven=2.0),
        Case("resnext", "cardinality_beats_depth_and_width", spread),
        Case("resnext", "saturation_at_small_width", spread),
        Case("resnext", "cardinality_beats_width", spread),
        Case("resnet", "shallow_plain_equals_residual", spread),
        Case("stochastic_depth", "sd_gain_without_augmentation", 0.01, relative=True),
        Case("preact", "scaling_breaks_training", spread),
        Case("mobilenet", "quadratic_cost", 0.02, relative=True),
    )


def calibrate(
    cases: Sequence[Case] | None = None,
    seeds: Iterable[int] = SEEDS,
    truths: Iterable[str] = tuple(TRUTHS),
    sweeps: int = 1000,
    generator_seed: int = 0,
) -> pd.DataFrame:
    """Rates of each outcome over simulated sweeps, one row a case, truth and number of seeds.

    Columns: claim, kind, spread, relative, uneven, truth, seeds, sweeps, reproduced, contradicted, undecided, and
    wrong: every decision where the truth is "none", "contradicted" where the claim is true. A claim stands alone,
    without Holm.
    """
    chosen = cases if cases is not None else default_cases(printed_spread())
    cells = product(chosen, truths, seeds)
    return pd.DataFrame([_rates(case, truth, count, sweeps, generator_seed) for case, truth, count in cells])


def _rates(case: Case, truth: str, seeds: int, sweeps: int, generator_seed: int) -> dict[str, object]:
    # a generator for each cell, so that one of them can be computed again without the others
    generator = np.random.default_rng([generator_seed, *f"{case} {truth} {seeds}".encode()])
    claim, table = case.reduced(), case.table()
    guessing = dict.fromkeys(claim.test[0].metric, inf)  # only diverged runs count as collapsed here
    simulated = _sweeps(case, claim, table, truth, seeds, sweeps, generator)
    weighed = [weigh_claim(claim, table, samples, guessing) for samples in simulated]
    outcomes = [w.outcome(w.p) for w in weighed]
    rates = {o.value: outcomes.count(o) / sweeps for o in (Outcome.REPRODUCED, Outcome.CONTRADICTED, Outcome.UNDECIDED)}
    wrong = rates["contradicted"] + (rates["reproduced"] if truth == "none" else 0.0)
    labels = {"claim": claim.id, "kind": claim.test[0].kind, "spread": case.spread, "relative": case.relative}
    return {**labels, "uneven": case.uneven, "truth": truth, "seeds": seeds, "sweeps": sweeps, **rates, "wrong": wrong}


def _sweeps(
    case: Case, claim: Claim, table: Table, truth: str, seeds: int, sweeps: int, generator: np.random.Generator
) -> Iterator[dict[Cell, Sample]]:
    """One set of samples a sweep."""
    test, share = claim.test[0], TRUTHS[truth]
    means = true_means(test, table, share)
    healthy = np.zeros(seeds, dtype=bool)
    runs = tuple(("", seed) for seed in range(seeds))
    for _ in range(sweeps):
        samples = {}
        for position, (cell, mean) in enumerate(means.items()):
            spread = case.spread * (abs(mean) if case.relative else 1.0) * (case.uneven if position == 0 else 1.0)
            failed = generator.random(seeds) < (1 + share) / 2 if isinstance(test, CollapseTest) else healthy
            samples[cell] = Sample(mean + spread * generator.standard_normal(seeds), failed, runs)
        yield samples


def true_means(test: ClaimTest, table: Table, share: float) -> Means:
    """The mean of every row that `test` looks at, when `share` of the published effect is true."""
    match test:
        case OrderTest():
            compared = [[cell for c in comparisons for cell in c.cells] for _, comparisons in order(test, table)]
            return _shrunk(compared, table, share)
        case TrendTest():
            asked = product(test.ladders(table.params()), test.metric)
            cells = [[Cell(row, metric) for row in chain(*ladder.steps.values())] for ladder, metric in asked]
            return _shrunk(cells, table, share)
        case EqualTest():
            return _apart(test, table, share)
        case RatioTest():
            return _in_ratio(test, table, share)
        case GrowthTest():
            return _grown(test, table, share)
        case CollapseTest():
            return {Cell(row, metric): 0.0 for metric in test.metric for row in test.rows}
        case ExactTest():
            raise ValueError("an exact test meets no spread")


def _grown(test: GrowthTest, table: Table, share: float) -> Means:
    """Rows that follow a power law whose exponent goes from the upper bound to the claimed one."""
    exponent = test.exponent + test.tolerance * (1 - share)
    steps = test.ladders(table.params())[0].steps
    return {Cell(row, metric): level**exponent for metric in test.metric for level in steps for row in steps[level]}


def _published(table: Table, cell: Cell) -> float:
    value = table.row(cell.row).published[cell.metric or ""]
    assert isinstance(value, (int, float)), f"{cell.row} has no printed {cell.metric}"
    return float(value)


def _shrunk(conditions: list[list[Cell]], table: Table, share: float) -> Means:
    """Each condition's rows drawn towards their common mean."""
    means: Means = {}
    for cells in conditions:
        published = {cell: _published(table, cell) for cell in cells}
        centre = sum(published.values()) / len(published)
        means |= {cell: centre + share * (value - centre) for cell, value in published.items()}
    return means


def _apart(test: EqualTest, table: Table, share: float) -> Means:
    """Two rows whose difference goes from the margin to the published one."""
    first, second = (Cell(cell.row, cell.metric or test.metric[0]) for cell in test.rows[:2])
    base, published = _published(table, first), _published(table, second)
    side = 1.0 if published >= base else -1.0
    difference = side * test.margin * (1 - share) + share * (published - base)
    return {first: base, second: base + difference}


def _in_ratio(test: RatioTest, table: Table, share: float) -> Means:
    """Two rows whose ratio goes from the nearest bound to the published one, on the logarithmic scale."""
    means: Means = {}
    for metric in test.metric:
        above, below = Cell(test.numerator.row, metric), Cell(test.denominator.row, metric)
        base, published = _published(table, below), log(_published(table, above) / _published(table, below))
        bound = min((log(b) for b in test.bounds() if b), key=lambda b: abs(b - published))
        means |= {below: base, above: base * exp(bound + share * (published - bound))}
    return means
