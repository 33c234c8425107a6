"""Before a run: which effects so many seeds can see, beside those that the paper printed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from replicate.papers.claims import Cell, CollapseTest, ExactTest
from replicate.papers.schema import Claim, Table
from replicate.verdicts.claim import may_use_loss
from replicate.verdicts.comparisons import Comparison, conditions_of
from replicate.verdicts.effects import SEEN, published_effect, published_value, seeds_for
from replicate.verdicts.frame import Sample
from replicate.verdicts.looks import LOOKS
from replicate.verdicts.prior import Prior
from replicate.verdicts.quantities import Quantity, quantity


@dataclass(frozen=True)
class Sight:
    """What a plan can see of one claim.

    comparison: the one of the least published effect among those that must be shown. published: that effect as a share
    of the level; sees: the least that `seeds` seeds see with power 0.8; needed: seeds a row that see the published one.
    metric: what decides. reason: why there are no numbers.
    """

    claim: str
    statement: str
    seeds: int
    comparison: str = ""
    metric: str = ""
    published: float | None = None
    sees: float | None = None
    needed: int | None = None
    reason: str = ""

    @property
    def can_see(self) -> bool:
        """Whether the published effect is large enough for so many seeds."""
        return self.published is not None and self.sees is not None and abs(self.published) >= self.sees


def sights(
    claims: Sequence[Claim],
    table: Table,
    seeds: int,
    *,
    measured: Mapping[str, str] | None = None,
    surrogate: Mapping[str, str] | None = None,
    levels: Mapping[str, float] | None = None,
    prior: Prior | None = None,
) -> list[Sight]:
    """One answer a claim, from the prior spread and the published numbers; nothing need have been run.

    measured, surrogate: as for :func:`replicate.verdicts.judge_all`. levels: metric -> the level that is expected of
    it; by default that of the median variant in the prior.
    """
    known = prior or Prior.load()
    return [_sight(claim, table, seeds, measured or {}, surrogate or {}, levels or {}, known) for claim in claims]


def _sight(
    claim: Claim,
    table: Table,
    seeds: int,
    measured: Mapping[str, str],
    surrogate: Mapping[str, str],
    levels: Mapping[str, float],
    prior: Prior,
) -> Sight:
    blank = Sight(claim.id, claim.statement, seeds)
    if claim.test and all(isinstance(t, ExactTest) or getattr(t, "counted", False) for t in claim.test):
        return replace(blank, reason="counted, not trained: one run decides")
    losses = surrogate if may_use_loss(claim) else {}
    found = list(_printed(claim, table, measured))
    if not found:
        collapse = any(isinstance(test, CollapseTest) for test in claim.test)
        reason = "whether runs fail is no matter of a published number" if collapse else "the paper prints no numbers"
        return replace(blank, reason=reason)
    comparison, quantities, effect = min(found, key=lambda line: abs(line[2]))
    spread = _coefficient(comparison, quantities, losses, levels, prior)
    if spread is None:
        return replace(blank, comparison=comparison.label, published=effect, reason="no prior spread of this metric")
    metric, coefficient = spread
    squares = float(np.sum(np.square(comparison.weights)))
    looks = [look for look in LOOKS if look <= seeds]
    answer = replace(blank, comparison=comparison.label, metric=metric, published=effect)
    answer = replace(answer, sees=SEEN[looks[-1]] * coefficient * sqrt(squares / 2) if looks else None)
    value = published_effect(comparison, table, quantities)[0]
    if value is not None and not comparison.region.contains(value):
        return replace(answer, reason="the published numbers themselves do not show it")
    return replace(answer, needed=seeds_for(effect, coefficient, squares) if effect else None)


def _printed(
    claim: Claim, table: Table, measured: Mapping[str, str]
) -> Iterator[tuple[Comparison, list[Quantity], float]]:
    """Every comparison that must be shown and has a published relative effect."""
    cells = {Cell(row.variant, column) for row in table.rows for column in row.published}
    nothing = Sample(np.array([]), np.array([], dtype=bool))
    printed = {cell: nothing for cell in cells if published_value(table, cell) is not None}
    for test in claim.test:
        if isinstance(test, (CollapseTest, ExactTest)) or test.counted:
            continue
        for comparison in (c for condition in conditions_of(test, table, printed) for c in condition.comparisons):
            quantities = [quantity(cell.metric or "", table, measured) for cell in comparison.cells]
            effect = published_effect(comparison, table, quantities)[1] if comparison.required else None
            if effect is not None:
                yield comparison, quantities, effect


def _coefficient(
    comparison: Comparison,
    quantities: Sequence[Quantity],
    losses: Mapping[str, str],
    levels: Mapping[str, float],
    prior: Prior,
) -> tuple[str, float] | None:
    """The metric that decides, and its standard deviation between runs as a share of the level."""
    column, kind = comparison.cells[0].metric or "", quantities[0].kind
    metric = losses.get(column, kind) if quantities[0].is_test_error else kind
    spread = prior.kinds.get(metric)
    if spread is None or quantities[0].is_other:
        return None
    level = levels.get(metric, spread.typical)
    return metric, sqrt(float(spread.variance(np.array(level)))) / level
