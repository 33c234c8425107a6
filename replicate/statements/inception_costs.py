"""The Inception networks as the source documents print them.

Chapter 4 of "Classic convolutional neural networks", part II, and chapter 3 of "AlexNet to MobileNet: a team's notes".
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from replicate.models import create_model
from replicate.models.layers.inception_blocks import InceptionNet
from replicate.statements.checks import Figures, check, holds
from replicate.statements.counted import counted
from replicate.statements.measure import conv, same

WEIGHTED = (torch.conv2d, F.linear)
POOLS = (F.max_pool2d, F.avg_pool2d, torch.mean)


class Depth(TorchFunctionMode):
    """Follows a forward pass and keeps for each tensor the most `steps` that lie between it and the input."""

    def __init__(self, steps: Collection[Callable[..., Any]]) -> None:
        super().__init__()
        self.steps = steps
        self.depths = WeakTensorKeyDictionary()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            below = max((self.depths[tensor] for tensor in tensors_in(args) if tensor in self.depths), default=0)
            self.depths[result] = below + (func in self.steps)
        return result


def tensors_in(values: Iterable[Any]) -> Iterator[Tensor]:
    """The tensors among arguments, also those in a list."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from tensors_in(value)


def depth(network: nn.Module, steps: Collection[Callable[..., Any]], side: int = 224) -> int:
    """The longest way through the network, counted in `steps`."""
    with torch.no_grad(), Depth(steps) as mode:
        result = network.to("meta").eval()(torch.empty(1, 3, side, side, device="meta"))
        return int(mode.depths[result])


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
