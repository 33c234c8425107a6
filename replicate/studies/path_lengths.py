"""Study `path_lengths`: how many paths of which length a chain of blocks has (Veit et al. 2016, sections 3 and 5).

Counted block by block in whole numbers, not by the binomial formula that the paper derives: a path either passes
through a residual block or goes around it.
"""

from fractions import Fraction
from typing import NamedTuple

from replicate.experiments.run_config import RunConfig
from replicate.runs.records import curve, singles
from replicate.runs.task import Outcome, Task
from replicate.studies.options import LengthOptions


class Ways(NamedTuple):
    """How many ways a path has around a block, and how many through it."""

    around: int
    through: int


INTACT = {"residual": Ways(1, 1), "plain": Ways(0, 1)}
DELETED = {"residual": Ways(1, 0), "plain": Ways(0, 0)}


def run(task: Task[RunConfig[LengthOptions]]) -> Outcome:
    """Measures the curves `paths`, path_share (percent) and `survivors` (share) over the length.

    Single values: path_count, paths_left (share of the intact network's), mean_length, `share` (percent of the paths
    with low ... high blocks) and survivors_5, ... for the lengths in options.at.
    """
    options = task.run.config.options
    intact = path_lengths([INTACT[options.network]] * options.blocks)
    counts = path_lengths(after_deletion(options))
    left = [Fraction(now, before) if before else None for now, before in zip(counts, intact, strict=True)]
    values = {
        "path_count": Fraction(sum(counts)),
        "paths_left": Fraction(sum(counts), sum(intact)),
        **{f"survivors_{length}": left[length] for length in options.at},
        **(distribution(counts, options.low, options.high) if any(counts) else {}),
    }
    return Outcome(
        (
            *singles(values),
            *curve("paths", enumerate(counts)),
            *curve("path_share", enumerate(Fraction(100 * count, sum(counts) or 1) for count in counts)),
            *curve("survivors", enumerate(left)),
        )
    )


def after_deletion(options: LengthOptions) -> list[Ways]:
    """The blocks of the network, the deleted ones last: their order does not matter."""
    kept = options.blocks - min(options.deleted, options.blocks)
    return [INTACT[options.network]] * kept + [DELETED[options.network]] * (options.blocks - kept)


def path_lengths(blocks: list[Ways]) -> list[int]:
    """How many paths pass through 0, 1, ... blocks."""
    counts = [1]
    for block in blocks:
        counts = [
            block.around * same + block.through * shorter
            for same, shorter in zip([*counts, 0], [0, *counts], strict=True)
        ]
    return counts


def distribution(counts: list[int], low: int | None, high: int | None) -> dict[str, Fraction]:
    """The mean length, and the share of the lengths low ... high in percent."""
    total = sum(counts)
    found = {"mean_length": Fraction(sum(length * count for length, count in enumerate(counts)), total)}
    if low is not None and high is not None:
        found["share"] = Fraction(100 * sum(counts[low : high + 1]), total)
    return found
