"""The global depthwise head: a learned weight for each place, of which average pooling is the constant case."""

import pytest
import torch
from torch import nn

from replicate.errors import UserError
from replicate.models import create_model
from replicate.models.counting import count
from replicate.models.mobilefacenet import GlobalDepthwise
from tests.helpers.smallest import assert_smallest_size


def test_head_weighs_every_place_of_every_map() -> None:
    maps, head = torch.randn(2, 5, 7, 7), GlobalDepthwise(5, 7)
    expected = torch.einsum("nchw,chw->nc", maps, head.weight.squeeze(1))
    torch.testing.assert_close(head(maps), expected[..., None, None])


def test_constant_weights_are_global_average_pooling() -> None:
    maps, head = torch.randn(2, 5, 4, 4), GlobalDepthwise(5, 4)
    nn.init.constant_(head.weight, 1 / 16)
    torch.testing.assert_close(head(maps), nn.AdaptiveAvgPool2d(1)(maps))


def test_head_costs_a_weight_for_each_place() -> None:
    learned, average = (count("mobilefacenet", (3, 112, 112), head=head) for head in ("global_depthwise", "average"))
    batch_norm = 2 * 512
    assert learned.parameters - average.parameters == 512 * 7 * 7 + batch_norm
    assert learned.multiply_adds - average.multiply_adds == 512 * 7 * 7


def test_network_costs_the_sum_of_table_1() -> None:
    """Stem, bottlenecks (side before and after, channels, expanded, output), last convolutions, classifier."""
    rows = [(56, 28, 64, 128, 64), *[(28, 28, 64, 128, 64)] * 4, (28, 14, 64, 256, 128), *[(14, 14, 128, 256, 128)] * 6]
    rows += [(14, 7, 128, 512, 128), *[(7, 7, 128, 256, 128)] * 2]
    cost = 56**2 * (27 + 9) * 64 + 7**2 * (128 * 512 + 512) + 512 * 128 + 128 * 1000
    cost += sum(before**2 * c * t + after**2 * t * (9 + out) for before, after, c, t, out in rows)
    assert count("mobilefacenet", (3, 112, 112)).multiply_adds == cost


def test_other_sizes_of_maps_are_refused() -> None:
    model = create_model("mobilefacenet", width=0.125, stem="small", image_size=28)
    with pytest.raises(UserError, match="maps of 7x7, got 8x7: set image_size"):
        model(torch.randn(2, 3, 32, 28))


@pytest.mark.parametrize(
    ("options", "min_size"),
    [
        ({}, 97),  # 97 to 112 pixels give maps of 7x7
        ({"image_size": 28, "stem": "small"}, 25),
        ({"head": "average"}, 16),
        ({"head": "average", "stem": "small"}, 4),
    ],
)
def test_smallest_size(options: dict[str, object], min_size: int) -> None:
    assert_smallest_size("mobilefacenet", min_size, width=0.125, **options)
