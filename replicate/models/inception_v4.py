"""Inception-v4 of Szegedy et al. 2016, "Inception-v4, Inception-ResNet and the Impact of Residual Connections".

Where paper and well-known code differ: figure 5 (17x17 module) prints 1x7 twice where the code, and so timm and this
file, has a 1x7 and a 7x1.
"""

from typing import NamedTuple

from replicate.models.layers.blocks import Stem
from replicate.models.layers.inception_blocks import Builder, Conv, Fork, InceptionNet, Pool, Step, Units, numbered
from replicate.models.registry import register
from replicate.models.weights import Rule, register_reference

AVERAGE = Pool("avg")
ROW, COLUMN = (1, 7), (7, 1)

STEM: list[Step] = [  # figure 3; the paper's Inception-ResNet-v2 has it too
    Conv(32, 3, 2, valid=True),
    Conv(32, 3, valid=True),
    Conv(64, 3),
    Fork([Pool("max", 2, "valid")], [Conv(96, 3, 2, valid=True)]),
    Fork(
        [Conv(64), Conv(96, 3, valid=True)],
        [Conv(64), Conv(64, ROW), Conv(64, COLUMN), Conv(96, 3, valid=True)],
    ),
    Fork([Conv(192, 3, 2, valid=True)], [Pool("max", 2, "valid")]),
]


class ReductionA(NamedTuple):
    """A row of table 1: channels of the 1x1, 3x3 and 3x3/2 of the double branch, and of the single 3x3/2."""

    k: int
    l: int  # noqa: E741 - the paper's letter
    m: int
    n: int


def reduction_a(channels: ReductionA) -> Fork:
    """35x35 to 17x17 (figure 7), shared by the three networks of the paper."""
    return Fork(
        [Conv(channels.n, 3, 2, valid=True)],
        [Conv(channels.k), Conv(channels.l, 3), Conv(channels.m, 3, 2, valid=True)],
        [Pool("max", 2, "valid")],
    )


MODULE_A = Fork(  # figure 4
    [Conv(96)],
    [Conv(64), Conv(96, 3)],
    [Conv(64), Conv(96, 3), Conv(96, 3)],
    [AVERAGE, Conv(96)],
)
MODULE_B = Fork(  # figure 5
    [Conv(384)],
    [Conv(192), Conv(224, ROW), Conv(256, COLUMN)],
    [Conv(192), Conv(192, COLUMN), Conv(224, ROW), Conv(224, COLUMN), Conv(256, ROW)],
    [AVERAGE, Conv(128)],
)
REDUCTION_B = Fork(  # figure 8
    [Conv(192), Conv(192, 3, 2, valid=True)],
    [Conv(256), Conv(256, ROW), Conv(320, COLUMN), Conv(320, 3, 2, valid=True)],
    [Pool("max", 2, "valid")],
)
SPLIT = Fork([Conv(256, (1, 3))], [Conv(256, (3, 1))])
MODULE_C = Fork(  # figure 6
    [Conv(256)],
    [Conv(384), SPLIT],
    [Conv(384), Conv(448, (3, 1)), Conv(512, (1, 3)), SPLIT],
    [AVERAGE, Conv(256)],
)


@register
def inception_v4(
    blocks: tuple[int, int, int] = (4, 7, 3),
    dropout: float = 0.2,
    stem: Stem = "imagenet",
    width: float = 1.0,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> InceptionNet:
    """Figure 9. `blocks` counts the modules A, B and C. Minimum input 75 pixels, with the small stem 7."""
    units = Units(width)

    def repeat(*forks: Fork) -> dict[str, Builder]:
        return units.builders(numbered(forks))

    stages = {
        "A": repeat(*[MODULE_A] * blocks[0]),
        "B": repeat(reduction_a(ReductionA(192, 224, 256, 384)), *[MODULE_B] * blocks[1]),
        "C": repeat(REDUCTION_B, *[MODULE_C] * blocks[2]),
    }
    return InceptionNet(units.stem(in_channels, STEM, stem), stages, num_classes, in_channels, dropout)


def _timm_block(index: int) -> str:
    """timm counts stem and modules in one row: 0-5 stem, 6-9 A, 10-17 reduction and B, 18-21 reduction and C."""
    for first, place in ((18, "stages.C"), (10, "stages.B"), (6, "stages.A")):
        if index >= first:
            return f"{place}.{index - first}"
    return f"stem.{index}"


TIMM_NAMES: tuple[Rule, ...] = (
    (r"^features\.(\d+)", lambda match: _timm_block(int(match[1]))),
    (r"^stem\.3\.conv\.", "stem.3.1.0."),
    (r"^stem\.5\.conv\.", "stem.5.0.0."),
    (r"\.branch(\d)_(\d)([ab])\.", lambda match: f".{match[1]}.{match[2]}.{'ab'.index(match[3])}.0."),
    (r"\.branch(\d)_(\d)\.", r".\1.\2."),
    (r"\.branch(\d)\.(conv|bn)\.", r".\1.0.\2."),
    (r"\.branch(\d)\.(\d)\.", r".\1.\2."),
    (r"^last_linear\.", "fc."),
)
register_reference("timm", ["inception_v4"], TIMM_NAMES)
