"""What several small kernels cost in place of a large one.

Section 1 of "CNN engineering tips", sections 1 and 3 of "Types of convolution kernels and what they do", sections 3.2
and 5.2 of "AlexNet to MobileNet: a team's notes", sections 3.4, 3.5 and 3.7 of "Classic convolutional neural networks".
"""

from torch import nn

from replicate.statements.checks import Figures, check, holds
from replicate.statements.counted import counted
from replicate.statements.measure import chain, conv, field, multiply_adds, output_shape, pixels_read, with_ones


def stack(kernel: int, layers: int, channels: int) -> nn.Sequential:
    """Layers of one kernel size and width."""
    return chain(*[channels] * (layers + 1), kernel=kernel)


@check
def small_kernels_same_field() -> Figures:
    """The number of 3x3 kernels at which the field is that of k x k, found by adding one after the other."""
    needed = {
        k: next(n for n in range(1, 9) if field(stack(3, n, 1), 1, 25) == field(conv(1, 1, k), 1, 25))
        for k in (5, 7, 11)
    }
    return holds(n == (k - 1) / 2 for k, n in needed.items()) | {f"for {k}x{k}": n for k, n in needed.items()}


counted(
    __name__,
    "two_3x3_vs_5x5 five_3x3_vs_11x11 stack_10_channels_5x5 stack_10_channels_7x7 stack_3_to_64 stack_64_to_64 "
    "first_layer_large_kernel seven_vs_three_3x3 seven_vs_three_3x3_ops",
)


@check
def mul_ops_rule() -> Figures:
    """For each pair of an input and an output channel."""

    def case(kernel: int, side: int, stride: int) -> bool:
        layer = conv(1, 1, kernel, stride=stride)
        _, rows, columns = output_shape(layer, 1, side, side)
        reads = int(pixels_read(with_ones(conv(1, 1, kernel)), 1, 2 * kernel).sum())
        return multiply_adds(layer, 1, side, side) == rows * columns * reads

    return holds([case(3, 9, 1), case(5, 12, 1), case(7, 20, 2)])


counted(
    __name__,
    "five_vs_three_single one_by_one_nine_times asymmetric_params asymmetric_33_percent asymmetric_81_vs_72 "
    "asymmetric_medium_maps bottleneck_1x1_params bottleneck_1x1_ratio grid_reduction_cost",
)
