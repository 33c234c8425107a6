"""Xception of Chollet 2017, "Deep Learning with Depthwise Separable Convolutions", figure 5.

Where paper and well-known code differ: TensorFlow's "same" max pooling pads at the far edge only, torch (and timm) at
both; batch normalisation has timm's epsilon 1e-5, Keras' is 1e-3. Figure 4's "extreme Inception" has the 1x1 first and
a ReLU after both convolutions, the network has the depthwise first and none between (`order`, `intermediate`).
"""

from functools import partial
from typing import Literal

from torch import nn

from replicate.models.layers.blocks import Residual, Stem, bn, conv, conv_bn, named, relu, scaled
from replicate.models.layers.inception_blocks import Conv, InceptionNet, Step, Units, numbered
from replicate.models.registry import register, register_variants
from replicate.models.weights import Rule, register_reference

Order = Literal["depthwise_first", "pointwise_first"]
Intermediate = Literal["none", "relu", "elu"]
Separable = partial[nn.Sequential]

STEM: list[Step] = [Conv(32, 3, 2, valid=True), Conv(64, 3, valid=True)]
ENTRY, MIDDLE, EXIT = (128, 256, 728), 728, 1024
FINAL = (1536, 2048)
ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "elu": nn.ELU}


def separable_conv(inputs: int, outputs: int, order: Order, intermediate: Intermediate) -> nn.Sequential:
    """3x3 depthwise and 1x1 pointwise convolution, in either order, an activation or none between (section 4.7)."""
    pointwise = conv(inputs, outputs, 1)
    channels = inputs if order == "depthwise_first" else outputs
    depthwise = conv(channels, channels, 3, groups=channels)
    between = {} if intermediate == "none" else {"act": ACTIVATIONS[intermediate]()}
    if order == "depthwise_first":
        return named(depthwise=depthwise, **between, pointwise=pointwise)
    return named(pointwise=pointwise, **between, depthwise=depthwise)


def branch(inputs: int, widths: tuple[int, ...], separable: Separable, first_relu: bool, stride: int) -> nn.Sequential:
    """ReLU, separable convolution, BN for each width, then a 3x3 max pool where the block halves the map.

    The first ReLU is not in place, since the shortcut reads the same maps.
    """
    layers: list[nn.Module] = []
    for index, outputs in enumerate(widths):
        if index or first_relu:
            layers.append(nn.ReLU(inplace=index > 0))
        layers += [separable(inputs, outputs), bn(outputs)]
        inputs = outputs
    if stride != 1:
        layers.append(nn.MaxPool2d(3, stride, padding=1))
    return nn.Sequential(*layers)


def block(
    inputs: int,
    widths: tuple[int, ...],
    separable: Separable,
    residual: bool,
    first_relu: bool = True,
    stride: int = 2,
) -> Residual:
    """The branch, plus the maps themselves or, where the shape changes, a 1x1 convolution with BN; no ReLU after."""
    same = inputs == widths[-1] and stride == 1
    shortcut = nn.Identity() if same else conv_bn(inputs, widths[-1], 1, stride)
    return Residual(branch(inputs, widths, separable, first_relu, stride), shortcut if residual else None)


def make_final(inputs: int, widths: tuple[int, ...], separable: Separable) -> nn.Sequential:
    """The separable convolutions after the last block, each with BN and ReLU."""
    layers: list[nn.Module] = []
    for outputs in widths:
        layers += [separable(inputs, outputs), bn(outputs), relu()]
        inputs = outputs
    return nn.Sequential(*layers)


@register
def xception(
    residual: bool = True,
    intermediate: Intermediate = "none",
    order: Order = "depthwise_first",
    middle_blocks: int = 8,
    dropout: float = 0.5,
    stem: Stem = "imagenet",
    width: float = 1.0,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> InceptionNet:
    """Figure 5. residual=False leaves out the shortcuts (section 4.6), `middle_blocks` counts the 19x19 modules.

    The small stem also keeps the first block at full size: 28 pixels leave 7 for the middle flow. Minimum input 37
    pixels, with the small stem 8.
    """
    separable = partial(separable_conv, order=order, intermediate=intermediate)
    build = partial(block, separable=separable, residual=residual)
    first, second, third = (scaled(channels, width) for channels in ENTRY)
    middle, last = scaled(MIDDLE, width), scaled(EXIT, width)
    entry = [
        partial(build, widths=(first, first), first_relu=False, stride=2 if stem == "imagenet" else 1),
        partial(build, widths=(second, second)),
        partial(build, widths=(third, third)),
    ]
    stages = {
        "entry": numbered(entry),
        "middle": numbered([partial(build, widths=(middle,) * 3, stride=1)] * middle_blocks),
        "exit": numbered([partial(build, widths=(middle, last))]),
    }
    bottom = Units(width, epsilon=1e-5).stem(in_channels, STEM, stem)
    final = make_final(last, tuple(scaled(channels, width) for channels in FINAL), separable)
    return InceptionNet(bottom, stages, num_classes, in_channels, dropout, final=lambda _: final)


def _timm_block(number: int) -> str:
    """timm numbers the blocks 1 to 12: three of the entry flow, eight of the middle flow, one of the exit flow."""
    if number <= 3:
        return f"stages.entry.{number - 1}"
    return f"stages.middle.{number - 4}" if number <= 11 else "stages.exit.0"


register_variants(xception, {"legacy_xception": {}})

TIMM_NAMES: tuple[Rule, ...] = (
    (r"^(conv|bn)([12])\.", lambda match: f"stem.{int(match[2]) - 1}.{match[1]}."),
    (r"^bn([34])\.", lambda match: f"final.{3 * int(match[1]) - 8}."),
    (r"^conv([34])\.", lambda match: f"final.{3 * int(match[1]) - 9}."),
    (r"^block(\d+)", lambda match: _timm_block(int(match[1]))),
    (r"\.rep\.", ".branch."),
    (r"^(stages.*|final\.\d)\.conv1\.", r"\1.depthwise."),
    (r"\.skip\.", ".shortcut.conv."),
    (r"\.skipbn\.", ".shortcut.bn."),
)
register_reference("timm", ["legacy_xception"], TIMM_NAMES)
