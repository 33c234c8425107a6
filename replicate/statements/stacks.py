"""What several small kernels cost in place of a large one.

Section 1 of "CNN engineering tips", sections 1 and 3 of "Types of convolution kernels and what they do", sections 3.2
and 5.2 of "AlexNet to MobileNet: a team's notes", sections 3.4, 3.5 and 3.7 of "Classic convolutional neural networks".
"""

from collections.abc import Iterator
from math import isqrt

from torch import nn

from replicate.statements.checks import Figures, check, holds
from replicate.statements.layer_shapes import asymmetric
from replicate.statements.measure import (
    chain,
    conv,
    field,
    multiply_adds,
    output_shape,
    pixels_read,
    weights,
    with_ones,
)

WIDTHS = (4, 10, 64)  # channels


def stack(kernel: int, layers: int, channels: int) -> nn.Sequential:
    """Layers of one kernel size and width."""
    return chain(*[channels] * (layers + 1), kernel=kernel)


def compared(large: nn.Module, small: nn.Module) -> Figures:
    """Weights of a large kernel, of the small ones in its place, and how many times fewer they are."""
    return {"large": weights(large), "small": weights(small), "ratio": weights(large) / weights(small)}


@check
def small_kernels_same_field() -> Figures:
    """The number of 3x3 kernels at which the field is that of k x k, found by adding one after the other."""
    needed = {
        k: next(n for n in range(1, 9) if field(stack(3, n, 1), 1, 25) == field(conv(1, 1, k), 1, 25))
        for k in (5, 7, 11)
    }
    return holds(n == (k - 1) / 2 for k, n in needed.items()) | {f"for {k}x{k}": n for k, n in needed.items()}


def share(kernel: int, layers: int) -> float:
    """Weights of 3x3 kernels in percent of one large kernel's."""
    return 100 * weights(stack(3, layers, 10)) / weights(conv(10, 10, kernel))


@check
def two_3x3_vs_5x5() -> Figures:
    return {"share": share(5, 2)}


@check
def five_3x3_vs_11x11() -> Figures:
    return {"share": share(11, 5)}


@check
def stack_10_channels_5x5() -> Figures:
    return compared(conv(10, 10, 5), stack(3, 2, 10))


@check
def stack_10_channels_7x7() -> Figures:
    return compared(conv(10, 10, 7), stack(3, 3, 10))


@check
def stack_3_to_64() -> Figures:
    """15x15 pixels become 11x11 either way; here it is the small kernels that have more weights."""
    large, small = conv(3, 64, 5), chain(3, 64, 64, kernel=3)
    figures = compared(large, small)
    sizes = [output_shape(layer, 3, 15, 15) == (64, 11, 11) for layer in (large, small)]
    return holds(sizes) | figures | {"ratio": 1 / figures["ratio"]}


@check
def stack_64_to_64() -> Figures:
    return compared(conv(64, 64, 5), stack(3, 2, 64))


@check
def first_layer_large_kernel() -> Figures:
    """At the input of a network, from 3 channels to 64."""
    figures = compared(conv(3, 64, 7), chain(3, 64, 64, 64, kernel=3))
    return holds([figures["large"] < figures["small"]]) | figures


@check
def seven_vs_three_3x3() -> Figures:
    """Weights in units of C^2, the same for every C."""
    large, small = ({weights(make(c)) / c**2 for c in WIDTHS} for make in (lambda c: conv(c, c, 7), three_3x3))
    return {"large": large.pop(), "small": small.pop()} if len(large) == len(small) == 1 else {}


def three_3x3(channels: int) -> nn.Sequential:
    return chain(*[channels] * 4, kernel=3, padding=1)


@check
def seven_vs_three_3x3_ops() -> Figures:
    """Multiplications in units of H W C^2, and whether the printed product (H W C)(7 7 C C) gives them."""
    height, width, c = 9, 12, 10
    counted = [multiply_adds(layer, c, height, width) for layer in (conv(c, c, 7, padding=3), three_3x3(c))]
    products = [height * width * c * weights(layer) for layer in (conv(c, c, 7), three_3x3(c))]
    large, small = (count / (height * width * c**2) for count in counted)
    return holds([counted == products]) | {"large": large, "small": small}


@check
def mul_ops_rule() -> Figures:
    """For each pair of an input and an output channel."""

    def case(kernel: int, side: int, stride: int) -> bool:
        layer = conv(1, 1, kernel, stride=stride)
        _, rows, columns = output_shape(layer, 1, side, side)
        reads = int(pixels_read(with_ones(conv(1, 1, kernel)), 1, 2 * kernel).sum())
        return multiply_adds(layer, 1, side, side) == rows * columns * reads

    return holds([case(3, 9, 1), case(5, 12, 1), case(7, 20, 2)])


@check
def five_vs_three_single() -> Figures:
    costs = [multiply_adds(conv(8, 8, k, padding=k // 2), 8, 14, 14) for k in (5, 3)]
    return {"ratio": costs[0] / costs[1]}


@check
def one_by_one_nine_times() -> Figures:
    return {"ratio": weights(conv(16, 32, 3)) / weights(conv(16, 32, 1))}


@check
def asymmetric_params() -> Figures:
    return holds(weights(asymmetric(c, c, n)) * n == 2 * weights(conv(c, c, n)) for n in (3, 5, 7) for c in WIDTHS)


@check
def asymmetric_33_percent() -> Figures:
    return {"saving": 100 * (1 - weights(asymmetric(8, 8, 3)) / weights(conv(8, 8, 3)))}


def asymmetric_costs(side: int, size: int = 3) -> tuple[int, int]:
    """Multiplications of n x n, and of 1 x n with n x 1, on one map without padding."""
    return multiply_adds(conv(1, 1, size), 1, side, side), multiply_adds(asymmetric(1, 1, size), 1, side, side)


@check
def asymmetric_81_vs_72() -> Figures:
    square, pair = asymmetric_costs(5)
    return {"3x3": square, "1x3 and 3x1": pair}


@check
def asymmetric_medium_maps() -> Figures:
    """What can be counted of a claim that only training decides: the 1x7 and 7x1 saving, in percent, by map size."""

    def saving(side: int) -> float:
        square, pair = asymmetric_costs(side, 7)
        return 100 * (1 - pair / square)

    return {f"saving at {side} pixels": saving(side) for side in (12, 20, 35)}


def bottleneck(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """1x1 to the square root of the outputs, k x k, 1x1 back."""
    inner = isqrt(outputs)
    return nn.Sequential(conv(inputs, inner, 1), conv(inner, inner, kernel), conv(inner, outputs, 1))


@check
def bottleneck_1x1_params() -> Figures:
    cases: Iterator[bool] = (
        weights(bottleneck(inputs, outputs, k)) == inputs * isqrt(outputs) + k**2 * outputs + isqrt(outputs) ** 3
        for inputs, outputs, k in ((16, 16, 3), (100, 64, 5), (3, 256, 7))
    )
    return holds(cases)


@check
def bottleneck_1x1_ratio() -> Figures:
    """Bottleneck over plain 3x3 at equal inputs and outputs."""
    return {f"at {c} channels": weights(bottleneck(c, c, 3)) / weights(conv(c, c, 3)) for c in (64, 256, 1024)}


@check
def grid_reduction_cost() -> Figures:
    """1x1 convolution from k to 2k maps and a pool after it, or the stride in the convolution."""

    def case(side: int, channels: int) -> tuple[bool, float]:
        pooled = nn.Sequential(conv(channels, 2 * channels, 1), nn.MaxPool2d(2))
        strided = conv(channels, 2 * channels, 1, stride=2)
        assert output_shape(pooled, channels, side, side) == output_shape(strided, channels, side, side)
        costs = [multiply_adds(layer, channels, side, side) for layer in (pooled, strided)]
        return costs == [2 * side**2 * channels**2, 2 * (side // 2) ** 2 * channels**2], costs[0] / costs[1]

    cases = [case(8, 4), case(14, 10), case(28, 16)]
    return holds(held for held, _ in cases) | {"ratio": max(ratio for _, ratio in cases)}
