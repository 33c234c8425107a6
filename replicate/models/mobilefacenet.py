"""MobileFaceNet of Chen et al. 2018, "MobileFaceNets: Efficient CNNs for Accurate Real-Time Face Verification".

Its global depthwise convolution is the subject of section 2.3 of the source document "CNN convolution and channels":
as many groups as channels and a kernel as large as the map, so that every place has its own weight, where global
average pooling gives all places the same. The paper trains the 128 embeddings with a margin loss over identities;
here a linear classifier follows them.
"""

from collections.abc import Sequence
from math import ceil, prod
from typing import Literal

from torch import Tensor, nn

from replicate.errors import UserError
from replicate.models.layers.blocks import Classifier, Stem, bn, conv_bn, named, scaled
from replicate.models.mobilenet_v2 import Shape, inverted_residual
from replicate.models.registry import register

Head = Literal["global_depthwise", "average"]

STEM_WIDTH, HEAD_WIDTH, EMBEDDING = 64, 512, 128
ROWS = ((2, 64, 5), (4, 128, 1), (2, 128, 6), (4, 128, 1), (2, 128, 2))  # table 1: expansion t, width c, repeats n
STRIDES = {"imagenet": (2, 2, 2, 1, 2, 1), "small": (1, 1, 2, 1, 2, 1)}  # for the first convolution and each row


class GlobalDepthwise(nn.Conv2d):
    """One weight for each place of each map: (batch, channels, side, side) to (batch, channels, 1, 1).

    Raises UserError for maps of another size.
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__(channels, channels, side, groups=channels, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        if tuple(maps.shape[2:]) != self.kernel_size:
            size, expected = ("x".join(map(str, shape)) for shape in (maps.shape[2:], self.kernel_size))
            raise UserError(f"the global depthwise head weighs maps of {expected}, got {size}: set image_size")
        return super().forward(maps)


def conv_bn_prelu(in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution, BN, and a PReLU with one slope for each channel. Submodules: conv, bn, prelu."""
    layers = conv_bn(in_channels, out_channels, kernel, stride, groups)
    layers.add_module("prelu", nn.PReLU(out_channels))
    return layers


def make_stages(width: float, strides: Sequence[int]) -> nn.Sequential:
    """The bottlenecks of table 1, a stage for each row."""
    channels, stages = scaled(STEM_WIDTH, width), []
    for (expansion, output, repeats), stride in zip(ROWS, strides, strict=True):
        blocks = []
        for block in range(repeats):
            shape = Shape(channels, channels * expansion, scaled(output, width), stride if block == 0 else 1)
            blocks.append(inverted_residual(shape, True, True, conv_bn_prelu))
            channels = shape.out_channels
        stages.append(nn.Sequential(*blocks))
    return nn.Sequential(*stages)


def make_head(head: Head, in_channels: int, channels: int, side: int, embedding: int) -> nn.Sequential:
    """1x1 convolution, the global head over maps of `side` pixels, and the linear 1x1 convolution to the embedding."""
    pool = named(conv=GlobalDepthwise(channels, side), bn=bn(channels))
    return named(
        expand=conv_bn_prelu(in_channels, channels, 1),
        pool=pool if head == "global_depthwise" else nn.AdaptiveAvgPool2d(1),
        embedding=conv_bn(channels, embedding, 1),
    )


@register
def mobilefacenet(
    head: Head = "global_depthwise",
    image_size: int = 112,
    stem: Stem = "imagenet",
    width: float = 1.0,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> Classifier:
    """The network of table 1, with its global depthwise convolution or with average pooling in its place.

    `image_size` (pixels) fixes the kernel of the global depthwise head, which reads maps of one size only: 112 pixels
    give maps of 7x7, as all images of 97 to 112 pixels do. The small stem leaves out the first two strides, so that
    28 pixels give maps of 7x7. With average pooling the minimum is 16 pixels (4 with the small stem).
    """
    strides, base = STRIDES[stem], scaled(STEM_WIDTH, width)
    stages = make_stages(width, strides[1:])
    reduction, embedding = prod(strides), scaled(EMBEDDING, width)
    side = ceil(image_size / reduction)  # padded convolutions round odd sides up
    last = make_head(head, scaled(ROWS[-1][1], width), scaled(HEAD_WIDTH, width), side, embedding)
    start = named(
        conv=conv_bn_prelu(in_channels, base, 3, strides[0]), depthwise=conv_bn_prelu(base, base, 3, groups=base)
    )
    smallest = reduction * (side - 1) + 1 if head == "global_depthwise" else reduction
    return Classifier(start, stages, embedding, num_classes, in_channels, smallest, last)
