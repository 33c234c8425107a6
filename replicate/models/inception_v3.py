"""Inception-v3 of Szegedy et al. 2015, "Rethinking the Inception Architecture for Computer Vision".

Where paper and well-known code differ: table 1 has no second pool, a 3x3 convolution 64-80 and three 3x3 ones where
the released code (and so torchvision, timm and this file) has a pool, a 1x1 and the first mixed module; the code
keeps one 5x5 branch at 35x35, which figure 5 replaces by two 3x3; table 1 counts five modules at 17x17, the code has
the grid reduction and four. `port="keras2016"` is the first Keras port (by the author of Xception), whose
parameters table 3 of the Xception paper prints.
"""

from dataclasses import replace
from functools import partial
from typing import Literal

from torch import nn

from replicate.models.layers.blocks import Stem, named, scaled
from replicate.models.layers.inception_blocks import Conv, Fork, InceptionNet, Pool, Step, Units
from replicate.models.registry import register, register_variants
from replicate.models.weights import Rule, register_reference

Auxiliary = Literal["none", "plain", "bn"]
Port = Literal["tf", "keras2016"]

AVERAGE = Pool("avg", count_padding=True)  # as torchvision; TensorFlow does not count the padded zeros


def module_35(projection: int) -> Fork:
    """35x35: 1x1, 5x5, double 3x3, pool."""
    return Fork(
        [Conv(64)],
        [Conv(48), Conv(64, 5)],
        [Conv(64), Conv(96, 3), Conv(96, 3)],
        [AVERAGE, Conv(projection)],
    )


REDUCTION_35 = Fork(
    [Conv(384, 3, 2, valid=True)],
    [Conv(64), Conv(96, 3), Conv(96, 3, 2, valid=True)],
    [Pool("max", 2, "valid")],
)


def module_17(channels: int, factorised: bool, double_first: int | None = None) -> Fork:
    """17x17 (figure 6, n = 7): 1x1, 7x7, double 7x7, pool; factorised, each 7x7 is a 1x7 and a 7x1."""
    row, column = (1, 7), (7, 1)
    if factorised:
        single = [Conv(channels, row), Conv(192, column)]
        double = [Conv(channels, column), Conv(channels, row), Conv(channels, column), Conv(192, row)]
    else:
        single, double = [Conv(192, 7)], [Conv(channels, 7), Conv(192, 7)]
    first = double_first if double_first is not None else channels
    return Fork([Conv(192)], [Conv(channels), *single], [Conv(first), *double], [AVERAGE, Conv(192)])


def reduction_17(factorised: bool, pool: Pool) -> Fork:
    """17x17 to 8x8 without a representational bottleneck (figure 10)."""
    seven = [Conv(192, (1, 7)), Conv(192, (7, 1))] if factorised else [Conv(192, 7)]
    return Fork([Conv(192), Conv(320, 3, 2, valid=True)], [Conv(192), *seven, Conv(192, 3, 2, valid=True)], [pool])


def module_8() -> Fork:
    """8x8 (figure 7): the 1x3 and the 3x1 read the same maps, which widens the output."""
    split = Fork([Conv(384, (1, 3))], [Conv(384, (3, 1))])
    return Fork(
        [Conv(320)],
        [Conv(384), split],
        [Conv(448), Conv(384, 3), split],
        [AVERAGE, Conv(192)],
    )


def figures(factorised: bool, port: Port) -> dict[str, dict[str, Fork]]:
    """Every module under its name in the released code (Mixed_5b is "5", "b").

    The Keras port of 2016 projects every pool at 35x35 to 32, begins the double branch of 6e with 160 channels and
    averages in the second grid reduction.
    """
    keras = port == "keras2016"
    projection, double_first = (32, 160) if keras else (64, 192)
    return {
        "5": {"b": module_35(32), "c": module_35(projection), "d": module_35(projection)},
        "6": {
            "a": REDUCTION_35,
            "b": module_17(128, factorised),
            "c": module_17(160, factorised),
            "d": module_17(160, factorised),
            "e": module_17(192, factorised, double_first),
        },
        "7": {
            "a": reduction_17(factorised, Pool("avg" if keras else "max", 2, "valid")),
            "b": module_8(),
            "c": module_8(),
        },
    }


def make_head(channels: int, units: Units, num_classes: int, kind: Auxiliary, stem: Stem) -> nn.Sequential:
    """Figure 8: 5x5/3 average pool, 1x1 128, fully connected 768 (a 5x5 convolution on 5x5 maps), fully connected.

    kind="bn" also normalises the first fully connected layer. The maps of small images are too small for a 5x5/3
    window; they are pooled to the same 5x5.
    """
    full = units if kind == "bn" else replace(units, batch_norm=False)
    return named(
        pool=nn.AvgPool2d(5, stride=3) if stem == "imagenet" else nn.AdaptiveAvgPool2d(5),
        conv0=units.conv(channels, Conv(128)),
        conv1=full.conv(scaled(128, units.width), Conv(768, 5, valid=True)),
        average=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        fc=nn.Linear(scaled(768, units.width), num_classes),
    )


def stem_steps(factorised: bool, stride: int, pool: bool) -> list[Step]:
    """Three 3x3 convolutions (or one 7x7), pool, 1x1 80, 3x3 192, pool: 299 pixels to 35."""
    whole: list[Step] = [Conv(64, 7, stride, valid=True)]
    threes: list[Step] = [Conv(32, 3, stride, valid=True), Conv(32, 3, valid=True), Conv(64, 3)]
    first_pool: list[Step] = [Pool("max", 2, "valid")] if pool else []
    rest: list[Step] = [Conv(80), Conv(192, 3, valid=True), Pool("max", 2, "valid")]
    return [*(threes if factorised else whole), *first_pool, *rest]


@register
def inception_v3(
    factorised_stem: bool = True,
    factorised_modules: bool = True,
    first_stride: int = 2,
    first_pool: bool = True,
    auxiliary: Auxiliary = "bn",
    auxiliary_weight: float = 0.4,
    port: Port = "tf",
    dropout: float = 0.5,
    stem: Stem = "imagenet",
    width: float = 1.0,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> InceptionNet:
    """The network of table 1 as released. In training mode with an auxiliary head the output is an AuxOutput.

    factorised_stem=False has one 7x7 convolution first, the state before the row "factorized 7x7" of table 3;
    factorised_modules=False has whole 7x7 kernels at 17x17; auxiliary="plain" is the head before the row
    "BN-auxiliary". The weight of the auxiliary loss is that of the released training code, the paper gives none.
    first_stride and first_pool are what table 2 changes for inputs of 151 and 79 pixels; the small stem has neither.
    Minimum input 299 pixels (75 without the head, which needs the larger maps), with the small stem 7.
    """
    keras = port == "keras2016"
    units = Units(width, bias=keras, activation_first=keras)
    steps = stem_steps(factorised_stem, first_stride, first_pool)
    head = partial(make_head, units=units, num_classes=num_classes, kind=auxiliary, stem=stem)
    return InceptionNet(
        units.stem(in_channels, steps, stem),
        {stage: units.builders(forks) for stage, forks in figures(factorised_modules, port).items()},
        num_classes,
        in_channels,
        dropout,
        heads={} if auxiliary == "none" else {"6e": head},
        auxiliary_weight=auxiliary_weight,
    )


register_variants(inception_v3, {"inception_v3_keras2016": {"port": "keras2016", "auxiliary": "none"}})

STEM_NAMES = {"1a_3x3": 0, "2a_3x3": 1, "2b_3x3": 2, "3b_1x1": 4, "4a_3x3": 5}
TORCHVISION_NAMES: tuple[Rule, ...] = (
    (r"^Conv2d_(\w+?)\.", lambda match: f"stem.{STEM_NAMES[match[1]]}."),
    (r"^Mixed_(\d)([a-e])\.", r"stages.\1.\2."),
    (r"^AuxLogits\.", "heads.6e."),
    # the grid reductions have no 1x1 branch, so that their 3x3 is the first
    (r"^(stages\.6\.a)\.branch3x3\.", r"\1.0.0."),
    (r"^(stages\.6\.a)\.branch3x3dbl_(\d)", lambda match: f"{match[1]}.1.{int(match[2]) - 1}"),
    (r"^(stages\.7\.a)\.branch3x3_(\d)", lambda match: f"{match[1]}.0.{int(match[2]) - 1}"),
    (r"\.branch1x1\.", ".0.0."),
    (r"\.branch_pool\.", ".3.1."),
    (r"\.branch(?:3x3|7x7)dbl_(\d)", lambda match: f".2.{int(match[1]) - 1}"),
    (r"\.branch(?:5x5|7x7|7x7x3|3x3)_(\d)", lambda match: f".1.{int(match[1]) - 1}"),
    (r"^(stages\.7\.[bc]\.[12]\.\d)([ab])\.", lambda match: f"{match[1]}.{'ab'.index(match[2])}.0."),
)
register_reference("torchvision", ["inception_v3"], TORCHVISION_NAMES)
register_reference("timm", ["inception_v3"], TORCHVISION_NAMES)
