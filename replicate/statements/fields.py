"""Receptive fields and dilated kernels, measured from gradients at the input.

Section 1.4 of "Types of convolution kernels and what they do", sections 3.4 and 3.11 of "Classic convolutional neural
networks", part I.
"""

from itertools import product
from math import gcd

import torch
import torch.nn.functional as F

from replicate.models import create_model
from replicate.statements.checks import Figures, check, holds
from replicate.statements.layer_shapes import dilated_stack
from replicate.statements.measure import chain, conv, extent, field, pixels_read, with_ones
from replicate.statements.reach import follow
from replicate.statements.receptive import measured_field, transparent

STACKS = ((2, "two 3x3"), (3, "three 3x3"))


@check
def receptive_field_recursion() -> Figures:
    """One large and several small kernels, and AlexNet up to its last pool, where the strides are above 1."""
    fields = {
        "one 5x5": field(conv(1, 1, 5), 1, 25),
        "two 3x3": field(chain(1, 1, 1, kernel=3), 1, 25),
        "one 7x7": field(conv(1, 1, 7), 1, 25),
        "three 3x3": field(chain(1, 1, 1, 1, kernel=3), 1, 25),
    }
    features = create_model("alexnet_krizhevsky", width=0.05).get_submodule("features")
    strided = follow(features, 3, 227).maps
    alexnet, _ = measured_field(transparent(features), 3, 227, strided)
    ruled = [(follow(chain(*[1] * (n + 1), kernel=3), 1, 25).maps.by_rule, fields[name]) for n, name in STACKS]
    return (
        holds(rule == field for rule, field in [*ruled, (strided.by_rule, alexnet)])
        | fields
        | {
            "AlexNet": alexnet,
            "AlexNet by the rule": strided.by_rule,
            "AlexNet with all strides": strided.field,
        }
    )


@check
def one_by_one_field() -> Figures:
    """1x1 kernels read one pixel however many there are; ways to pad a 2x2 kernel that keep the map's size."""
    single = [field(chain(*[1] * (n + 1), kernel=1), 1, 9) == 1 for n in (1, 2, 5)]
    x, layer = torch.randn(1, 1, 6, 6), conv(1, 1, 2)
    kept = [layer(F.pad(x, sides)).shape == x.shape for sides in product((0, 1, 2), repeat=4)]
    return holds(single) | {"ways to pad 2x2": sum(kept)}


@check
def dilated_kernel_size() -> Figures:
    """Pixels from the first to the last tap of 3x3 with d holes between taps."""
    return {f"with {d} holes": field(conv(1, 1, 3, dilation=d + 1), 1, 41) for d in (1, 2, 4)}


def used(rates: tuple[int, ...]) -> tuple[int, int]:
    """Rows of the field of a dilated stack that hold a pixel that is read, and all of its rows."""
    pixels = pixels_read(with_ones(dilated_stack(rates)), 1, 4 * sum(rates) + 3)
    return int(pixels.any(1).sum()), extent(pixels)


def has_holes(rates: tuple[int, ...]) -> bool:
    rows, size = used(rates)
    return rows < size


@check
def gridding_effect() -> Figures:
    rows, size = used((2, 2, 2))
    return holds(map(has_holes, ((2, 2, 2), (2, 2), (2, 4, 6)))) | {"rows read": rows, "of": size}


@check
def hdc_125() -> Figures:
    rows, size = used((1, 2, 5))
    return holds([not has_holes((1, 2, 5)), not has_holes((1, 2, 5, 1, 2, 5))]) | {"rows read": rows, "of": size}


@check
def hdc_no_common_divisor() -> Figures:
    """A common divisor leaves holes, whichever rates up to 6 share it: the condition is necessary.

    It is not sufficient: the figures are those of rates 1, 2, 9.
    """
    rates = [triple for triple in product(range(1, 7), repeat=3) if gcd(*triple) > 1]
    rows, size = used((1, 2, 9))
    return holds(map(has_holes, rates)) | {"rows read at 1, 2, 9": rows, "of": size}


@check
def hdc_last_rate_bound() -> Figures:
    """Rising rates without holes: is the last one at most the kernel's size?"""
    rising = [rates for rates in product(range(1, 7), repeat=3) if sorted(rates) == list(rates)]
    whole = [rates for rates in rising if not has_holes(rates)]
    assert (1, 2, 5) in whole
    return holds(rates[-1] <= 3 for rates in whole) | {"largest last rate": max(rates[-1] for rates in whole)}
