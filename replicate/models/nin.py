"""Network In Network of Lin, Chen and Yan 2014 (arXiv 1312.4400).

An mlpconv layer slides a small multilayer perceptron over the map: a convolution and two 1x1 convolutions, each with
bias and ReLU (equation 2). The last one has a map per class, and the logits are the averages of these maps: global
average pooling in place of fully connected layers (section 3.2). The paper does not print the numbers of kernels; they
are those of the authors' released models for CIFAR-10 (966,986 parameters) and ImageNet (7,595,176).

Where paper and well-known code differ: the paper pools by the maximum after every mlpconv layer but the last, the
released CIFAR model averages the second time (`second_pool`). Both round the number of windows up, as Caffe does.
"""

from typing import Literal

from torch import Tensor, nn

from replicate.models.layers.blocks import check_images, named, relu, scaled
from replicate.models.registry import register

Pool = Literal["max", "average"]


def mlpconv(in_channels: int, kernels: tuple[int, int, int], size: int, stride: int = 1, padding: int = 0) -> nn.Module:
    """A convolution of `size` pixels and two 1x1 convolutions (Caffe calls those cccp), with `kernels` kernels.

    Submodules: conv, relu1, cccp1, relu2, cccp2, relu3.
    """
    first, second, third = kernels
    return named(
        conv=nn.Conv2d(in_channels, first, size, stride, padding),
        relu1=relu(),
        cccp1=nn.Conv2d(first, second, 1),
        relu2=relu(),
        cccp2=nn.Conv2d(second, third, 1),
        relu3=relu(),
    )


def make_pool(kind: Pool) -> nn.Module:
    """3x3 windows every 2 pixels; the side is halved, rounded down."""
    return (nn.MaxPool2d if kind == "max" else nn.AvgPool2d)(3, stride=2, ceil_mode=True)


class NIN(nn.Module):
    """`features` with mlpconv1, pool1, ...; the last mlpconv layer has one map per class.

    Input (batch, in_channels, height, width), output logits (batch, num_classes).
    """

    def __init__(self, features: dict[str, nn.Module], in_channels: int, min_size: int) -> None:
        super().__init__()
        self.in_channels, self.min_size = in_channels, min_size
        self.features = named(**features)

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.in_channels, self.min_size)
        return self.features(images).mean(dim=(2, 3))


@register
def nin(dropout: float = 0.5, width: float = 1.0, num_classes: int = 1000, in_channels: int = 3) -> NIN:
    """The released ImageNet model, four mlpconv layers, for images of 224 pixels; dropout before the last one.

    Minimum input 39 pixels.
    """
    c1, c2, c3, c4 = (scaled(channels, width) for channels in (96, 256, 384, 1024))
    features = {
        "mlpconv1": mlpconv(in_channels, (c1, c1, c1), 11, stride=4),
        "pool1": make_pool("max"),
        "mlpconv2": mlpconv(c1, (c2, c2, c2), 5, padding=2),
        "pool2": make_pool("max"),
        "mlpconv3": mlpconv(c2, (c3, c3, c3), 3, padding=1),
        "pool3": make_pool("max"),
        "drop3": nn.Dropout(dropout),
        "mlpconv4": mlpconv(c3, (c4, c4, num_classes), 3, padding=1),
    }
    return NIN(features, in_channels, min_size=39)  # mlpconv1 leaves 8 pixels, each of three pools halves them


@register
def nin_cifar(
    second_pool: Pool = "max", dropout: float = 0.5, width: float = 1.0, num_classes: int = 10, in_channels: int = 3
) -> NIN:
    """The CIFAR model of section 4: three mlpconv layers, dropout on the outputs of all but the last.

    For images of 32 pixels; minimum input 4 pixels.
    """
    c160, c96, c192 = (scaled(channels, width) for channels in (160, 96, 192))
    features = {
        "mlpconv1": mlpconv(in_channels, (c192, c160, c96), 5, padding=2),
        "pool1": make_pool("max"),
        "drop1": nn.Dropout(dropout),
        "mlpconv2": mlpconv(c96, (c192, c192, c192), 5, padding=2),
        "pool2": make_pool(second_pool),
        "drop2": nn.Dropout(dropout),
        "mlpconv3": mlpconv(c192, (c192, c192, num_classes), 3, padding=1),
    }
    return NIN(features, in_channels, min_size=4)
