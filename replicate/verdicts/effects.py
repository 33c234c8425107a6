"""Effects as shares of the level: the one that a paper printed, and the smallest one that so many seeds can see.

What is small enough to be seen follows from the prior spread and the number of seeds, never from an observed effect:
"so many seeds would decide" computed from the observed effect is noise, and following it errs in 13 % of null sweeps.
"""

from collections.abc import Sequence
from math import ceil, exp, log, sqrt

import numpy as np
from scipy import special

from replicate.papers.claims import Cell
from replicate.papers.printed import is_number
from replicate.papers.schema import Table
from replicate.verdicts.comparisons import Comparison
from replicate.verdicts.frame import Values
from replicate.verdicts.looks import LOOKS, PLAN, Look
from replicate.verdicts.prior import Prior
from replicate.verdicts.quantities import Quantity
from replicate.verdicts.replay import borrowed, level_of

POWER = 0.8
DETECTABLE = 2.8
"""1.96 + 0.84 standard errors: seen with power 0.8 by a two-sided 5 % test of known spread."""
SEEN = dict(zip(LOOKS, (3.85, 3.09, 2.60, 2.25, 1.81, 1.69, 1.47, 1.30), strict=True))
"""Difference of two rows, in standard deviations between runs, that the looks up to so many seeds show with power 0.8.

Simulated (tests/verdicts/test_power.py repeats it) for rows that scatter as the prior expects.
"""


def published_value(table: Table | None, cell: Cell) -> float | None:
    """The number that the table prints for the cell."""
    rows = [row for row in table.rows if row.variant == cell.row] if table else []
    value = rows[0].published.get(cell.metric or "") if len(rows) == 1 else None
    return float(value) if is_number(value) else None


def published_effect(
    comparison: Comparison, table: Table | None, quantities: Sequence[Quantity]
) -> tuple[float | None, float | None]:
    """The comparison's effect on the printed numbers, and as a share of their level; None where one is not printed."""
    found = [published_value(table, cell) for cell in comparison.cells]
    values = [value for value in found if value is not None]
    if len(values) < len(found):
        return None, None
    means, weights = np.array(values), np.array(comparison.weights)
    means = 100 - means if comparison.complement else means
    level = float(level_of(means, comparison, quantities))
    if comparison.logarithmic:
        if min(values) <= 0:
            return None, None
        effect = float(np.log(means) @ weights)
        return effect, exp(effect) - 1 if comparison.balanced else None
    effect = float(means @ weights)
    return effect, effect / level if level > 0 and comparison.balanced else None


def smallest_effect(
    means: Values, comparison: Comparison, quantities: Sequence[Quantity], prior: Prior | None, look: Look
) -> float | None:
    """The relative effect that the looks up to `look` show with power 0.8; None without a prior or a level.

    means: of the rows. From the prior spread at these means, not from that of the runs.
    """
    lent = borrowed(means, np.ones(means.shape), quantities, prior)
    weights = np.array(comparison.weights)
    level = float(level_of(means, comparison, quantities))
    if not np.isfinite(lent.variance).all() or level <= 0 or not comparison.balanced:
        return None
    variances = weights**2 * lent.variance / (means**2 if comparison.logarithmic else level**2)
    seen = seen_by(look, float(np.min(lent.freedom)) + look.runs - 1) * sqrt(float(np.sum(variances)) / 2)
    return exp(seen) - 1 if comparison.logarithmic else seen


def seen_by(look: Look, freedom: float) -> float:
    """Difference of two rows in standard deviations that is shown with power 0.8, where each row has `freedom`."""
    if look in PLAN:
        return SEEN[look.runs]
    both = 2 * freedom
    return float(special.stdtrit(both, 1 - look.alpha) + special.stdtrit(both, POWER)) * sqrt(2 / look.runs)


def seeds_for(relative: float, coefficient: float, squares: float = 2.0) -> int:
    """Seeds a row that see a `relative` effect with power 0.8: 2 (2.8 CV / effect)^2.

    coefficient: standard deviation between runs as a share of the level. squares: sum of the squared weights, 2 for two
    rows.
    """
    return max(2, ceil(squares * (DETECTABLE * coefficient / relative) ** 2 - 1e-9))


def log_margin(margin: float, level: float) -> float:
    """The bound of a log ratio that an absolute `margin` at `level` is."""
    share = min(margin / level, 1.9) if level > 0 else 1.9
    return log((1 + share / 2) / (1 - share / 2))
