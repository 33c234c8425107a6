"""MobileNets of Howard et al. 2017, "MobileNets: Efficient CNNs for Mobile Vision Applications".

Where paper and well-known code differ: the paper writes ReLU, the released TensorFlow, Keras and timm networks use
ReLU6 (`activation`); table 1 prints stride 2 for the last depthwise layer but keeps its map at 7x7, so that the
stride is 1 here as in every implementation.
"""

from functools import partial
from itertools import count
from math import prod
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from replicate.models.layers.blocks import (
    Classifier,
    MakeActivation,
    Stem,
    bn,
    conv,
    conv_bn_relu,
    make_stages,
    named,
    relu,
    relu6,
    scaled,
)
from replicate.models.registry import register, register_variants
from replicate.models.weights import Rule, register_reference

Convolution = Literal["separable", "full"]
Activation = Literal["relu", "relu6"]
Plan = tuple[tuple[int, ...], ...]

ACTIVATIONS: dict[str, MakeActivation] = {"relu": relu, "relu6": relu6}
STEM_WIDTH = 32
# Output widths of the blocks (table 1), a stage for each size of map.
STAGES: Plan = ((64,), (128, 128), (256, 256), (512,) * 6, (1024, 1024))
SHALLOW_STAGES: Plan = (*STAGES[:3], (512,), STAGES[4])  # without the five repeated 14x14x512 blocks (table 5)
STRIDES = {"imagenet": (2, 1, 2, 2, 2, 2), "small": (1, 1, 1, 2, 2, 2)}  # for the first convolution and each stage


def separable_block(in_channels: int, out_channels: int, stride: int, activation: MakeActivation) -> nn.Sequential:
    """Depthwise 3x3 and pointwise 1x1 convolution, BN and ReLU after each (figure 3, right)."""
    return named(
        depthwise=conv(in_channels, in_channels, 3, stride, groups=in_channels),
        bn1=bn(in_channels),
        relu1=activation(),
        pointwise=conv(in_channels, out_channels, 1),
        bn2=bn(out_channels),
        relu2=activation(),
    )


def full_block(in_channels: int, out_channels: int, stride: int, activation: MakeActivation) -> nn.Sequential:
    """One full 3x3 convolution, BN and ReLU: the block of the "Conv MobileNet" (figure 3, left; table 4)."""
    return conv_bn_relu(in_channels, out_channels, 3, stride, activation=activation)


class Shrink(nn.Module):
    """Bilinear reduction of the images to `resolution` times their sides, the resolution multiplier rho (section 3.4).

    The paper sets rho by the input resolution. Shrinking inside the network shows it the same images, and rho is an
    option of the model.
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
    layers = conv_bn_relu(in_channels, out_channels, 3, stride, activation=activation)
    return named(shrink=shrink, **dict(layers.named_children()))


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
    blocks. The small stem leaves out the first two strides. Minimum input 32 pixels at rho 1 (8 with the small stem).
    """
    make_activation, shrink, strides = ACTIVATIONS[activation], Shrink(resolution), STRIDES[stem]
    block = separable_block if convolution == "separable" else full_block
    plan = tuple(tuple(scaled(channels, width) for channels in row) for row in (SHALLOW_STAGES if shallow else STAGES))
    base = scaled(STEM_WIDTH, width)
    return Classifier(
        make_stem(in_channels, base, strides[0], make_activation, shrink),
        make_stages(partial(block, activation=make_activation), plan, strides[1:], base),
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
