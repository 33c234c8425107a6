"""Howard et al. 2017: the printed counts, the multipliers, timm's graph."""

import pytest
import timm
import torch

from replicate.errors import UserError
from replicate.models import create_model
from replicate.models.counting import count
from replicate.models.mobilenet_v1 import Shrink
from tests.helpers.reference import assert_same_network
from tests.helpers.smallest import assert_smallest_size

PARAMETERS = {1.0: 4_231_976, 0.75: 2_585_560, 0.5: 1_331_592, 0.25: 470_072}
MULTIPLY_ADDS = {
    (1.0, 224): 568_740_352,
    (1.0, 192): 418_121_728,
    (1.0, 160): 290_675_200,
    (1.0, 128): 186_400_768,
    (0.75, 224): 325_400_448,
    (0.5, 160): 76_524_800,
    (0.25, 128): 13_570_048,
}


@pytest.mark.parametrize(("alpha", "side"), MULTIPLY_ADDS)
def test_width_and_resolution_give_the_published_cost(alpha: float, side: int) -> None:
    measured = count("mobilenet_v1", (3, side, side), width=alpha)
    assert (measured.parameters, measured.multiply_adds) == (PARAMETERS[alpha], MULTIPLY_ADDS[alpha, side])


@pytest.mark.parametrize(("rho", "side"), [(0.857, 192), (0.714, 160), (0.571, 128)])
def test_resolution_multiplier_is_the_smaller_input(rho: float, side: int) -> None:
    assert count("mobilenet_v1", (3, 224, 224), resolution=rho) == count("mobilenet_v1", (3, side, side))


def test_resolution_multiplier_keeps_the_picture() -> None:
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    small = Shrink(0.5)(ramp)
    assert small.shape == (1, 3, 32, 32)
    pairs = ramp.unfold(3, 2, 2).mean(-1)[:, :, ::2]
    torch.testing.assert_close(small[..., 1:-1], pairs[..., 1:-1])  # the filter is cut off at the border


@pytest.mark.parametrize(
    ("name", "parameters", "multiply_adds"),
    [("conv_mobilenet", 29_294_088, 4_867_293_184), ("shallow_mobilenet", 2_887_976, 307_323_392)],
)
def test_full_and_shallow_variants_as_published(name: str, parameters: int, multiply_adds: int) -> None:
    measured = count(name, (3, 224, 224))
    assert (measured.parameters, measured.multiply_adds) == (parameters, multiply_adds)


def test_a_separable_layer_costs_a_ninth_and_an_nth_of_a_full_one() -> None:
    separable, full = (
        count("mobilenet_v1", (3, 224, 224), convolution=kind).multiply_adds for kind in ("separable", "full")
    )
    stem_and_fc = 112 * 112 * 27 * 32 + 1024 * 1000
    maps = [(112, 32, 64), (56, 64, 128), (56, 128, 128), (28, 128, 256), (28, 256, 256), (14, 256, 512)]
    maps += [(14, 512, 512)] * 5 + [(7, 512, 1024), (7, 1024, 1024)]
    assert full - stem_and_fc == sum(side**2 * 9 * m * n for side, m, n in maps)
    # Table 1's stride is in the depthwise layer, whose cost is therefore that of the smaller map.
    assert separable - stem_and_fc == sum(side**2 * (9 * m + m * n) for side, m, n in maps)


@pytest.mark.parametrize("name", ["mobilenetv1_100", "mobilenetv1_125"])
def test_timm_weights_load(name: str) -> None:
    assert_same_network(
        create_model("mobilenetv1_100"), timm.create_model("mobilenetv1_100"), "timm", "mobilenetv1_100"
    )


@pytest.mark.parametrize(
    ("options", "min_size"),
    [
        ({}, 32),
        ({"stem": "small"}, 8),
        ({"stem": "small", "resolution": 0.5}, 15),  # half of 15 pixels rounds to 8
        ({"stem": "small", "convolution": "full", "shallow": True}, 8),
    ],
)
def test_smallest_size(options: dict[str, object], min_size: int) -> None:
    assert_smallest_size("mobilenet_v1", min_size, width=0.125, **options)


def test_a_resolution_of_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="resolution"):
        create_model("mobilenet_v1", resolution=0)
