"""How often the engine is wrong, and how often it answers: simulated sweeps of which the truth is known.

The sweeps go through the engine's own comparisons and looks, thousands at a time. The spread is that of the prior at
the level of a laptop's networks; how rows, seeds and runs depart from it is a cell's setting.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from replicate.papers.claims import Cell
from replicate.verdicts.claim import tree_of
from replicate.verdicts.collapse import decided, lead
from replicate.verdicts.comparisons import Comparison, conditions_of
from replicate.verdicts.evidence import State
from replicate.verdicts.frame import Values
from replicate.verdicts.looks import LOOKS, PLAN, planned
from replicate.verdicts.prior import Prior
from replicate.verdicts.quantities import Quantity
from replicate.verdicts.replay import HOLDS, OPPOSITE, Replay, replay
from replicate.verdicts.scenarios import METRIC, NO_EFFECT, SHARES, Scenario, scenarios, tests_of
from replicate.verdicts.verdict import Outcome

LIMITS = (3, 5, 8, 16)
"""Numbers of seeds at which the plan of looks may end."""
ANSWERS = (Outcome.HOLDS, Outcome.OPPOSITE, Outcome.SMALLER, Outcome.UNDECIDED)
OUTLIERS, FAR = 0.1, 5.0

Codes = NDArray[np.int8]
"""Answers as places in ANSWERS."""


@dataclass(frozen=True)
class Spreads:
    """How runs scatter.

    scale: how many times the prior's spread every row has. end: how many times that the first row has. freedom: degrees
    of freedom of the rows' own variances about the prior; infinite: all alike. noise: normal, t3 or outliers (one run
    of ten scatters five times as far). shared: correlation of runs with the same seed. shows_power: one of the spreads
    under which true effects are simulated.
    """

    name: str
    scale: float = 1.0
    end: float = 1.0
    freedom: float = np.inf
    noise: str = "normal"
    shared: float = 0.0
    shows_power: bool = False


def settings_of(prior: Prior) -> tuple[Spreads, ...]:
    """The spreads of the page; `prior` tells how the records' rows scatter about it."""
    return (
        Spreads("equal", shows_power=True),
        Spreads("as in the records", freedom=prior.kinds[METRIC].freedom, shows_power=True),
        Spreads("one end 3 x", end=3.0, shows_power=True),
        Spreads("one end 5 x", end=5.0),
        Spreads("heavy tails (t3)", noise="t3"),
        Spreads("10 % outliers", noise="outliers"),
        Spreads("seeds in common (0.5)", shared=0.5),
        Spreads("prior 2 x too small", scale=2.0),
        Spreads("prior 3 x too small", scale=3.0),
        Spreads("prior 2 x too large", scale=0.5),
        Spreads("prior 3 x too large", scale=1 / 3),
    )


def simulate(scenario: Scenario, spreads: Spreads, prior: Prior, sweeps: int, seed: int = 0) -> Values:
    """Runs (sweeps, rows, seeds) of every row at the prior's typical level."""
    # a generator for each cell, so that one of them can be computed again without the others
    generator = np.random.default_rng([seed, *f"{scenario.name} {scenario.truth} {spreads.name}".encode()])
    kind = prior.kinds[METRIC]
    means = kind.typical * np.array(list(scenario.rows.values()))
    deviations = np.sqrt(kind.variance(means)) * spreads.scale * np.where(np.arange(len(means)) == 0, spreads.end, 1.0)
    shape = (sweeps, len(means), LOOKS[-1])
    scatter = deviations[:, None] * _noise(spreads, shape, generator)
    if np.isfinite(spreads.freedom):
        chi = generator.chisquare(spreads.freedom, shape[:2])
        scatter *= np.sqrt(spreads.freedom / chi)[..., None]
    values: Values = np.maximum(means[:, None] + scatter, 0.01)
    return values


def _noise(spreads: Spreads, shape: tuple[int, int, int], generator: np.random.Generator) -> Values:
    """Noise of variance one (t3: of the scale that its quartiles have)."""
    if spreads.noise == "t3":
        return generator.standard_t(3, shape) / np.sqrt(3.0)
    noise = generator.standard_normal(shape)
    if spreads.noise == "outliers":
        far = np.where(generator.random(shape) < OUTLIERS, FAR, 1.0)
        return noise * far / np.sqrt(1 - OUTLIERS + OUTLIERS * FAR**2)
    if spreads.shared:
        common = generator.standard_normal((shape[0], 1, shape[2]))
        return np.sqrt(spreads.shared) * common + np.sqrt(1 - spreads.shared) * noise
    return noise


def answers(scenario: Scenario, values: Values, prior: Prior) -> dict[int, Codes]:
    """Limit of seeds -> the answer of each sweep (as a place in ANSWERS)."""
    rows = list(scenario.rows)
    comparisons, tree = _comparisons(scenario)
    replays = []
    for comparison in comparisons:
        places = [rows.index(cell.row) for cell in comparison.cells]
        quantities = [Quantity(METRIC)] * len(places)
        replays.append(replay(values[:, places], comparison, quantities, prior, PLAN, tree))
    return {limit: _answer(comparisons, replays, LOOKS.index(limit)) for limit in LIMITS}


def _comparisons(scenario: Scenario) -> tuple[list[Comparison], tuple[float, ...]]:
    """What the claim asks of the rows, and how its comparisons hang together."""
    samples: dict[Cell, Any] = {Cell(row, METRIC): None for row in scenario.rows}
    chosen = [list(conditions_of(test, scenario.table, samples)) for test in scenario.tests]
    found = [c for kept in chosen for condition in kept for c in condition.comparisons]
    return found, tree_of(scenario.tests, chosen)


def _answer(comparisons: Sequence[Comparison], replays: Sequence[Replay], last: int) -> Codes:
    """The claim's answer when the plan ends at look `last`, as :class:`Assessment` has it."""
    shape = replays[0].state.shape
    holds, small, opposite = np.ones(shape, bool), np.ones(shape, bool), np.zeros(shape, bool)
    all_shown, seen_reversed = np.ones(shape, bool), np.zeros(shape, bool)
    for comparison, found in zip(comparisons, replays, strict=True):
        state = np.where(found.decided <= last, found.state, 0)
        opposite |= (state == OPPOSITE) & comparison.refutes
        if comparison.required:
            all_shown &= state == HOLDS
            small &= (state == HOLDS) | (found.small_at <= last)
        else:
            value, region = found.estimates[last].value, comparison.region
            seen_reversed |= ~((region.low < value) & (value < region.high))
    holds = all_shown & ~seen_reversed
    return np.select([opposite, holds, small & ~all_shown], [1, 0, 2], 3).astype(np.int8)


def rates(scenario: Scenario, spreads: Spreads, prior: Prior, sweeps: int, seed: int = 0) -> pd.DataFrame:
    """One row a limit of seeds: the share of each answer, of the right ones and of the wrong ones."""
    found = answers(scenario, simulate(scenario, spreads, prior, sweeps, seed), prior)
    head = {"claim": scenario.name, "truth": scenario.truth, "spread": spreads.name, "sweeps": sweeps}
    lines = []
    for limit, codes in found.items():
        shares = {answer.value: float(np.mean(codes == place)) for place, answer in enumerate(ANSWERS)}
        right, wrong = (sum(shares[o.value] for o in outcomes) for outcomes in (scenario.right, scenario.wrong))
        lines.append({**head, "seeds": limit, **shares, "right": right, "wrong": wrong})
    return pd.DataFrame(lines)


def calibrate(
    sweeps: int = 2000,
    prior: Prior | None = None,
    chosen: Iterable[Scenario] | None = None,
    spreads: Sequence[Spreads] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """The rates of every scenario: under every spread where it tests for wrong answers, else under three."""
    known = prior or Prior.load()
    settings = spreads or settings_of(known)
    found = []
    for scenario in chosen if chosen is not None else scenarios():
        true_effect = scenario.truth in SHARES and scenario.truth != NO_EFFECT
        used = [s for s in settings if s.shows_power] if true_effect and spreads is None else settings
        found += [rates(scenario, setting, known, sweeps, seed) for setting in used]
    return pd.concat(found, ignore_index=True)


def looked_at_once(sweeps: int, prior: Prior | None = None, seed: int = 0) -> pd.DataFrame:
    """Two rows at a fixed number of seeds, as at paper scale, with the prior's spread declared or without any."""
    known = prior or Prior.load()
    pairs = [s for s in scenarios() if s.name == "two rows" and s.truth in SHARES]
    lines = []
    for scenario, seeds, lent in product(pairs, (1, 2, 3, 5, 8, 16), (known, None)):
        if seeds == 1 and lent is None:
            continue
        values = simulate(scenario, Spreads("equal"), known, sweeps, seed)[..., :seeds]
        comparison = _comparisons(scenario)[0][0]
        found = replay(values, comparison, [Quantity(METRIC)] * 2, lent, planned(seeds, once=True))
        holds, opposite = (float(np.mean(found.state == state)) for state in (HOLDS, OPPOSITE))
        wrong = opposite + (holds if scenario.truth == NO_EFFECT else 0.0)
        declared = "declared" if lent else "of the runs alone"
        head = {"truth": scenario.truth, "spread": declared, "seeds": seeds, "sweeps": sweeps}
        lines.append({**head, "holds": holds, "opposite": opposite, "wrong": wrong})
    return pd.DataFrame(lines)


def any_of(claims: int, sweeps: int, prior: Prior | None = None, seed: int = 0) -> float:
    """How often one or more of so many claims without effect, which share a row, is decided over all looks."""
    known = prior or Prior.load()
    rows = {"a": 1.0, **{f"b{place}": 1.0 for place in range(claims)}}
    tests = tests_of({"kind": "order", "ascending": ["a", "b0"]})
    scenario = Scenario("a table", NO_EFFECT, tests, rows, frozenset(), frozenset())
    values = simulate(scenario, settings_of(known)[1], known, sweeps, seed)
    [comparison], _ = _comparisons(scenario)
    pairs = [values[:, [0, place]] for place in range(1, claims + 1)]
    found = [replay(pair, comparison, [Quantity(METRIC)] * 2, known, PLAN).state for pair in pairs]
    return float(np.mean(np.any(np.stack(found) != 0, axis=0)))


FAILING = {"no run fails": 0.0, "1 of 4 fail": 0.25, "half fail": 0.5, "3 of 4 fail": 0.75, "all fail": 1.0}


def collapses(sweeps: int, seed: int = 0) -> pd.DataFrame:
    """Rates of the answers on whether most runs of a row fail. Between 1 of 4 and 3 of 4 neither answer is wrong."""
    lines = []
    for (truth, share), limit in product(FAILING.items(), LIMITS):
        generator = np.random.default_rng([seed, *truth.encode()])
        looks = [look for look in LOOKS if look <= limit]
        failed = generator.random((sweeps, LOOKS[-1])) < share
        states = [decided(list(map(bool, runs)), looks, lead())[0] for runs in failed]
        holds, opposite = (float(np.mean([s is state for s in states])) for state in (State.HOLDS, State.OPPOSITE))
        wrong = holds if share <= 0.25 else opposite if share >= 0.75 else 0.0
        head = {"truth": truth, "seeds": limit, "sweeps": sweeps}
        shares = {"holds": holds, "opposite": opposite, "undecided": 1 - holds - opposite}
        lines.append({**head, **shares, "wrong": wrong})
    return pd.DataFrame(lines)
