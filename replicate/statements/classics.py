"""LeNet, AlexNet and VGG as the source documents print and code them.

Chapters 1 to 3 of "Classic convolutional neural networks", part II, and chapters 1 and 2 of "AlexNet to MobileNet: a
team's notes".
"""

import torch
import torch.nn.functional as F
from torch import nn

from replicate.models import create_model
from replicate.models.counting import count_parameters
from replicate.statements.checks import Figures, check, holds
from replicate.statements.counted import counted
from replicate.statements.measure import weights

counted(__name__, "lenet_shapes alexnet_sizes alexnet_params")


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


counted(__name__, "vgg_params vgg_first_fc")


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
    published = sum(isinstance(layer, nn.Conv2d) for layer in real.modules())
    assert weights(dense) > 0
    return holds(map(runs, (64, 96, 224))) | {"layers": convolutions + 3, "convolutions of VGG16": published}
