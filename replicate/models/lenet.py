"""LeNet-5 of LeCun et al. 1998, "Gradient-Based Learning Applied to Document Recognition", section II.B.

Where paper and well-known code differ: the paper's subsampling has a coefficient and a bias per map, its C3 reads some
of the maps only, every layer up to F6 is squashed by 1.7159 tanh(2x/3), and the output is the distance from fixed
codes. Today's LeNet-5 pools without weights, connects C3 fully and ends in a linear layer: `lenet5_modern`, the 61,706
parameters that follow from the layer table of the source document "Classic convolutional neural networks".
"""

from collections.abc import Sequence
from random import Random
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.models.layers.blocks import check_images, named, scaled
from replicate.models.registry import register, register_variants

Subsampling = Literal["trainable", "average", "max"]
Connections = Literal["partial", "full"]
Head = Literal["rbf", "softmax"]
Squash = Literal["scaled_tanh", "relu"]

MAPS = (6, 16, 120)  # C1, C3, C5
CODE = 84  # units of F6: the pixels of a 7x12 bitmap
TABLE_I = (  # the maps of S2 that each map of C3 reads
    *((i, (i + 1) % 6, (i + 2) % 6) for i in range(6)),
    *((i, (i + 1) % 6, (i + 2) % 6, (i + 3) % 6) for i in range(6)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5), (0, 1, 2, 3, 4, 5)),
)
# The codes of the digits 0 ... 9, side by side, as public transcriptions read figure 3; # is +1, . is -1
BITMAPS = """
.#####. ...##.. .#####. ####### .#####. .#####. ..####. ####### .#####. .#####.
....... ..###.. ....... .....## ....... ....... .##.... .....## ##...## ##..###
..###.. .####.. .#####. ....##. ....... ####### ##..... .....## ##...## ##...##
.##.##. ...##.. ##...## ...##.. .##..## ##..... ##..... ....##. ##...## ##...##
##...## ...##.. #....## ..####. .##..## ##..... ######. ...##.. .#####. ##..###
##...## ...##.. ....##. .....## ###..## .####.. ###..## ...##.. ##...## .######
##...## ...##.. ..###.. .....## ##...## ..####. ##...## ..##... ##...## .....##
##...## ...##.. .##.... .....## ##...## .....## ##...## ..##... ##...## .....##
.##.##. ...##.. ##..... ##...## ##..### ##...## ###..## ..##... ##...## ....##.
..###.. .###### ####### .#####. .###### .#####. .#####. ..##... .#####. .####..
....... ....... ....... ....... .....## ....... ....... ....... ....... .......
....... ....... ....... ....... .....## ....... ....... ....... ....... .......
"""


class ScaledTanh(nn.Module):
    """A tanh(S a) with A = 1.7159 and S = 2/3, so that f(1) = 1 and f(-1) = -1 (equation 6 and appendix A)."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(x * (2 / 3))


class Subsample(nn.Module):
    """The sum of 2x2 pixels times a trainable coefficient, plus a trainable bias: two parameters a map (S2, S4).

    It starts as average pooling: coefficient 1/4, bias 0.
    """

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.coefficient = nn.Parameter(torch.full((maps,), 0.25))
        self.bias = nn.Parameter(torch.zeros(maps))

    def forward(self, x: Tensor) -> Tensor:
        total = 4 * F.avg_pool2d(x, 2)
        return total * self.coefficient[:, None, None] + self.bias[:, None, None]


class PartialConv2d(nn.Module):
    """A convolution whose output map o reads the input maps `table[o]` only: one kernel per entry, one bias per map.

    Each kernel runs separately and the results are summed by output map, so that a count of the operations finds the
    paper's connections: 60 kernels of 25 weights for C3. (One dense convolution with zeros trains three times faster.)
    `weight` has the shape (entries of the table, 1, kernel, kernel).
    """

    sources: Tensor
    targets: Tensor

    def __init__(self, table: Sequence[Sequence[int]], kernel: int) -> None:
        super().__init__()
        if not all(table):
            raise ValueError("a map of the connection table reads nothing: the layer before needs more maps")
        fan_in = torch.tensor([len(row) * kernel**2 for row in table for _ in row])
        self.weight = nn.Parameter(torch.empty(len(fan_in), 1, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(len(table)))
        with torch.no_grad():  # torch's default for a convolution, with the fan-in of the map
            self.weight.uniform_(-1, 1).mul_(fan_in[:, None, None, None] ** -0.5)
        sources = torch.tensor([source for row in table for source in row])
        targets = torch.tensor([target for target, row in enumerate(table) for _ in row])
        self.register_buffer("sources", sources, persistent=False)
        self.register_buffer("targets", targets, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        products = F.conv2d(x[:, self.sources], self.weight, groups=len(self.weight))
        maps = self.bias[:, None, None].expand(len(x), -1, *products.shape[2:])
        return maps.index_add(1, self.targets, products)


class RadialBasis(nn.Module):
    """Minus the squared distance from each class's code: -sum_j (x_j - w_ij)^2 (equation 7); the nearest code wins.

    The codes are parameters only if `trainable`; the paper keeps them fixed, at least initially.
    """

    def __init__(self, codes: Tensor, trainable: bool) -> None:
        super().__init__()
        self.codes = nn.Parameter(codes) if trainable else nn.Buffer(codes)

    def forward(self, x: Tensor) -> Tensor:
        return -(x[:, None] - self.codes).square().sum(dim=2)


def class_codes(num_classes: int) -> Tensor:
    """Codes of +-1, shape (num_classes, 84): the digits' bitmaps, then random codes, which the paper also considers."""
    columns = [line.split() for line in BITMAPS.strip().splitlines()]
    codes = [[1.0 if pixel == "#" else -1.0 for pixel in "".join(digit)] for digit in zip(*columns, strict=True)]
    random = Random(0)  # the codes belong to the network, not to the run's seed
    codes += [[random.choice((-1.0, 1.0)) for _ in range(CODE)] for _ in range(num_classes - len(codes))]
    return torch.tensor(codes[:num_classes])


def scaled_table(inputs: int, outputs: int) -> list[list[int]]:
    """Table I stretched to `inputs` maps of S2 and `outputs` maps of C3, in place of its 6 rows and 16 columns."""
    rows = [TABLE_I[target * len(TABLE_I) // outputs] for target in range(outputs)]
    return [[source for source in range(inputs) if source * MAPS[0] // inputs in row] for row in rows]


class LeNet5(nn.Module):
    """Layers by the paper's names: `features` has c1, s2, c3, s4, c5, `classifier` f6 and output.

    Input (batch, in_channels, height, width), output logits (batch, num_classes). Larger images than 32x32 give C5
    maps of more than one pixel (section II.B); their mean is taken.
    """

    def __init__(
        self, features: dict[str, nn.Module], classifier: dict[str, nn.Module], in_channels: int, min_size: int
    ) -> None:
        super().__init__()
        self.in_channels, self.min_size = in_channels, min_size
        self.features = named(**features)
        self.classifier = named(**classifier)

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.in_channels, self.min_size)
        return self.classifier(self.features(images).mean(dim=(2, 3)))


def make_squash(name: Squash) -> nn.Module:
    """The paper's squashing function or a ReLU."""
    return ScaledTanh() if name == "scaled_tanh" else nn.ReLU()


def make_subsampling(kind: Subsampling, maps: int, activation: Squash) -> nn.Module:
    """S2 or S4. Only the trainable form is squashed: pooling without weights follows a squashed layer already."""
    if kind == "trainable":
        return named(sum=Subsample(maps), squash=make_squash(activation))
    return nn.AvgPool2d(2) if kind == "average" else nn.MaxPool2d(2)


def make_c3(kind: Connections, inputs: int, outputs: int) -> nn.Module:
    """The third layer, partial (table I) or full."""
    return nn.Conv2d(inputs, outputs, 5) if kind == "full" else PartialConv2d(scaled_table(inputs, outputs), 5)


def make_output(head: Head, num_classes: int, trainable_codes: bool) -> nn.Module:
    """The output layer on the 84 units of F6."""
    return nn.Linear(CODE, num_classes) if head == "softmax" else RadialBasis(class_codes(num_classes), trainable_codes)


@register
def lenet5(
    subsampling: Subsampling = "trainable",
    connections: Connections = "partial",
    head: Head = "rbf",
    trainable_codes: bool = False,
    activation: Squash = "scaled_tanh",
    padding: int = 0,
    width: float = 1.0,
    num_classes: int = 10,
    in_channels: int = 1,
) -> LeNet5:
    """The network of figure 2, for images of 32 pixels; `padding` 2 around C1 suits the 28 pixels of MNIST.

    `width` scales C1, C3 and C5; F6 keeps the 84 pixels of a code. Minimum input 32 - 2 padding pixels.
    """
    c1, c3, c5 = (scaled(maps, width) for maps in MAPS)
    features: dict[str, nn.Module] = {
        "c1": nn.Conv2d(in_channels, c1, 5, padding=padding),
        "squash1": make_squash(activation),
        "s2": make_subsampling(subsampling, c1, activation),
        "c3": make_c3(connections, c1, c3),
        "squash3": make_squash(activation),
        "s4": make_subsampling(subsampling, c3, activation),
        "c5": nn.Conv2d(c3, c5, 5),
        "squash5": make_squash(activation),
    }
    output = make_output(head, num_classes, trainable_codes)
    classifier = {"f6": nn.Linear(c5, CODE), "squash6": make_squash(activation), "output": output}
    return LeNet5(features, classifier, in_channels, min_size=32 - 2 * padding)


register_variants(
    lenet5,
    {"lenet5_modern": {"subsampling": "max", "connections": "full", "head": "softmax", "activation": "relu"}},
)
