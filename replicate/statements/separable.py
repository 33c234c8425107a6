"""Depthwise separable convolutions, fire modules and the factors of MobileNet.

Section 3.8 of "Classic convolutional neural networks", part I, sections 5 and 6 of "AlexNet to MobileNet: a team's
notes".
"""

from torch import nn

from replicate.models.squeezenet import Fire
from replicate.statements.checks import Figures, check, holds
from replicate.statements.counted import counted
from replicate.statements.measure import output_shape

SHAPES = ((3, 8, 3), (16, 32, 3), (32, 16, 5), (64, 128, 7))  # inputs, outputs, kernel


counted(__name__, "separable_ratio mobilenet_cost_formula width_resolution_cost")


@check
def fire_example() -> Figures:
    """The squeeze layer has fewer filters than the expand layer, whose two halves are concatenated."""
    fire = Fire(6, 3, 4, 4)
    squeezed, expanded = output_shape(fire.squeeze, 6, 5, 5)[0], output_shape(fire, 6, 5, 5)[0]
    whole = isinstance(fire.squeeze, nn.Conv2d) and squeezed < expanded
    return holds([whole]) | {"squeezed": squeezed, "expanded": expanded}
