"""The Inception networks as the source documents print them.

Chapter 4 of "Classic convolutional neural networks", part II, and chapter 3 of "AlexNet to MobileNet: a team's notes".
"""

import torch
import torch.nn.functional as F
from torch import nn

from replicate.models import create_model
from replicate.models.layers.inception_blocks import InceptionNet
from replicate.statements.checks import Figures, check, holds
from replicate.statements.counted import counted
from replicate.statements.measure import WEIGHTED, conv, depth, same

POOLS = (F.max_pool2d, F.avg_pool2d, torch.mean)


def googlenet() -> InceptionNet:
    with torch.device("meta"):
        network = create_model("googlenet", auxiliary_heads=(), lrn=False)
    assert isinstance(network, InceptionNet)
    return network


counted(__name__, "naive_inception_output googlenet_5x5_direct googlenet_5x5_reduced")


@check
def inception_v1_depth() -> Figures:
    network = googlenet()
    return {"with weights": depth(network, WEIGHTED), "with pools": depth(network, (*WEIGHTED, *POOLS))}


@check
def inception_v2_depth() -> Figures:
    """GoogLeNet before and after each of its 5x5 convolutions became two of 3x3."""
    before, changed = depth(googlenet(), WEIGHTED), googlenet()
    for parent in [*changed.modules()]:
        for name, layer in [*parent.named_children()]:
            if isinstance(layer, nn.Conv2d) and layer.kernel_size == (5, 5):
                inner = conv(layer.in_channels, layer.out_channels, 3, padding=1)
                setattr(parent, name, nn.Sequential(inner, conv(layer.out_channels, layer.out_channels, 3, padding=1)))
    return {"layers more": depth(changed, WEIGHTED) - before}


counted(__name__, "inception_v1_gap inception_v2_table inception_v3_params")


@check
def label_smoothing() -> Figures:
    """The target that the loss really has: softmax minus the gradient of the smoothed cross entropy."""

    def case(classes: int, epsilon: float) -> bool:
        logits = torch.randn(classes, requires_grad=True)
        loss = F.cross_entropy(logits, torch.tensor(2), label_smoothing=epsilon)
        target = torch.softmax(logits.detach(), 0) - torch.autograd.grad(loss, logits)[0]
        stated = torch.full((classes,), epsilon / classes)
        stated[2] = 1 - (classes - 1) * epsilon / classes
        return same(target, stated) and same(stated.sum(), torch.tensor(1.0))

    return holds([case(1000, 0.1), case(10, 0.1), case(5, 0.3), case(7, 0.0)])
