"""Which outputs share weights: local and tiled layers, channel weights, deformable taps.

Sections 3.1, 3.2 and 3.10 of "Classic convolutional neural networks", part I, section 7.1 of part II, and section 8 of
"Types of convolution kernels and what they do".
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.models import create_model
from replicate.models.counting import count_parameters
from replicate.models.layers.squeeze_excitation import SqueezeExcitation
from replicate.statements.checks import Figures, check, holds
from replicate.statements.counted import counted
from replicate.statements.layer_shapes import DeformableConv2d, LocallyConnected2d, TiledConv2d
from replicate.statements.measure import dependence, same, weights

SIDE, KERNEL, INPUTS, OUTPUTS = 6, 3, 2, 3
MAP = SIDE - KERNEL + 1


def image() -> Tensor:
    return torch.randn(1, INPUTS, SIDE, SIDE)


def as_conv(layer: TiledConv2d, x: Tensor) -> Tensor:
    """Convolution with the first kernel of the set."""
    return F.conv2d(x, layer.weight[0, 0], layer.bias[0, 0])


def tie(layer: TiledConv2d) -> TiledConv2d:
    """Give every place the kernel and bias of the first."""
    with torch.no_grad():
        layer.weight.copy_(layer.weight[:1, :1].expand_as(layer.weight).clone())
        layer.bias.copy_(layer.bias[:1, :1].expand_as(layer.bias).clone())
    return layer


def conv_weights() -> int:
    return weights(nn.Conv2d(INPUTS, OUTPUTS, KERNEL, bias=False))


def moves_along(layer: nn.Module) -> bool:
    """Whether a shift of the image by one pixel shifts the output by one, the columns at the border aside."""
    x = image()
    return same(layer(x.roll(1, 3))[..., 1:], layer(x)[..., :-1])


@check
def local_connection() -> Figures:
    layer, x = LocallyConnected2d(INPUTS, OUTPUTS, KERNEL, SIDE), image()
    counted = layer.weight.numel() == OUTPUTS * MAP * MAP * INPUTS * KERNEL**2
    lost = not moves_along(layer)
    return holds([counted, lost, same(tie(layer)(x), as_conv(layer, x)) and moves_along(layer)])


@check
def tiled_conv() -> Figures:
    """Period 1 is a convolution, a set of t x t kernels has t^2 times its weights; period t = side of the input is said
    to be local connection, which the side of the output is already: beyond it kernels are never used.
    """
    x, once = image(), TiledConv2d(INPUTS, OUTPUTS, KERNEL, 1)
    grown = [TiledConv2d(INPUTS, OUTPUTS, KERNEL, t).weight.numel() == t**2 * conv_weights() for t in (1, 2, 3)]
    local = LocallyConnected2d(INPUTS, OUTPUTS, KERNEL, SIDE)
    as_input = TiledConv2d(INPUTS, OUTPUTS, KERNEL, SIDE)
    gradient = torch.autograd.grad(as_input(x).sum(), as_input.weight)[0]
    unused = int(gradient.flatten(2).abs().sum(2).eq(0).sum())
    figures = {"kernels unused at period 6": unused, "period that is local": local.period}
    return holds([same(once(x), as_conv(once, x)), *grown, unused == 0]) | figures


@check
def bias_sharing() -> Figures:
    """A bias for each input unit (local layer), the kernels' pattern (tiled), one for each input channel (convolution).

    Sizes at which inputs and outputs differ.
    """
    local, tiled = LocallyConnected2d(INPUTS, OUTPUTS, KERNEL, SIDE), TiledConv2d(INPUTS, OUTPUTS, KERNEL, 2)
    shared = nn.Conv2d(INPUTS, OUTPUTS, KERNEL)
    assert shared.bias is not None
    effect = dependence(lambda bias: F.conv2d(image(), shared.weight, bias[0]), OUTPUTS)
    per_output_channel = effect.view(OUTPUTS, MAP**2, OUTPUTS).all(1).equal(torch.eye(OUTPUTS, dtype=torch.bool))
    cases = [
        local.bias.numel() == INPUTS * SIDE**2,
        tiled.bias.shape == tiled.weight.shape[:3],
        shared.bias.numel() == INPUTS or not per_output_channel,
    ]
    return holds(cases) | {"biases of a local layer": local.bias.numel(), "its outputs": local(image()).numel()}


@check
def channel_weighting_linear() -> Figures:
    x, kernel, s = image(), torch.randn(OUTPUTS, INPUTS, KERNEL, KERNEL), torch.randn(OUTPUTS, 1, 1)
    kernels = [kernel, torch.randn_like(kernel)]
    return holds(same(s * F.conv2d(x, k), F.conv2d(x, s[..., None] * k)) for k in kernels)


@check
def se_block_formula() -> Figures:
    def case(channels: int, reduction: int) -> bool:
        block, u = SqueezeExcitation(channels, reduction, bias=False), torch.randn(2, channels, 5, 4)
        w1, w2 = block.fc1.weight.flatten(1), block.fc2.weight.flatten(1)
        z = u.sum((2, 3)) / (5 * 4)
        s = torch.sigmoid(torch.relu(z @ w1.T) @ w2.T)
        return w1.shape == (channels // reduction, channels) and same(block(u), s[..., None, None] * u)

    return holds([case(8, 2), case(16, 4), case(32, 16)])


counted(__name__, "se_params")


@check
def deformable_offset() -> Figures:
    """Zero offsets are a convolution, others are not, and the offsets' convolution is what the parameters grow by."""

    def case(channels: int, kernel: int) -> bool:
        layer, x = DeformableConv2d(channels, 4, kernel), torch.randn(1, channels, 7, 7)
        plain = same(layer(x), layer.taps(x))
        nn.init.normal_(layer.offsets.weight)
        more = weights(layer) - weights(layer.taps) == 2 * kernel**2 * (kernel**2 * channels + 1)
        return plain and more and not same(layer(x), layer.taps(x))

    return holds([case(2, 3), case(5, 3), case(3, 5)])


@check
def gap_equals_mean() -> Figures:
    maps = torch.randn(2, 3, 5, 4)
    sums = maps.sum((2, 3)) / (5 * 4)
    return holds(
        [same(F.adaptive_avg_pool2d(maps, 1).flatten(1), sums), same(F.avg_pool2d(maps, (5, 4)).flatten(1), sums)]
    )


@check
def nin_gap_vs_dense() -> Figures:
    """A network in network ends in the average: no parameters after the last maps, and images of any size."""
    model = create_model("nin_cifar", width=0.1).eval()
    head = count_parameters(model) - count_parameters(model.get_submodule("features"))
    sizes = [model(torch.randn(1, 3, side, side)).shape == (1, 10) for side in (16, 24, 32)]
    return holds(sizes) | {"parameters": head}
