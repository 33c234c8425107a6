"""Several comparisons in one claim: at which level each must be tested so that none errs by chance."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import optimize, special

from replicate.verdicts.frame import Values


def correlations(weights: Values, one_sided: Sequence[bool]) -> tuple[float, ...]:
    """The largest correlations that link `weights` (comparisons, cells) into a tree, for rows of equal spread.

    Taken from the design, not from the runs, so that a claim's level does not depend on its data. A comparison with two
    bounds can fail on either side, so that its correlation with others helps nothing: 0.
    """
    sizes = np.linalg.norm(weights, axis=1, keepdims=True)
    matrix = np.clip((weights / sizes) @ (weights / sizes).T, 0.0, 1.0)
    matrix[~np.asarray(one_sided)] = 0.0
    matrix[:, ~np.asarray(one_sided)] = 0.0
    return tuple(round(edge, 6) for edge in _spanning_tree(matrix))


def _spanning_tree(matrix: Values) -> list[float]:
    """The edges of the maximum spanning tree (Prim's algorithm)."""
    reach, edges = matrix[0].copy(), []
    inside = np.zeros(len(matrix), dtype=bool)
    inside[0] = True
    while not inside.all():
        nearest = int(np.argmax(np.where(inside, -1.0, reach)))
        edges.append(float(reach[nearest]))
        inside[nearest] = True
        reach = np.maximum(reach, matrix[nearest])
    return edges


def any_below(each: float, tree: Sequence[float]) -> float:
    """Upper bound of the probability that one of len(tree) + 1 p-values is at most `each` where no effect is true.

    Hunter's (1976) bound, the sum less the joint probabilities along a tree, with normal scores. At the levels that
    decide here more than two at once are rare, so that it lies next to the exact maximum of correlated t.
    """
    score = special.ndtri(each)
    joint = [each - 2 * special.owens_t(score, np.sqrt((1 - rho) / (1 + rho))) for rho in tree if rho > 0]
    return float((len(tree) + 1) * each - sum(joint))


@lru_cache(maxsize=4096)
def level_of_each(alpha: float, tree: tuple[float, ...]) -> float:
    """The level of each of len(tree) + 1 comparisons at which any one of them errs in `alpha` of the cases."""
    if not tree:
        return alpha
    least = alpha / (len(tree) + 1)
    if any_below(least, tree) >= alpha:
        return least
    return float(optimize.brentq(lambda each: any_below(each, tree) - alpha, least, alpha, xtol=1e-9))
