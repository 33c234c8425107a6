"""AlexNet of Krizhevsky et al. 2012, "ImageNet Classification with Deep Convolutional Neural Networks".

Two networks carry the name. `alexnet_krizhevsky` is the paper's: 96-256-384-384-256 kernels, two towers, local
response normalisation, overlapping pools. `alexnet` is torchvision's network of that name: the single column of
Krizhevsky 2014, "One weird trick for parallelizing convolutional neural networks", with 64-192-384-256-256 kernels.

Where paper and well-known code differ: the paper normalises before it pools, CaffeNet (and the source
document "Classic convolutional neural networks") pools first (`order`); the source document's table adds up to the
count without towers although its text describes them (`groups=1`, registered as `alexnet_ungrouped`); dropout follows
fc6 and fc7 in the paper, and precedes them in torchvision. Normalisation spans all kernels of a layer, as the paper's
formula has it, also across the towers.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from replicate.models.layers.blocks import Stem, check_images, conv, named, relu, scaled
from replicate.models.registry import register, register_variants
from replicate.models.weights import Rule, register_reference

Kernels = Literal["two_gpu", "one_gpu"]
Order = Literal["paper", "caffe"]
Removable = Literal["conv2", "conv3", "conv4", "conv5"]
Activation = Literal["relu", "tanh"]
Layers = dict[str, nn.Module]

KERNELS = {
    "two_gpu": (96, 256, 384, 384, 256),
    "one_gpu": (48, 128, 192, 192, 256),  # footnote 2: conv5 is not halved, so that fc6 keeps its size
}
ONE_COLUMN_KERNELS = (64, 192, 384, 256, 256)
TOWER_LAYERS = (2, 4, 5)  # conv3 reads both towers (section 3.5)
NORMALISED = (1, 2)
POOLED = (1, 2, 5)
HIDDEN = 4096
GRID = {"imagenet": 6, "small": 3}  # side of the map that fc6 reads: 227 pixels give 6, 28 pixels give 3


class CoveringConv2d(nn.Conv2d):
    """A convolution whose last window may reach over the far edge, where it reads zeros.

    cuda-convnet rounds the number of windows up; this is how the paper's 224 pixels give the 55 windows of 227.
    """

    def forward(self, images: Tensor) -> Tensor:
        height, width = (-(side - self.kernel_size[0]) % self.stride[0] for side in images.shape[2:])
        return super().forward(F.pad(images, (0, width, 0, height)))


class AlexNet(nn.Module):
    """Layers by the paper's names: `features` has conv1 ... conv5, `classifier` fc6, fc7, fc8.

    Maps of another side than `grid` are averaged (or repeated) to it, so that fc6 reads images of every size; at the
    published size they stay as they are. Input (batch, in_channels, height, width), output logits (batch, num_classes).
    """

    def __init__(self, features: Layers, classifier: Layers, grid: int, in_channels: int, min_size: int) -> None:
        super().__init__()
        self.in_channels, self.min_size = in_channels, min_size
        self.features = named(**features)
        self.avgpool = nn.AdaptiveAvgPool2d(grid)
        self.classifier = named(**classifier)

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.in_channels, self.min_size)
        return self.classifier(self.avgpool(self.features(images)).flatten(1))


def local_response_norm() -> nn.LocalResponseNorm:
    """Section 3.3 with k = 2, n = 5, alpha = 1e-4, beta = 0.75. Torch divides alpha by n, the paper does not."""
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)


def max_pool(overlapping: bool) -> nn.MaxPool2d:
    """Windows of 3 pixels every 2 (section 3.4), or of 2 every 2; both halve a map to the same side, rounded down.

    Rounding the number of windows up, as cuda-convnet does, changes nothing at 227 pixels and keeps the two forms
    comparable at every other size.
    """
    return nn.MaxPool2d(3, stride=2, ceil_mode=True) if overlapping else nn.MaxPool2d(2, stride=2)


def make_activation(name: Activation) -> nn.Module:
    """ReLU, or the tanh that section 3.1 compares it with."""
    return relu() if name == "relu" else nn.Tanh()


def first_conv(in_channels: int, channels: int, stem: Stem) -> nn.Conv2d:
    """conv1: 11x11 kernels with stride 4; the small stem has 5x5 kernels at full size."""
    if stem == "imagenet":
        return CoveringConv2d(in_channels, channels, 11, stride=4)
    return nn.Conv2d(in_channels, channels, 5, padding=2)


def after_conv(index: int, lrn: bool, overlapping: bool, order: Order, activation: Activation) -> Layers:
    """What follows convolution `index`: activation, then normalisation and pool in the order of `order`."""
    norm: Layers = {f"norm{index}": local_response_norm()} if lrn and index in NORMALISED else {}
    pool: Layers = {f"pool{index}": max_pool(overlapping)} if index in POOLED else {}
    tail = norm | pool if order == "paper" else pool | norm
    return {f"{activation}{index}": make_activation(activation), **tail}


def make_features(
    conv1: nn.Conv2d, channels: Sequence[int], groups: int, without: Removable | None, after: Callable[[int], Layers]
) -> tuple[Layers, int]:
    """The five convolutional layers without the one named `without`, and the number of channels that they end with.

    The pool of a removed layer stays, so that the layers above see maps of the same side.
    """
    layers: Layers = {"conv1": conv1, **after(1)}
    inputs = conv1.out_channels
    for index, outputs in enumerate(channels[1:], start=2):
        if without == f"conv{index}":
            layers |= {name: layer for name, layer in after(index).items() if isinstance(layer, nn.MaxPool2d)}
            continue
        kernel, towers = (5 if index == 2 else 3), (groups if index in TOWER_LAYERS else 1)
        layers |= {f"conv{index}": conv(inputs, outputs, kernel, groups=towers, bias=True), **after(index)}
        inputs = outputs
    return layers, inputs


def make_classifier(features: int, hidden: int, num_classes: int, dropout: float, activation: Activation) -> Layers:
    """Section 3.5; dropout zeroes outputs of fc6 and fc7 (section 4.2)."""
    return {
        "fc6": nn.Linear(features, hidden),
        f"{activation}6": make_activation(activation),
        "drop6": nn.Dropout(dropout),
        "fc7": nn.Linear(hidden, hidden),
        f"{activation}7": make_activation(activation),
        "drop7": nn.Dropout(dropout),
        "fc8": nn.Linear(hidden, num_classes),
    }


def tower_widths(kernels: Kernels, groups: int, width: float) -> list[int]:
    """Kernels of conv1 ... conv5 times `width`, each a multiple of `groups`."""
    if groups < 1 or any(count % groups for count in KERNELS[kernels]):
        raise ValueError(f"groups must divide the kernels {KERNELS[kernels]}, {groups} does not")
    return [scaled(count, width / groups) * groups for count in KERNELS[kernels]]


@register
def alexnet_krizhevsky(
    groups: int = 2,
    kernels: Kernels = "two_gpu",
    lrn: bool = True,
    overlapping: bool = True,
    dropout: float = 0.5,
    order: Order = "paper",
    activation: Activation = "relu",
    without: Removable | None = None,
    stem: Stem = "imagenet",
    width: float = 1.0,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> AlexNet:
    """The network of the paper, for images of 224 or 227 pixels (28 or 32 with the small stem).

    `groups` is the number of towers; `kernels` "one_gpu" is the halved network of section 3.2; `without` names one
    convolutional layer to leave out (section 7). Minimum input 36 pixels, 8 with the small stem.
    """
    channels = tower_widths(kernels, groups, width)
    after = partial(after_conv, lrn=lrn, overlapping=overlapping, order=order, activation=activation)
    features, last = make_features(first_conv(in_channels, channels[0], stem), channels, groups, without, after)
    grid = GRID[stem]
    classifier = make_classifier(last * grid**2, scaled(HIDDEN, width), num_classes, dropout, activation)
    # three pools leave one pixel of 8; conv1 makes 8 of 36: ceil((36 - 11) / 4) + 1
    return AlexNet(features, classifier, grid, in_channels, min_size=36 if stem == "imagenet" else 8)


@register
def alexnet(dropout: float = 0.5, width: float = 1.0, num_classes: int = 1000, in_channels: int = 3) -> AlexNet:
    """Torchvision's network: one column, no normalisation, conv1 padded by 2, pools that round down.

    Made for 224 pixels, where 55, 27, 13 and 6 are the paper's sides again; minimum input 63 pixels.
    """
    channels = [scaled(count, width) for count in ONE_COLUMN_KERNELS]
    conv1 = nn.Conv2d(in_channels, channels[0], 11, stride=4, padding=2)

    def after(index: int) -> Layers:
        pool = {f"pool{index}": nn.MaxPool2d(3, stride=2)} if index in POOLED else {}
        return {f"relu{index}": relu(), **pool}

    features, last = make_features(conv1, channels, 1, None, after)
    grid = GRID["imagenet"]
    layers = make_classifier(last * grid**2, scaled(HIDDEN, width), num_classes, dropout, "relu")
    order = ("drop6", "fc6", "relu6", "drop7", "fc7", "relu7", "fc8")  # dropout zeroes inputs of fc6 and fc7
    return AlexNet(features, {name: layers[name] for name in order}, grid, in_channels, min_size=63)


register_variants(
    alexnet_krizhevsky,
    {"alexnet_ungrouped": {"groups": 1}, "alexnet_one_gpu": {"groups": 1, "kernels": "one_gpu"}},
)

TORCHVISION_FEATURES = {"0": "conv1", "3": "conv2", "6": "conv3", "8": "conv4", "10": "conv5"}
TORCHVISION_CLASSIFIER = {"1": "fc6", "4": "fc7", "6": "fc8"}
TORCHVISION_NAMES: tuple[Rule, ...] = (
    (r"^features\.(\d+)", lambda match: f"features.{TORCHVISION_FEATURES[match[1]]}"),
    (r"^classifier\.(\d+)", lambda match: f"classifier.{TORCHVISION_CLASSIFIER[match[1]]}"),
)
register_reference("torchvision", ["alexnet"], TORCHVISION_NAMES)
