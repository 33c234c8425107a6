"""What the source documents say in passing about pooling, ranks, gradients at strides, and the cost of whole networks.

The claims are those of papers/source_questions.yaml: sections 1.2.5, 2.2, 2.5 and 3.7 of "Classic convolutional neural
networks", part I, and sections 4.2 and 9 of part II.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.models import create_model
from replicate.models.counting import count, count_parameters
from replicate.models.layers.pooling import CentreWeightedPool, RootMeanSquarePool
from replicate.statements.checks import Figures, check, holds
from replicate.statements.measure import conv, multiply_adds, output_shape, same

CHANNELS, SIDE = 6, 2  # of the maps that a 1x1 convolution narrows
PIXELS = SIDE * SIDE


def windows(maps: Tensor, side: int, stride: int) -> Tensor:
    """Every window of a map: (batch, channels, rows, columns, side * side)."""
    return maps.unfold(2, side, stride).unfold(3, side, stride).flatten(4)


@check
def l2_norm_pool() -> Figures:
    """The root of the sum of squares, which the suite's layer divides by the window's side, against torch's own."""

    def case(window: int) -> bool:
        maps = torch.randn(2, 3, 12, 12)
        found = RootMeanSquarePool(window)(maps) * window
        tolerance = 1e-5  # the layer adds a little to the sum, so that an empty window has a slope
        return all(
            torch.allclose(found, other, atol=tolerance)
            for other in (windows(maps, window, window).norm(dim=4), F.lp_pool2d(maps, 2, window))
        )

    return holds(map(case, (2, 3, 4)))


@check
def weighted_pool() -> Figures:
    """A mean whose weights fall with the distance from the middle pixel, and that leaves a flat map as it is."""
    pool, maps = CentreWeightedPool(), torch.randn(2, 3, 9, 9)
    weights = pool.weights.flatten()
    inner = (windows(maps[:, :, 1:, 1:], 3, 2) * weights).sum(4)  # without the first row and column, which copies frame
    distance = torch.tensor([abs(row) + abs(column) for row in (-1, 0, 1) for column in (-1, 0, 1)])
    falling = all(bool(weights[distance == d].max() < weights[distance == d - 1].min()) for d in (1, 2))
    return holds(
        [same(pool(maps)[:, :, 1:, 1:], inner), falling, same(pool(torch.ones(1, 1, 8, 8)), torch.ones(1, 1, 4, 4))]
    )


def plain_convolution(images: Tensor, gradient: Tensor) -> Tensor:
    """Convolution of the images with the output's gradient as its kernel, cut to 3x3: (outputs, inputs, 3, 3)."""
    return F.conv2d(images.transpose(0, 1), gradient.transpose(0, 1)).transpose(0, 1)[:, :, :3, :3]


def stretched(gradient: Tensor, stride: int) -> Tensor:
    """The gradient with stride - 1 zeros between its elements."""
    rows, columns = ((side - 1) * stride + 1 for side in gradient.shape[2:])
    apart = gradient.new_zeros(*gradient.shape[:2], rows, columns)
    apart[:, :, ::stride, ::stride] = gradient
    return apart


@check
def kernel_gradient_at_strides() -> Figures:
    """Whether a convolution with the output's gradient is the kernel's gradient: as it is, and stretched."""

    def case(stride: int, stretch: bool) -> bool:
        images, kernel = torch.randn(2, 3, 13, 13), torch.randn(4, 3, 3, 3, requires_grad=True)
        maps = F.conv2d(images, kernel, stride=stride)
        gradient = torch.randn_like(maps)
        wanted = torch.autograd.grad(maps, kernel, gradient)[0]
        return same(plain_convolution(images, stretched(gradient, stride) if stretch else gradient), wanted)

    return {
        "stride 1": holds([case(1, False)])[""],
        "larger strides": holds(case(stride, False) for stride in (2, 3, 5))[""],
        "zeros between": holds(case(stride, True) for stride in (2, 3, 5))[""],
    }


def reduces(samples: Tensor, channels: int) -> bool:
    """Whether some 1x1 convolution to so many channels keeps the rank of samples (n, channels, pixels).

    A random one does if any does, but for a set of measure zero.
    """
    narrowed = torch.einsum("nip,io->nop", samples, torch.randn(samples.shape[1], channels))
    ranks = [int(torch.linalg.matrix_rank(maps.flatten(1))) for maps in (samples, narrowed)]
    return ranks[0] == ranks[1]


def of_rank(rank: int) -> Tensor:
    """Samples of generic maps that span `rank` dimensions: (n, channels, pixels)."""
    return (torch.randn(60, rank) @ torch.randn(rank, CHANNELS * PIXELS)).view(60, CHANNELS, PIXELS)


def at_one_pixel() -> Tensor:
    """Samples that differ at one pixel alone, there in every channel: their rank is the number of channels."""
    samples = torch.zeros(60, CHANNELS, PIXELS)
    samples[:, :, 0] = torch.randn(60, CHANNELS)
    return samples


@check
def rank_and_reduction() -> Figures:
    """A 1x1 convolution to C* channels loses nothing of maps of rank r while W H C* is at least r, else it does.

    True of generic maps. Maps that differ at one pixel need all of their channels, whatever their rank.
    """
    ranks = (3, 8, 9, 17, CHANNELS * PIXELS)
    widths = range(1, CHANNELS + 1)
    generic = [reduces(of_rank(rank), width) == (width * PIXELS >= rank) for rank in ranks for width in widths]
    needed = next(width for width in widths if reduces(at_one_pixel(), width))
    return holds(generic) | {"channels for one pixel": needed, "by the rule": -(-CHANNELS // PIXELS)}


def with_two_3x3(network: nn.Module) -> nn.Module:
    """The network with two 3x3 convolutions in place of each 5x5, through as many channels as come out."""
    for parent in [*network.modules()]:
        for name, layer in [*parent.named_children()]:
            if isinstance(layer, nn.Conv2d) and layer.kernel_size == (5, 5):
                inputs, outputs = layer.in_channels, layer.out_channels
                pair = [conv(inputs, outputs, 3, padding=1, bias=True), conv(outputs, outputs, 3, padding=1, bias=True)]
                setattr(parent, name, nn.Sequential(*pair))
    return network


@check
def two_3x3_cost() -> Figures:
    """What GoogLeNet gains in parameters and multiply-adds, in percent, when its 5x5 convolutions become two 3x3."""
    with torch.device("meta"):
        networks = [create_model("googlenet"), with_two_3x3(create_model("googlenet"))]
        parameters = [count_parameters(network) for network in networks]
        work = [multiply_adds(network.eval(), 3, 224, 224) for network in networks]
    return {name: 100 * (after / before - 1) for name, (before, after) in
            {"parameters": parameters, "multiply-adds": work}.items()}  # fmt: skip


@check
def dense_evaluation_work() -> Figures:
    """Multiply-adds (1e9) of VGG-16 on one image of 384 pixels, and on the 36 crops of 224 that it stands for."""
    with torch.device("meta"):
        features = create_model("vgg16").get_submodule("stages").eval()
        side = output_shape(features, 3, 224, 224)[1]
        dense = nn.Sequential(conv(512, 4096, side), conv(4096, 4096, 1), conv(4096, 1000, 1))
        network = nn.Sequential(features, dense)
        positions = output_shape(network, 3, 384, 384)[1] ** 2
        once, cropped = multiply_adds(network, 3, 384, 384), positions * multiply_adds(network, 3, 224, 224)
    return {"one pass": once / 1e9, "crops": cropped / 1e9}


def gradient_bytes(name: str) -> Iterator[int]:
    """Bytes of each 32-bit gradient that a data-parallel step has to add up over its devices."""
    with torch.device("meta"):
        network = create_model(name).float().train()
        output = network(torch.empty(2, 3, 227, 227, dtype=torch.float32))
        torch.autograd.backward(output.sum())
    yield from (parameter.grad.nbytes for parameter in network.parameters() if parameter.grad is not None)


@check
def bytes_a_step() -> Figures:
    """Megabytes of gradients a step, which grow as the parameters do: four bytes for each."""
    names = {"AlexNet": "alexnet_krizhevsky", "SqueezeNet": "squeezenet1_0"}
    sent = {label: sum(gradient_bytes(name)) for label, name in names.items()}
    held = [sent[label] == 4 * count(name, (3, 227, 227)).parameters for label, name in names.items()]
    return holds(held) | {label: found / 1e6 for label, found in sent.items()}
