"""GoogLeNet of Szegedy et al. 2014, "Going deeper with convolutions".

Where paper and well-known code differ: torchvision's network has batch normalisation and no local response
normalisation, 3x3 kernels where table 1 has 5x5 (its known slip), a 2x2 last pool, and auxiliary heads that pool
adaptively; `googlenet_torchvision` is that network and takes its weights.
"""

from functools import partial
from typing import Literal, NamedTuple

from torch import nn

from replicate.models.layers.blocks import Stem, named, relu, scaled
from replicate.models.layers.inception_blocks import Builder, Conv, Fork, InceptionNet, Pool, Units, make_pool
from replicate.models.registry import register, register_variants
from replicate.models.weights import Rule, register_reference

AuxiliaryPool = Literal["5x5/3", "4x4"]


class Row(NamedTuple):
    """A row of table 1: output channels of the convolutions of one module."""

    one: int
    reduce3: int
    three: int
    reduce5: int
    five: int
    projection: int


ROWS = {
    "3": {"a": Row(64, 96, 128, 16, 32, 32), "b": Row(128, 128, 192, 32, 96, 64)},
    "4": {
        "a": Row(192, 96, 208, 16, 48, 64),
        "b": Row(160, 112, 224, 24, 64, 64),
        "c": Row(128, 128, 256, 24, 64, 64),
        "d": Row(112, 144, 288, 32, 64, 64),
        "e": Row(256, 160, 320, 32, 128, 128),
    },
    "5": {"a": Row(256, 160, 320, 32, 128, 128), "b": Row(384, 192, 384, 48, 128, 128)},
}
HEADS = ("4a", "4d")


def module(row: Row, reduced: bool, large_kernel: int) -> Fork:
    """Figure 2: with dimension reduction (b), or the naive form (a), whose pool passes every channel on."""
    if not reduced:
        return Fork([Conv(row.one)], [Conv(row.three, 3)], [Conv(row.five, large_kernel)], [Pool("max")])
    return Fork(
        [Conv(row.one)],
        [Conv(row.reduce3), Conv(row.three, 3)],
        [Conv(row.reduce5), Conv(row.five, large_kernel)],
        [Pool("max"), Conv(row.projection)],
    )


def make_stem(units: Units, in_channels: int, stem: Stem, lrn: bool) -> nn.Sequential:
    """7x7/2 64, pool, LRN, 1x1 64, 3x3 192, LRN, pool; at small size 3x3 64 first, and no stride and no pool."""
    small = stem == "small"
    first = units.conv(in_channels, Conv(64, 3) if small else Conv(64, 7, stride=2))
    second = units.chain(scaled(64, units.width), [Conv(64), Conv(192, 3)])
    layers: dict[str, nn.Module] = {"conv1": first}
    if not small:
        layers["pool1"] = make_pool(Pool("max", 2, "ceil"))
    if lrn:
        layers["lrn1"] = local_response_norm()
    layers["conv2"] = second
    if lrn:
        layers["lrn2"] = local_response_norm()
    if not small:
        layers["pool2"] = make_pool(Pool("max", 2, "ceil"))
    return named(**layers)


def local_response_norm() -> nn.LocalResponseNorm:
    """The paper names the layer only; these are the constants of bvlc_googlenet."""
    return nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)


def make_head(channels: int, units: Units, num_classes: int, pool: AuxiliaryPool, dropout: float) -> nn.Sequential:
    """Section 5: 5x5/3 average pool, 1x1 128, FC 1024, ReLU, dropout, FC.

    The FC layer reads 4x4 maps, which the 5x5/3 pool makes of the 14x14 maps of a 224 pixel image; from other sizes
    its maps are averaged or repeated to 4x4. torchvision ("4x4") has the adaptive pool alone.
    """
    first = nn.AvgPool2d(5, stride=3) if pool == "5x5/3" else nn.Identity()
    hidden = scaled(1024, units.width)
    return named(
        pool=nn.Sequential(first, nn.AdaptiveAvgPool2d(4)),
        reduce=units.conv(channels, Conv(128)),
        flatten=nn.Flatten(),
        fc1=nn.Linear(scaled(128, units.width) * 4 * 4, hidden),
        relu=relu(),
        dropout=nn.Dropout(dropout),
        fc2=nn.Linear(hidden, num_classes),
    )


def make_dense(channels: int, units: Units, grid: int) -> nn.Sequential:
    """FC 1024 and ReLU on maps averaged (or repeated) to `grid` pixels a side, as a convolution that covers them."""
    hidden = scaled(1024, units.width)
    return named(pool=nn.AdaptiveAvgPool2d(grid), fc=nn.Conv2d(channels, hidden, grid), relu=relu())


@register
def googlenet(
    reduced: bool = True,
    batch_norm: bool = False,
    lrn: bool = True,
    large_kernel: int = 5,
    last_pool: int = 3,
    auxiliary_heads: tuple[str, ...] = HEADS,
    auxiliary_pool: AuxiliaryPool = "5x5/3",
    auxiliary_weight: float = 0.3,
    auxiliary_dropout: float = 0.7,
    dropout: float = 0.4,
    dense_grid: int | None = None,
    stem: Stem = "imagenet",
    width: float = 1.0,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> InceptionNet:
    """Table 1. reduced=False makes every module naive (figure 2a), at the same widths of its branches.

    `dense_grid` puts a fully connected layer on maps of that side (7 of 224 pixels) in the place of the average pool.
    `large_kernel` (5 in the paper) and `last_pool` (side of the pool before 5a) are what torchvision changed. In
    training mode with auxiliary heads (on 4a and 4d, () for none) the output is an AuxOutput. Minimum input 80
    pixels (32 without heads), with the small stem 10 (4).
    """
    if not set(auxiliary_heads) <= set(HEADS):
        raise ValueError(f"auxiliary_heads are among {', '.join(HEADS)}, not {auxiliary_heads}")
    units = Units(width, batch_norm)

    def stage(name: str, pool: int | None = None) -> dict[str, Builder]:
        modules = {key: module(row, reduced, large_kernel) for key, row in ROWS[name].items()}
        return units.builders({**({"pool": Pool("max", 2, "ceil", pool)} if pool else {}), **modules})

    head = partial(make_head, units=units, num_classes=num_classes, pool=auxiliary_pool, dropout=auxiliary_dropout)
    return InceptionNet(
        make_stem(units, in_channels, stem, lrn),
        {"3": stage("3"), "4": stage("4", pool=3), "5": stage("5", pool=last_pool)},
        num_classes,
        in_channels,
        dropout,
        final=None if dense_grid is None else partial(make_dense, units=units, grid=dense_grid),
        heads=dict.fromkeys(auxiliary_heads, head),
        auxiliary_weight=auxiliary_weight,
    )


TORCHVISION_FORM = {
    "batch_norm": True,
    "lrn": False,
    "large_kernel": 3,
    "last_pool": 2,
    "auxiliary_pool": "4x4",
    "dropout": 0.2,
}
register_variants(googlenet, {"googlenet_naive": {"reduced": False}, "googlenet_torchvision": TORCHVISION_FORM})

TORCHVISION_NAMES: tuple[Rule, ...] = (
    (r"^conv1\.", "stem.conv1."),
    (r"^conv([23])\.", lambda match: f"stem.conv2.{int(match[1]) - 2}."),
    (r"^inception(\d)([a-e])\.branch(\d)\.", lambda match: f"stages.{match[1]}.{match[2]}.{int(match[3]) - 1}."),
    (r"^(stages\.\d\.[a-e]\.0)\.(conv|bn)", r"\1.0.\2"),
    (r"^aux([12])\.", lambda match: f"heads.{HEADS[int(match[1]) - 1]}."),
    (r"^(heads\.4[ad])\.conv\.", r"\1.reduce."),
)
register_reference("torchvision", ["googlenet"], TORCHVISION_NAMES)
