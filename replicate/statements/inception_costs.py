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
from replicate.models.counting import count_parameters
from replicate.models.layers.inception_blocks import Branches, InceptionNet
from replicate.statements.checks import Figures, check, holds
from replicate.statements.measure import conv, multiply_adds, output_shape, same, weights

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


@check
def naive_inception_output() -> Figures:
    """1x1, 3x3 and 5x5 kernels and a pool with its 1x1, side by side on 28x28x192."""
    pool = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), conv(192, 32, 1))
    square = [conv(192, outputs, k, padding=k // 2) for outputs, k in ((64, 1), (128, 3), (32, 5))]
    channels, rows, columns = output_shape(Branches([*square, pool]), 192, 28, 28)
    return holds([(rows, columns) == (28, 28)]) | {"channels": channels}


@check
def googlenet_5x5_direct() -> Figures:
    return {"multiplications": multiply_adds(conv(192, 32, 5, padding=2), 192, 28, 28)}


@check
def googlenet_5x5_reduced() -> Figures:
    """The reduction, the 5x5 behind it, their sum in millions, and how many times it goes into the direct 5x5."""
    reduction, behind = conv(192, 16, 1), conv(16, 32, 5, padding=2)
    parts = [multiply_adds(reduction, 192, 28, 28), multiply_adds(behind, 16, 28, 28)]
    direct = multiply_adds(conv(192, 32, 5, padding=2), 192, 28, 28)
    return {"1x1": parts[0], "5x5": parts[1], "sum": sum(parts) / 1e6, "times fewer": direct / sum(parts)}


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


@check
def inception_v1_gap() -> Figures:
    """Weights between the last 7x7 maps and 1024 units, as printed, in tens of millions, and with the average between.

    The classifier really has 1000 units.
    """
    network = googlenet()
    channels, rows, columns = output_shape(nn.Sequential(network.stem, network.stages), 3, 224, 224)
    flat = channels * rows * columns
    with torch.device("meta"):
        sizes = [weights(nn.Linear(inputs, 1024, bias=False)) for inputs in (flat, channels)]
        real = weights(nn.Linear(flat, network.fc.out_features, bias=False))
    return {
        "flat": sizes[0] / 1e7,
        "averaged": sizes[1] / 1e6,
        "flat to the classes": real,
        "classes": network.fc.weight.numel(),
    }


@check
def inception_v2_table() -> Figures:
    """Weights without biases and normalisation; conv1 is not separable there, and 4c and 4d project to 128."""
    with torch.device("meta"):
        network = create_model("bn_inception", batch_norm=False, separable_stem=False)
    assert isinstance(network, InceptionNet)
    blocks = dict(network.blocks())
    figures: Figures = {
        name: kernels(blocks[name]) for name in ("3a", "3b", "3c", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
    }
    return figures | {"total": kernels(network)}


def kernels(module: nn.Module) -> int:
    """Weights of convolutions and dense layers, without biases."""
    layers = [layer for layer in module.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    return sum(layer.weight.numel() for layer in layers)


@check
def inception_v3_params() -> Figures:
    """In the printed unit of ten thousand, and as a count."""
    with torch.device("meta"):
        counted = count_parameters(create_model("inception_v3_keras2016"))
    return {"tens of thousands": counted / 1e4, "parameters": counted}


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
