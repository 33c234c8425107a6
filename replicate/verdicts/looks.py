"""Planned looks at growing numbers of seeds: the answer is a function of the records, and 5 % hold over all looks.

Three, 4, 5, 6, 8, 10, 13 and 16 seeds are looked at, each time at a level of which the sum of the chances to err is
kept (Pocock's boundary with spending as Lan and DeMets 1983). Runs are taken in the order of their seeds, not of their
arrival; those between two looks wait for the next, those beyond the sixteenth seed never count. A comparison once
shown stays shown. Naive looks with 5 % each would err in 17 %. The levels of the last three looks are lower than
Pocock's, whose would suffice for normal runs of known spread: what the rows borrow from the prior errs a little, and
late looks are rarely needed.
"""

from dataclasses import dataclass

LOOKS = (3, 4, 5, 6, 8, 10, 13, 16)
SINGLE = 0.025
"""One-sided level of a comparison that is looked at once."""


@dataclass(frozen=True)
class Look:
    """A planned look: `runs` seeds a row.

    alpha: one-sided level of showing a direction; over all looks 2.5 % a side. equal: that of showing a value between
    two bounds, for which each side must be shown (TOST, 5 % over all looks).
    """

    runs: int
    alpha: float
    equal: float


PLAN = tuple(
    map(
        Look,
        LOOKS,
        (0.0069, 0.0044, 0.0040, 0.0044, 0.0058, 0.0050, 0.0052, 0.0055),
        (0.0145, 0.0092, 0.0084, 0.0092, 0.0122, 0.0105, 0.0109, 0.0116),
    )
)


def planned(seeds: int, once: bool = False) -> tuple[Look, ...]:
    """The looks that `seeds` seeds allow; with `once` a single one at all of them, for a number fixed beforehand."""
    if once:
        return (Look(seeds, SINGLE, 2 * SINGLE),) if seeds else ()
    return tuple(look for look in PLAN if look.runs <= seeds)
