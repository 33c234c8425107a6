"""Inception-ResNet v1 and v2 of Szegedy et al. 2016, "... and the Impact of Residual Connections on Learning".

Where paper and well-known code differ: the released v2 (TF-slim, timm's `inception_resnet_v2`) has another stem, one
Inception module before the residual ones, 10/20/10 blocks instead of 5/10/5, a last block without ReLU and scaling, and
a last 1x1 convolution; `inception_resnet_v2_paper` is the network of the figures. Those print 1154 and 2048 linear
channels where the sum with the shortcut needs the 1152 and 2144 that the reductions put out.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from torch import nn

from replicate.models.inception_v4 import STEM, ReductionA, reduction_a
from replicate.models.layers import inception_blocks as parts
from replicate.models.layers.blocks import Residual, Scale, Stem, named, relu
from replicate.models.layers.inception_blocks import Builder, Conv, Fork, Pool, Units, numbered
from replicate.models.registry import register, register_variants
from replicate.models.weights import Rule, register_reference

Version = Literal["v1", "v2_paper", "v2"]
ROW, COLUMN = (1, 7), (7, 1)


@dataclass(frozen=True)
class Figures:
    """One network of the paper: its stem, its three residual modules and the reductions between them."""

    stem: list[parts.Step]
    module_a: Fork
    reduction_a: Fork
    module_b: Fork
    reduction_b: Fork
    module_c: Fork
    blocks: tuple[int, int, int]
    first: Fork | None = None  # an Inception module before the residual ones
    last: Conv | None = None  # a convolution after them
    bare_end: bool = False  # the last residual block has no ReLU, and is not scaled


def reduction_b(second: int, third: int) -> Fork:
    """17x17 to 8x8 (figures 12 and 18): 1x1 and 3x3/2 twice, 1x1, 3x3 and 3x3/2, and a pool."""
    return Fork(
        [Conv(256), Conv(384, 3, 2, valid=True)],
        [Conv(256), Conv(second, 3, 2, valid=True)],
        [Conv(256), Conv(second, 3), Conv(third, 3, 2, valid=True)],
        [Pool("max", 2, "valid")],
    )


STEM_V1: list[parts.Step] = [  # figure 14
    Conv(32, 3, 2, valid=True),
    Conv(32, 3, valid=True),
    Conv(64, 3),
    Pool("max", 2, "valid"),
    Conv(80),
    Conv(192, 3, valid=True),
]
V1 = Figures(
    stem=[*STEM_V1, Conv(256, 3, 2, valid=True)],
    module_a=Fork([Conv(32)], [Conv(32), Conv(32, 3)], [Conv(32), Conv(32, 3), Conv(32, 3)]),  # figure 10
    reduction_a=reduction_a(ReductionA(192, 192, 256, 384)),
    module_b=Fork([Conv(128)], [Conv(128), Conv(128, ROW), Conv(128, COLUMN)]),  # figure 11
    reduction_b=reduction_b(256, 256),
    module_c=Fork([Conv(192)], [Conv(192), Conv(192, (1, 3)), Conv(192, (3, 1))]),  # figure 13
    blocks=(5, 10, 5),
)
V2_PAPER = Figures(
    stem=STEM,
    module_a=Fork([Conv(32)], [Conv(32), Conv(32, 3)], [Conv(32), Conv(48, 3), Conv(64, 3)]),  # figure 16
    reduction_a=reduction_a(ReductionA(256, 256, 384, 384)),
    module_b=Fork([Conv(192)], [Conv(128), Conv(160, ROW), Conv(192, COLUMN)]),  # figure 17
    reduction_b=reduction_b(288, 320),
    module_c=Fork([Conv(192)], [Conv(192), Conv(224, (1, 3)), Conv(256, (3, 1))]),  # figure 19
    blocks=(5, 10, 5),
)
V2 = replace(
    V2_PAPER,
    stem=[*STEM_V1, Pool("max", 2, "valid")],
    first=Fork(
        [Conv(96)],
        [Conv(48), Conv(64, 5)],
        [Conv(64), Conv(96, 3), Conv(96, 3)],
        [Pool("avg"), Conv(64)],
    ),
    blocks=(10, 20, 10),
    last=Conv(1536),
    bare_end=True,
)
VERSIONS = {"v1": V1, "v2_paper": V2_PAPER, "v2": V2}


def residual(inputs: int, units: Units, fork: Fork, scale: float, active: bool = True) -> Residual:
    """An Inception module, a linear 1x1 (with bias, without BN) back to `inputs` channels, scaled (3.3); sum; ReLU."""
    mixed = units.build(inputs, fork)
    branch = named(mixed=mixed, linear=nn.Conv2d(parts.out_channels(mixed, inputs), inputs, 1), scale=Scale(scale))
    return Residual(branch, nn.Identity(), relu() if active else None)


def named_blocks(
    units: Units, version: Figures, blocks: tuple[int, int, int], scales: tuple[float, float, float]
) -> dict[str, dict[str, Builder]]:
    """Stages A, B and C: a reduction (in stage A v2's first module), then the residual blocks."""
    leads = (version.first, version.reduction_a, version.reduction_b)
    modules = (version.module_a, version.module_b, version.module_c)
    stages: dict[str, dict[str, Builder]] = {}
    for name, lead, fork, times, scale in zip("ABC", leads, modules, blocks, scales, strict=True):
        row: list[Builder] = [partial(units.build, step=lead)] if lead is not None else []
        row += [partial(residual, units=units, fork=fork, scale=scale)] * times
        stages[name] = numbered(row)
    if version.bare_end:
        last = partial(residual, units=units, fork=version.module_c, scale=1.0, active=False)
        stages["C"][str(blocks[2])] = last
    return stages


@register
def inception_resnet(
    version: Version = "v2",
    blocks: tuple[int, int, int] | None = None,
    scales: tuple[float, float, float] = (0.17, 0.10, 0.20),
    dropout: float = 0.2,
    stem: Stem = "imagenet",
    width: float = 1.0,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> parts.InceptionNet:
    """Figure 15. `blocks` counts the residual modules A, B and C; None takes the counts of the version.

    `scales` are the constants on the residual branches of A, B and C: the released v2's, within the 0.1 to 0.3 that
    section 3.3 recommends; (1, 1, 1) is no scaling. Minimum input 75 pixels, with the small stem 7.
    """
    units, figures = Units(width), VERSIONS[version]
    blocks = blocks if blocks is not None else figures.blocks
    if len(blocks) != 3 or min(blocks) < 1:
        raise ValueError(f"blocks is three counts of at least 1, not {blocks}")
    return parts.InceptionNet(
        units.stem(in_channels, figures.stem, stem),
        named_blocks(units, figures, blocks, scales),
        num_classes,
        in_channels,
        dropout,
        final=partial(units.chain, steps=[figures.last] if figures.last else []),
    )


register_variants(
    inception_resnet,
    {
        "inception_resnet_v1": {"version": "v1"},
        "inception_resnet_v2": {"version": "v2"},
        "inception_resnet_v2_paper": {"version": "v2_paper"},
    },
)

STEM_NAMES = {"1a": 0, "2a": 1, "2b": 2, "3b": 4, "4a": 5}
TIMM_NAMES: tuple[Rule, ...] = (
    (r"^conv2d_7b\.", "final.0."),
    (r"^conv2d_(\w\w)\.", lambda match: f"stem.{STEM_NAMES[match[1]]}."),
    (r"\.conv2d\.", ".branch.linear."),
    (r"^(repeat\w*\.\d+|block8)\.branch(\d)\.", r"\1.branch.mixed.\2."),
    (r"\.branch(\d)\.", r".\1."),
    (r"^mixed_5b", "stages.A.0"),
    (r"^repeat\.(\d+)", lambda match: f"stages.A.{int(match[1]) + 1}"),
    (r"^mixed_6a", "stages.B.0"),
    (r"^repeat_1\.(\d+)", lambda match: f"stages.B.{int(match[1]) + 1}"),
    (r"^mixed_7a", "stages.C.0"),
    (r"^repeat_2\.(\d+)", lambda match: f"stages.C.{int(match[1]) + 1}"),
    (r"^block8", f"stages.C.{V2.blocks[2]}"),
    (r"^(stages\.\w\.\d+(?:\.branch\.mixed)?\.\d)\.(conv|bn)", r"\1.0.\2"),
    (r"^classif\.", "fc."),
)
register_reference("timm", ["inception_resnet_v2"], TIMM_NAMES)
