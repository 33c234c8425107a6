"""How big an experiment is run, and what its file says of each size."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, Self

from replicate.errors import unknown


class Scale(StrEnum):
    """From seconds to the paper's own size; `exact` is the only scale of what is counted or computed."""

    SMOKE = "smoke"
    LAPTOP = "laptop"
    PAPER = "paper"
    PRETRAINED = "pretrained"
    EXACT = "exact"

    @property
    def comparable(self) -> bool:
        """Whether trained networks may be compared with the printed numbers: same data, sizes and recipe."""
        return self in (Scale.PAPER, Scale.PRETRAINED)

    @property
    def judged(self) -> bool:
        """Whether a claim can be judged by it: smoke scale shows only that everything runs."""
        return self is not Scale.SMOKE

    @classmethod
    def named(cls, name: str) -> Self:
        """The scale called `name`. Raises UserError with the nearest one."""
        if name not in list(cls):
            raise unknown("scale", name, list(cls))
        return cls(name)


SMALL = (Scale.SMOKE, Scale.LAPTOP)
"""What `small` stands for in an experiment's file."""

Where = Scale | Literal["all", "small"]
"""One scale, or several of them."""


def lines_at(lines: Mapping[Where, tuple[str, ...]], scale: Scale) -> tuple[str, ...]:
    """The lines that hold at `scale`, those of every scale first."""
    return (*lines.get("all", ()), *(lines.get("small", ()) if scale in SMALL else ()), *lines.get(scale, ()))
