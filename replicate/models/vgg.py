"""VGG of Simonyan and Zisserman 2015, "Very Deep Convolutional Networks for Large-Scale Image Recognition".

The configurations A, A-LRN, B, C, D and E of table 1, and B with every pair of 3x3 convolutions replaced by one 5x5
(section 2.3). Where paper and well-known code differ: batch normalisation (`vgg16_bn`) came later and is torchvision's;
torchvision has no A-LRN and no C (`vgg11_lrn`, `vgg16_1x1` here).
"""

from typing import Literal

from torch import Tensor, nn

from replicate.models.alexnet import HIDDEN, local_response_norm, make_classifier
from replicate.models.layers.blocks import Stem, bn, check_images, conv, named, relu, scaled
from replicate.models.registry import register, register_variants
from replicate.models.weights import Rule, register_reference

Config = Literal["A", "A-LRN", "B", "B-5x5", "C", "D", "E"]
Head = Literal["fc", "pool"]

CHANNELS = (64, 128, 256, 512, 512)
KERNELS: dict[str, tuple[tuple[int, ...], ...]] = {  # kernel sizes of each of the five stages
    "A": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "A-LRN": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "B": ((3, 3),) * 5,
    "B-5x5": ((5,),) * 5,
    "C": ((3, 3), (3, 3), (3, 3, 1), (3, 3, 1), (3, 3, 1)),
    "D": ((3, 3), (3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)),
    "E": ((3, 3), (3, 3), (3,) * 4, (3,) * 4, (3,) * 4),
}
POOLED_STAGES = {"imagenet": 5, "small": 3}
GRID = {"imagenet": 7, "small": 3}  # side of the map that fc6 reads: 224 pixels give 7, 28 pixels give 3


def conv_relu(in_channels: int, out_channels: int, kernel: int, batch_norm: bool) -> nn.Sequential:
    """A convolution with bias as in the paper, BN if `batch_norm`, ReLU."""
    layers: dict[str, nn.Module] = {"conv": conv(in_channels, out_channels, kernel, bias=True)}
    if batch_norm:
        layers["bn"] = bn(out_channels)
    return named(**layers, relu=relu())


def make_stage(
    in_channels: int, out_channels: int, kernels: tuple[int, ...], batch_norm: bool, lrn: bool, pool: bool
) -> nn.Sequential:
    """Convolutions conv1, conv2, ...; `lrn` normalises the first one's responses; 2x2 max pooling ends the stage."""
    layers: dict[str, nn.Module] = {}
    for index, kernel in enumerate(kernels, start=1):
        layers[f"conv{index}"] = conv_relu(
            in_channels if index == 1 else out_channels, out_channels, kernel, batch_norm
        )
        if lrn and index == 1:
            layers["norm"] = local_response_norm()
    if pool:
        layers["pool"] = nn.MaxPool2d(2, stride=2)
    return named(**layers)


class VGG(nn.Module):
    """`stages` of convolutions, each ending in a pool, and `classifier` with fc6, fc7, fc8 (or fc8 alone).

    Maps of another side than `grid` are averaged (or repeated) to it, so that fc6 reads images of every size; at the
    published size they stay as they are. Input (batch, in_channels, height, width), output logits (batch, num_classes).
    """

    def __init__(
        self, stages: nn.Sequential, classifier: nn.Sequential, grid: int, in_channels: int, min_size: int
    ) -> None:
        super().__init__()
        self.in_channels, self.min_size = in_channels, min_size
        self.stages = stages
        self.avgpool = nn.AdaptiveAvgPool2d(grid)
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.in_channels, self.min_size)
        return self.classifier(self.avgpool(self.stages(images)).flatten(1))


def make_head(
    head: Head, features: int, grid: int, hidden: int, num_classes: int, dropout: float
) -> tuple[nn.Sequential, int]:
    """The classifier and the side of the maps that it reads: three layers as in AlexNet, or one on averaged maps."""
    if head == "pool":
        return named(fc8=nn.Linear(features, num_classes)), 1
    return named(**make_classifier(features * grid**2, hidden, num_classes, dropout, "relu")), grid


@register
def vgg(
    config: Config = "D",
    batch_norm: bool = False,
    head: Head = "fc",
    dropout: float = 0.5,
    stem: Stem = "imagenet",
    width: float = 1.0,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> VGG:
    """The networks of table 1, for images of 224 pixels.

    VGG has no stem that could be replaced for images of 16 to 32 pixels; stem "small" pools after the first three
    stages only, since the late pools would leave nothing of the map. Head "pool" averages the maps and has one linear
    layer and no dropout. Minimum input 32 pixels, 8 with the small stem.
    """
    widths = [in_channels, *(scaled(channels, width) for channels in CHANNELS)]
    pools = POOLED_STAGES[stem]
    stages = [
        make_stage(widths[i], widths[i + 1], kernels, batch_norm, lrn=i == 0 and config == "A-LRN", pool=i < pools)
        for i, kernels in enumerate(KERNELS[config])
    ]
    classifier, grid = make_head(head, widths[-1], GRID[stem], scaled(HIDDEN, width), num_classes, dropout)
    return VGG(nn.Sequential(*stages), classifier, grid, in_channels, min_size=2**pools)


NAMES = {"vgg11": "A", "vgg11_lrn": "A-LRN", "vgg13": "B", "vgg16_1x1": "C", "vgg16": "D", "vgg19": "E"}
TORCHVISION = ("vgg11", "vgg13", "vgg16", "vgg19")
register_variants(vgg, {name: {"config": config} for name, config in NAMES.items()})
register_variants(vgg, {f"{name}_bn": {"config": NAMES[name], "batch_norm": True} for name in TORCHVISION})

CLASSIFIER_NAMES = {"0": "fc6", "3": "fc7", "6": "fc8"}


def torchvision_names(config: str, batch_norm: bool) -> tuple[Rule, ...]:
    """Torchvision numbers the layers of one flat Sequential, so a layer's number depends on the configuration."""
    names, index = {}, 0
    for stage, kernels in enumerate(KERNELS[config]):
        for layer in range(1, len(kernels) + 1):
            names[index], names[index + 1] = f"stages.{stage}.conv{layer}.conv", f"stages.{stage}.conv{layer}.bn"
            index += 3 if batch_norm else 2  # the ReLU has a number too
        index += 1  # and the pool
    return (
        (r"^features\.(\d+)", lambda match: names[int(match[1])]),
        (r"^classifier\.(\d+)", lambda match: f"classifier.{CLASSIFIER_NAMES[match[1]]}"),
    )


for _name in TORCHVISION:
    register_reference("torchvision", [_name], torchvision_names(NAMES[_name], batch_norm=False))
    register_reference("torchvision", [f"{_name}_bn"], torchvision_names(NAMES[_name], batch_norm=True))
