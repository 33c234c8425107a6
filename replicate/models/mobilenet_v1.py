"""MobileNets of Howard et al. 2017, "MobileNets: Efficient CNNs for Mobile Vision Applications".

Where paper and well-known code differ: the paper writes ReLU, the released TensorFlow, Keras and timm networks use
ReLU6 (`activation`); table 1 prints stride 2 for the last depthwise layer but keeps its map at 7x7, so that the
stride is 1 here as in every implementation.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from math import prod
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from replicate.models.layers.blocks import BN_MOMENTUM, BlockBuilder, Classifier, conv, scaled
from replicate.models.registry import register, register_variants
from replicate.models.weights import Rule, register_reference

Convolution = Literal["separable", "full"]
Activation = Literal["relu", "relu6"]
Stem = Literal["imagenet", "small"]
MakeActivation = Callable[[], nn.Module]
Plan = tuple[tuple[int, ...], ...]

STEM_WIDTH = 32
# Output widths of the blocks (table 1), a stage for each size of map.
STAGES: Plan = ((64,), (128, 128), (256, 256), (512,) * 6, (1024, 1024))
SHALLOW_STAGES: Plan = (*STAGES[:3], (512,), STAGES[4])  # without the five repeated 14x14x512 blocks (table 5)
STRIDES = {"imagenet": (2, 1, 2, 2, 2, 2), "small": (1, 1, 1, 2, 2, 2)}  # of the first convolution and of each stage


def make_activation(name: Activation) -> MakeActivation:
    """The constructor of the non-linearity called `name`, working in place. Raises ValueError for another name."""
    if name not in ("relu", "relu6"):
        raise ValueError(f"activation is relu or relu6, not {name!r}")
    kind = nn.ReLU if name == "relu" else nn.ReLU6
    return lambda: kind(inplace=True)


def stem_strides(strides: Mapping[str, tuple[int, ...]], stem: str) -> tuple[int, ...]:
    """The strides along the network that belong to `stem`. Raises ValueError for a stem that is not there."""
    if stem not in strides:
        raise ValueError(f"stem is {' or '.join(strides)}, not {stem!r}")
    return strides[stem]


def separable_block(in_channels: int, out_channels: int, stride: int, activation: MakeActivation) -> nn.Sequential:
    """Depthwise 3x3 and pointwise 1x1 convolution, BN and ReLU after each (figure 3, right)."""
    return nn.Sequential(
        OrderedDict(
            depthwise=conv(in_channels, in_channels, 3, stride, groups=in_channels),
            bn1=nn.BatchNorm2d(in_channels, momentum=BN_MOMENTUM),
            relu1=activation(),
            pointwise=conv(in_channels, out_channels, 1),
            bn2=nn.BatchNorm2d(out_channels, momentum=BN_MOMENTUM),
            relu2=activation(),
        )
    )


def full_block(in_channels: int, out_channels: int, stride: int, activation: MakeActivation) -> nn.Sequential:
    """One full 3x3 convolution, BN and ReLU: the block of the "Conv MobileNet" (figure 3, left; table 4)."""
    return nn.Sequential(
        OrderedDict(
            conv=conv(in_channels, out_channels, 3, stride),
            bn=nn.BatchNorm2d(out_channels, momentum=BN_MOMENTUM),
            relu=activation(),
        )
    )


class Shrink(nn.Module):
    """Bilinear reduction of the images to `resolution` times their sides, the resolution multiplier rho (section 3.4).

    The paper sets rho by the input resolution; shrinking inside the network gives the same network the same images
    and keeps rho an option of the model.
    """

    def __init__(self, resolution: float) -> None:
        super().__init__()
        if not 0 < resolution <= 1:
            raise ValueError(f"resolution is over 0 and at most 1, not {resolution:g}")
        self.resolution = resolution

    def side(self, pixels: int) -> int:
        """The side in pixels to which a side of `pixels` shrinks."""
        return round(pixels * self.resolution)

    def smallest(self, side: int) -> int:
        """The smallest side in pixels that still shrinks to `side` or more."""
        return next(pixels for pixels in count(side) if self.side(pixels) >= side)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[2:]
        size = (self.side(height), self.side(width))
        if size == (height, width):
            return images
        return F.interpolate(images, size, mode="bilinear", antialias=True)


def make_stem(
    in_channels: int, out_channels: int, stride: int, activation: MakeActivation, shrink: Shrink
) -> nn.Sequential:
    """Shrinking by rho, then a full 3x3 convolution, BN and ReLU (table 1, first row)."""
    return nn.Sequential(
        OrderedDict(
            shrink=shrink,
            conv=conv(in_channels, out_channels, 3, stride),
            bn=nn.BatchNorm2d(out_channels, momentum=BN_MOMENTUM),
            relu=activation(),
        )
    )


def make_stages(build: BlockBuilder, plan: Plan, strides: Sequence[int], in_channels: int) -> nn.Sequential:
    """A stage for each entry of `plan` (the widths of its blocks); its first block takes the stride."""
    stages = []
    for widths, stride in zip(plan, strides, strict=True):
        blocks = []
        for index, channels in enumerate(widths):
            blocks.append(build(in_channels, channels, stride if index == 0 else 1))
            in_channels = channels
        stages.append(nn.Sequential(*blocks))
    return nn.Sequential(*stages)


@register
def mobilenet_v1(
    convolution: Convolution = "separable",
    shallow: bool = False,
    resolution: float = 1.0,
    activation: Activation = "relu",
    stem: Stem = "imagenet",
    width: float = 1.0,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> Classifier:
    """The network of table 1; `width` is the paper's alpha and `resolution` its rho.

    convolution="full" replaces each separable block by one 3x3 convolution; `shallow` leaves out the five repeated
    blocks. The small stem does without the first two strides. Minimum input 32 pixels at rho 1 (8 with the small stem).
    """
    if convolution not in ("separable", "full"):
        raise ValueError(f"convolution is separable or full, not {convolution!r}")
    relu, shrink, strides = make_activation(activation), Shrink(resolution), stem_strides(STRIDES, stem)
    block = separable_block if convolution == "separable" else full_block
    plan = tuple(tuple(scaled(channels, width) for channels in row) for row in (SHALLOW_STAGES if shallow else STAGES))
    base = scaled(STEM_WIDTH, width)
    return Classifier(
        make_stem(in_channels, base, strides[0], relu, shrink),
        make_stages(partial(block, activation=relu), plan, strides[1:], base),
        plan[-1][-1],
        num_classes,
        in_channels,
        min_size=shrink.smallest(prod(strides)),
    )


register_variants(
    mobilenet_v1,
    {
        "conv_mobilenet": {"convolution": "full"},
        "shallow_mobilenet": {"shallow": True},
        "mobilenetv1_100": {"activation": "relu6"},
        "mobilenetv1_125": {"activation": "relu6", "width": 1.25},
    },
)

TIMM_NAMES: tuple[Rule, ...] = (
    (r"^conv_stem\.", "stem.conv."),
    (r"^bn1\.", "stem.bn."),
    (r"^blocks\.", "stages."),
    (r"\.conv_dw\.", ".depthwise."),
    (r"\.conv_pw\.", ".pointwise."),
    (r"^classifier\.", "fc."),
)
register_reference("timm", ["mobilenetv1_100", "mobilenetv1_125"], TIMM_NAMES)
