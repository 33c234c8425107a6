"""SqueezeNet of Iandola et al. 2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters".

Every convolution has a bias, there is no batch normalisation, and the logits are the averages of rectified maps. Where
paper and well-known code differ: the released Caffe model pads conv10 by one pixel, the paper's table, torchvision and
this file do not. Version 1.1 is the authors' later release, not in the paper.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from replicate.models.layers.blocks import Residual, Stem, check_images, named, relu, scaled
from replicate.models.registry import register, register_variants
from replicate.models.weights import Rule, register_reference

Version = Literal["1.0", "1.1"]
Bypass = Literal["none", "simple", "complex"]

FIRST = {"1.0": (96, 7), "1.1": (64, 3)}  # filters and kernel of conv1
MODULES = {"1.0": ((2, 3, 4), (5, 6, 7, 8), (9,)), "1.1": ((2, 3), (4, 5), (6, 7, 8, 9))}  # fire modules by stage
LAST = 9  # fire2 ... fire9
MIN_SIZE = {"1.0": 21, "1.1": 17}  # conv1 leaves 8 pixels, each of the three pools halves them


class Fire(nn.Module):
    """A squeeze layer of 1x1 filters feeding 1x1 and 3x3 expand filters, concatenated in this order (section 3.2)."""

    def __init__(self, in_channels: int, squeeze: int, expand1x1: int, expand3x3: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(in_channels, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand1x1, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand3x3, 3, padding=1)
        self.relu = relu()

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.squeeze(x))
        return self.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], dim=1))


def max_pool() -> nn.MaxPool2d:
    """3x3 windows every 2 pixels; the number of windows is rounded up, as in Caffe."""
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


def make_shortcut(bypass: Bypass, in_channels: int, out_channels: int) -> nn.Module | None:
    """Figure 2: simple bypass around the modules that keep their width, complex adds a 1x1 convolution elsewhere."""
    if bypass == "none":
        return None
    if in_channels == out_channels:
        return nn.Identity()
    return nn.Conv2d(in_channels, out_channels, 1) if bypass == "complex" else None


def make_fire(in_channels: int, expand: int, squeeze_ratio: float, pct_3x3: float, bypass: Bypass) -> Residual:
    """A fire module of `expand` filters, `pct_3x3` of them 3x3, after `squeeze_ratio` times as many that squeeze."""
    expand3x3 = min(max(1, round(pct_3x3 * expand)), expand - 1)
    fire = Fire(in_channels, scaled(expand, squeeze_ratio), expand - expand3x3, expand3x3)
    return Residual(fire, make_shortcut(bypass, in_channels, expand))


def make_stem(version: Version, stem: Stem, in_channels: int, channels: int) -> nn.Sequential:
    """conv1, ReLU and pool, a quarter of the side; the small stem has 3x3 filters at full size and no pool."""
    if stem == "small":
        return named(conv1=nn.Conv2d(in_channels, channels, 3, padding=1), relu1=relu())
    conv1 = nn.Conv2d(in_channels, channels, FIRST[version][1], stride=2)
    return named(conv1=conv1, relu1=relu(), pool1=max_pool())


class SqueezeNet(nn.Module):
    """`stem` with conv1, `stages` with fire2 ... fire9 and pools between them, `classifier` with conv10.

    Input (batch, in_channels, height, width), output logits (batch, num_classes).
    """

    def __init__(
        self, stem: nn.Sequential, stages: nn.Sequential, classifier: nn.Sequential, in_channels: int, min_size: int
    ) -> None:
        super().__init__()
        self.in_channels, self.min_size = in_channels, min_size
        self.stem, self.stages, self.classifier = stem, stages, classifier

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.in_channels, self.min_size)
        return self.classifier(self.stages(self.stem(images))).mean(dim=(2, 3))


def make_stages(
    version: Version, channels: int, filters: Sequence[int], fire: Callable[[int, int], Residual]
) -> nn.Sequential:
    """fire2 ... fire9 with `filters` expand filters each, and a pool at the end of every stage but the last."""
    stages = []
    for modules in MODULES[version]:
        layers: dict[str, nn.Module] = {}
        for number in modules:
            layers[f"fire{number}"] = fire(channels, filters[number - 2])
            channels = filters[number - 2]
        if modules[-1] < LAST:
            layers[f"pool{modules[-1]}"] = max_pool()
        stages.append(named(**layers))
    return nn.Sequential(*stages)


@register
def squeezenet(
    version: Version = "1.0",
    bypass: Bypass = "none",
    squeeze_ratio: float = 0.125,
    pct_3x3: float = 0.5,
    base_e: int = 128,
    incr_e: int = 128,
    freq: int = 2,
    dropout: float = 0.5,
    stem: Stem = "imagenet",
    width: float = 1.0,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> SqueezeNet:
    """Table 1 and section 5.1's metaparameters: fire module i = 0 ... 7 has base_e + incr_e floor(i / freq) filters.

    Made for images of 224 or 227 pixels. Minimum input 21 pixels (17 for version 1.1), 4 with the small stem.
    """
    if not (0 < pct_3x3 < 1 and squeeze_ratio > 0):
        raise ValueError(f"needs 0 < pct_3x3 < 1 and squeeze_ratio > 0, not {pct_3x3} and {squeeze_ratio}")
    # two filters at least: one 1x1 and one 3x3
    filters = [max(2, scaled(base_e + incr_e * (i // freq), width)) for i in range(LAST - 1)]
    channels = scaled(FIRST[version][0], width)
    fire = partial(make_fire, squeeze_ratio=squeeze_ratio, pct_3x3=pct_3x3, bypass=bypass)
    conv10 = nn.Conv2d(filters[-1], num_classes, 1)
    return SqueezeNet(
        make_stem(version, stem, in_channels, channels),
        make_stages(version, channels, filters, fire),
        named(drop9=nn.Dropout(dropout), conv10=conv10, relu10=relu()),
        in_channels,
        min_size=MIN_SIZE[version] if stem == "imagenet" else 4,
    )


register_variants(
    squeezenet,
    {
        "squeezenet1_0": {"version": "1.0"},
        "squeezenet1_1": {"version": "1.1"},
        "squeezenet_simple_bypass": {"version": "1.0", "bypass": "simple"},
        "squeezenet_complex_bypass": {"version": "1.0", "bypass": "complex"},
    },
)


def torchvision_names(version: Version) -> tuple[Rule, ...]:
    """Torchvision numbers conv1, ReLU, pool, the fire modules and the later pools in one flat Sequential."""
    names, index = {0: "stem.conv1"}, 3
    for stage, modules in enumerate(MODULES[version]):
        for number in modules:
            names[index] = f"stages.{stage}.fire{number}.branch"
            index += 1
        index += 1  # the pool
    return (
        (r"^features\.(\d+)", lambda match: names[int(match[1])]),
        (r"^classifier\.1\.", "classifier.conv10."),
    )


register_reference("torchvision", ["squeezenet1_0"], torchvision_names("1.0"))
register_reference("torchvision", ["squeezenet1_1"], torchvision_names("1.1"))
