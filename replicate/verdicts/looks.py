"""Planned looks at growing numbers of seeds: the answer is a function of the records, and 5 % hold over all looks.

Three, 4, 5, 6, 8, 10, 13 and 16 seeds are looked at, each time at a level of which the sum of the chances to err is
kept (spending as Lan and DeMets 1983, most of it by the eighth seed). Runs are taken in the order of their seeds, not
of their arrival; those between two looks wait for the next, those beyond the sixteenth seed never count. A comparison
once shown stays shown. Naive looks with 5 % each would err in 17 %. For normal runs of known spread the levels add up
to 2 % a side, not 2.5: what rows borrow from a prior that is off by a factor of two or three errs a little too.
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
        (0.0080, 0.0052, 0.0047, 0.0051, 0.0066, 0.0028, 0.0028, 0.0028),
        (0.0168, 0.0109, 0.0099, 0.0107, 0.0139, 0.0059, 0.0059, 0.0059),
    )
)


def planned(seeds: int, once: bool = False) -> tuple[Look, ...]:
    """The looks that `seeds` seeds allow; with `once` a single one at all of them, for a number fixed beforehand."""
    if once:
        return (Look(seeds, SINGLE, 2 * SINGLE),) if seeds else ()
    return tuple(look for look in PLAN if look.runs <= seeds)
