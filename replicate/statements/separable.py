"""Depthwise separable convolutions, fire modules and the factors of MobileNet.

Section 3.8 of "Classic convolutional neural networks", part I, sections 5 and 6 of "AlexNet to MobileNet: a team's
notes".
"""

from fractions import Fraction

from torch import nn

from replicate.models.squeezenet import Fire
from replicate.statements.checks import Figures, check, holds
from replicate.statements.layer_shapes import separable
from replicate.statements.measure import conv, multiply_adds, output_shape, weights

SHAPES = ((3, 8, 3), (16, 32, 3), (32, 16, 5), (64, 128, 7))  # inputs, outputs, kernel


@check
def separable_ratio() -> Figures:
    """Of the parameters and of the multiply-adds, as exact fractions; with the depthwise part first."""

    def case(inputs: int, outputs: int, kernel: int) -> bool:
        standard, parts = conv(inputs, outputs, kernel, padding=kernel // 2), separable(inputs, outputs, kernel)
        work = [multiply_adds(layer, inputs, 9, 9) for layer in (parts, standard)]
        expected = Fraction(1, outputs) + Fraction(1, kernel**2)
        return Fraction(weights(parts), weights(standard)) == expected == Fraction(*work)

    return holds(case(*shape) for shape in SHAPES)


@check
def mobilenet_cost_formula() -> Figures:
    def case(m: int, n: int, dk: int) -> bool:
        df = 12
        standard, (depthwise, pointwise) = conv(m, n, dk, padding=dk // 2), separable(m, n, dk)
        counted = [multiply_adds(*pair, df, df) for pair in ((standard, m), (depthwise, m), (pointwise, m))]
        return counted == [dk**2 * m * n * df**2, dk**2 * m * df**2, m * n * df**2]

    return holds(case(*shape) for shape in SHAPES)


@check
def width_resolution_cost() -> Figures:
    """The 3x3 layer of 512 channels on 14x14 pixels that the MobileNet paper's table 3 takes."""
    dk, m, df = 3, 512, 14

    def counted(width: float, side: int) -> int:
        channels = round(width * m)
        return multiply_adds(separable(channels, channels, dk), channels, side, side)

    def formula(alpha: Fraction, rho: Fraction) -> Fraction:
        return dk**2 * alpha * m * (rho * df) ** 2 + alpha * m * alpha * m * (rho * df) ** 2

    factors = [(Fraction(a), Fraction(side, df)) for a in ("1", "3/4", "1/2", "1/4") for side in (14, 12, 10, 8)]
    figures = {
        "standard": multiply_adds(conv(m, m, dk, padding=1), m, df, df) / 1e6,
        "separable": counted(1, 14) / 1e6,
        "at 0.75 width": counted(0.75, 14) / 1e6,
        "and 10 pixels": counted(0.75, 10) / 1e6,
    }
    return holds(counted(float(a), int(rho * df)) == formula(a, rho) for a, rho in factors) | figures


@check
def fire_example() -> Figures:
    """The squeeze layer has fewer filters than the expand layer, whose two halves are concatenated."""
    fire = Fire(6, 3, 4, 4)
    squeezed, expanded = output_shape(fire.squeeze, 6, 5, 5)[0], output_shape(fire, 6, 5, 5)[0]
    whole = isinstance(fire.squeeze, nn.Conv2d) and squeezed < expanded
    return holds([whole]) | {"squeezed": squeezed, "expanded": expanded}
