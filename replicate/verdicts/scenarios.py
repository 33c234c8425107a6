"""Claims to simulate, each with a truth about its rows: what is not so, what lies on a bound, what a paper printed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from replicate.papers.claims import ClaimTest
from replicate.papers.schema import Table
from replicate.verdicts.evidence import MARGIN
from replicate.verdicts.verdict import Outcome

METRIC = "test_error"
NO_EFFECT, HALF, PUBLISHED = "no effect", "half the published effect", "the published effect"


Tests = tuple[ClaimTest, ...]


@dataclass(frozen=True)
class Scenario:
    """A claim and a truth: the rows' levels as multiples of the common one.

    right, wrong: which answers are so under this truth; any other leaves open.
    """

    name: str
    truth: str
    tests: Tests
    rows: Mapping[str, float]
    right: frozenset[Outcome]
    wrong: frozenset[Outcome]

    @property
    def table(self) -> Table:
        return table_of(tuple(self.rows))


def table_of(rows: Sequence[str]) -> Table:
    """A table of rows whose parameter `place` is their position."""
    head = {"locator": "", "about": "", "dataset": "", "protocol": "", "figures_only": False, "provenance": []}
    lines = [{"variant": row, "params": {"place": 2**i}, "published": {}} for i, row in enumerate(rows)]
    return Table.model_validate({**head, "rows": lines, "units": {METRIC: "percent"}, "confidence": "verified"})


def tests_of(*tests: Mapping[str, Any]) -> Tests:
    """The tests of a claim on the simulated metric."""
    known: TypeAdapter[ClaimTest] = TypeAdapter(ClaimTest)
    return tuple(known.validate_python({"metric": METRIC, **test}) for test in tests)


EFFECT = 0.071
"""ResNeXt-50 32x4d has 7.1 % less error than ResNet-50 1x64d (Xie et al. 2017, Table 3)."""
LADDER = (23.9, 23.0, 22.6, 22.3, 22.2)
"""The five rows at depth 50 of the same table."""

NOTHING: frozenset[Outcome] = frozenset()
HOLDS, OPPOSITE, SMALLER = (frozenset({o}) for o in (Outcome.HOLDS, Outcome.OPPOSITE, Outcome.SMALLER))
SHARES = {NO_EFFECT: 0.0, HALF: 0.5, PUBLISHED: 1.0}


def scenarios() -> tuple[Scenario, ...]:
    """Every claim and truth of the page."""
    return (*_orders(), *_trends(), *_bounded(), *_small())


def _graded(name: str, tests: Tests, rows: Mapping[str, float]) -> Iterator[Scenario]:
    """No effect, half of the published one and all of it; `rows` has all of it, as departures from the common level."""
    for truth, share in SHARES.items():
        levels = {row: 1 + share * departure for row, departure in rows.items()}
        if truth == NO_EFFECT:
            yield Scenario(name, truth, tests, levels, SMALLER, HOLDS | OPPOSITE)
        else:
            yield Scenario(name, truth, tests, levels, HOLDS, OPPOSITE)


def _orders() -> Iterator[Scenario]:
    for name, others in (("two rows", 1), ("one row below four", 4), ("one row below ten", 10)):
        rows = [f"b{place}" for place in range(others)]
        tests = tests_of({"kind": "order", "ascending": ["a", rows]})
        yield from _graded(name, tests, {"a": -EFFECT, **dict.fromkeys(rows, 0.0)})
    four = tests_of({"kind": "order", "ascending": ["a", ["b", "c", "d", "e"]]})
    one_reversed = {"a": 1 - EFFECT, "b": 1.0, "c": 1.0, "d": 1.0, "e": 1 - 2 * EFFECT}
    yield Scenario("one row below four", "one of them reversed", four, one_reversed, OPPOSITE, HOLDS)


def _trends() -> Iterator[Scenario]:
    centre = float(np.mean(LADDER))
    rows = {f"r{place}": value / centre - 1 for place, value in enumerate(LADDER)}
    for monotone in (False, True):
        tests = tests_of({"kind": "trend", "by": "place", "direction": "falling", "monotone": monotone})
        yield from _graded("ladder of five, at every step" if monotone else "ladder of five", tests, rows)
    seven = {f"r{place}": level for place, level in enumerate((1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 1.4))}
    falling = tests_of({"kind": "trend", "by": "place", "direction": "falling"})
    yield Scenario("ladder of seven", "the last row far above the first", falling, seven, NOTHING, HOLDS)


def _bounded() -> Iterator[Scenario]:
    """Two-sided claims, of which the truth lies on either side of the bound, half way and in the middle."""
    alike = tests_of({"kind": "equal", "rows": ["a", "b"], "margin": 0.1, "relative": True})
    ratio = tests_of({"kind": "ratio", "numerator": "a", "denominator": "b", "low": 0.7, "high": 0.9})
    for name, tests, middle, bound in (
        ("alike within 10 %", alike, 1.0, 1.05 / 0.95),
        ("ratio 0.7 to 0.9", ratio, 0.8, 0.9),
    ):
        yield Scenario(name, "just outside the bound", tests, {"a": bound * 1.0001, "b": 1.0}, OPPOSITE, HOLDS)
        yield Scenario(name, "just inside the bound", tests, {"a": bound * 0.9999, "b": 1.0}, HOLDS, OPPOSITE)
        yield Scenario(name, HALF, tests, {"a": (middle + bound) / 2, "b": 1.0}, HOLDS, OPPOSITE)
        yield Scenario(name, PUBLISHED, tests, {"a": middle, "b": 1.0}, HOLDS, OPPOSITE)


def _small() -> Iterator[Scenario]:
    pair = tests_of({"kind": "order", "ascending": ["a", "b"]})
    rows = {"a": 1 - MARGIN * 1.0001, "b": 1.0}
    yield Scenario("two rows", "an effect of just 10 %", pair, rows, HOLDS, SMALLER | OPPOSITE)
