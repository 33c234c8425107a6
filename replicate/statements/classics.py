"""LeNet, AlexNet and VGG as the source documents print and code them.

Chapters 1 to 3 of "Classic convolutional neural networks", part II, and chapters 1 and 2 of "AlexNet to MobileNet: a
team's notes".
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.models import create_model
from replicate.models.counting import count_parameters
from replicate.statements.checks import Figures, check, holds
from replicate.statements.measure import output_shape, weights


def sides(network: nn.Module, channels: int, side: int) -> dict[str, int]:
    """The last size of the map (or the vector's length) that leaves each named layer of a network, on meta."""
    seen: dict[str, int] = {}

    def note(name: str, _: nn.Module, __: object, output: Tensor) -> None:
        seen[name.rpartition(".")[2]] = output.shape[-1]

    for name, layer in network.named_modules():
        layer.register_forward_hook(partial(note, name))
    output_shape(network, channels, side, side)
    return seen


@check
def lenet_shapes() -> Figures:
    with torch.device("meta"):
        seen = sides(create_model("lenet5"), 1, 32)
    return {name: seen[name] for name in ("c1", "s2", "c3", "s4", "c5", "f6", "output")}


@check
def alexnet_sizes() -> Figures:
    """Sides of the maps, and whether the printed working (224 - 11 + 4) / 2 + 1 gives the first."""
    with torch.device("meta"):
        seen = sides(create_model("alexnet_krizhevsky", order="caffe"), 3, 227)
    names = ("conv1", "pool1", "conv2", "pool2", "conv3", "conv4", "conv5", "pool5")
    printed = (224 - 11 + 4) / 2 + 1
    padded = nn.Conv2d(3, 1, 11, stride=4, padding=2)
    working = {"of 224 padded by 2": output_shape(padded, 3, 224, 224)[1]}
    return holds([printed == seen["conv1"]]) | {name: seen[name] for name in names} | working


@check
def alexnet_params() -> Figures:
    """The table's network has one tower; the text's has two."""
    with torch.device("meta"):
        one, two = (create_model("alexnet_krizhevsky", groups=groups) for groups in (1, 2))
    fc6 = one.get_submodule("classifier.fc6").weight
    assert isinstance(fc6, Tensor)
    total = count_parameters(one)
    figures = {"parameters": total, "weights of fc6": fc6.numel(), "tenths in fc6": 10 * fc6.numel() / total}
    return figures | {"parameters with two towers": count_parameters(two)}


@check
def alexnet_code_003() -> Figures:
    """The listing's network and its optimiser, which is given the classifier: does a step move every parameter?"""
    options = {"groups": 2, "lrn": False, "num_classes": 10}
    small = create_model("alexnet_krizhevsky", width=0.02, stem="small", dropout=0.0, **options)
    before = {name: value.detach().clone() for name, value in small.named_parameters()}
    optimizer = torch.optim.Adam(small.get_submodule("classifier").parameters(), lr=1e-2)
    loss = F.cross_entropy(small(torch.randn(8, 3, 28, 28)), torch.arange(8))
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    moved = [
        not torch.equal(value, before[name]) for name, value in small.named_parameters() if name.endswith("weight")
    ]
    with torch.device("meta"):
        size = count_parameters(create_model("alexnet_krizhevsky", **options))
    return holds(moved) | {"parameters": size}


@check
def vgg_params() -> Figures:
    """In hundreds of millions, A to D; E is printed without a unit."""
    names = {"A": "vgg11", "B": "vgg13", "C": "vgg16_1x1", "D": "vgg16", "E": "vgg19"}
    with torch.device("meta"):
        counted = {letter: count_parameters(create_model(name)) for letter, name in names.items()}
    return {letter: count / (1 if letter == "E" else 1e8) for letter, count in counted.items()}


@check
def vgg_first_fc() -> Figures:
    with torch.device("meta"):
        fc6 = create_model("vgg16").get_submodule("classifier.fc6").weight
    assert isinstance(fc6, Tensor)
    return {"weights": fc6.numel() / 1e8}


def listed_vgg(width: int) -> tuple[nn.Sequential, nn.Linear]:
    """The listing called VGG16: its stages and first dense layer, `width` channels standing for its 64."""
    layers: list[nn.Module] = []
    inputs = 3
    for convolutions, factor in ((2, 1), (2, 2), (3, 4), (3, 8)):
        for _ in range(convolutions):
            layers += [nn.Conv2d(inputs, factor * width, 3, padding=1), nn.ReLU()]
            inputs = factor * width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers), nn.Linear(6 * 6 * 8 * width, 16)


@check
def vgg_code_003() -> Figures:
    """The listing's layers, and whether its forward pass, with a view of 4 x 4, runs on 64, 96 or 224 pixels."""
    stages, dense = listed_vgg(2)

    def runs(side: int) -> bool:
        try:
            dense(stages(torch.randn(1, 3, side, side)).view(-1, 4 * 4 * 16))
        except RuntimeError:
            return False
        return True

    convolutions = sum(isinstance(layer, nn.Conv2d) for layer in stages)
    real = create_model("vgg16", width=0.02)
    own = sum(isinstance(layer, nn.Conv2d) for layer in real.modules())
    assert weights(dense) > 0
    return holds(map(runs, (64, 96, 224))) | {"layers": convolutions + 3, "convolutions of VGG16": own}
