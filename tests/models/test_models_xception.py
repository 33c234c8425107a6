"""Chollet 2017: the printed count, timm's graph, and what the two ablations change."""

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import nn

from replicate.models import create_model
from replicate.models.counting import count
from tests.helpers.inception import map_sides
from tests.helpers.reference import assert_same_network
from tests.helpers.smallest import assert_smallest_size

FULL_SIZE = (3, 299, 299)
TINY = {"width": 0.0625, "in_channels": 1, "middle_blocks": 1}


def test_parameters_as_printed() -> None:
    assert count("xception", FULL_SIZE).parameters == 22_855_952
    assert count("xception", FULL_SIZE, intermediate="elu").parameters == 22_855_952


def test_shortcuts_cost_four_projections() -> None:
    projections = sum(a * b + 2 * b for a, b in ((64, 128), (128, 256), (256, 728), (728, 1024)))
    assert count("xception", FULL_SIZE, residual=False).parameters == 22_855_952 - projections


def test_pointwise_first_widens_the_depthwise_kernels() -> None:
    """A depthwise kernel has 9 weights a channel; with the 1x1 first it works on the wider side of the pair."""
    wider = (128 - 64) + (256 - 128) + (728 - 256) + (1024 - 728) + (1536 - 1024) + (2048 - 1536)
    assert count("xception", FULL_SIZE, order="pointwise_first").parameters == 22_855_952 + 9 * wider


def test_timm_weights_load() -> None:
    reference = timm.create_model("legacy_xception")
    assert_same_network(create_model("xception"), reference, "timm", "legacy_xception", size=72)


def test_36_convolutions_in_14_modules() -> None:
    """Section 4: a separable convolution is one layer; stem and end are modules without a shortcut."""
    model = create_model("xception", width=0.0625)
    separable = sum(hasattr(layer, "depthwise") for layer in model.modules())
    assert separable + len(model.stem) == 36
    assert len(list(model.blocks())) + 2 == 14


@pytest.mark.parametrize("order", ["depthwise_first", "pointwise_first"])
@pytest.mark.parametrize(("intermediate", "function"), [("none", None), ("relu", F.relu), ("elu", F.elu)])
def test_separable_convolution(order: str, intermediate: str, function: object) -> None:
    model = create_model("xception", order=order, intermediate=intermediate, **TINY)
    pair = model.stages.get_submodule("entry.1").branch[1]
    maps = torch.randn(2, pair[0].in_channels, 6, 6)

    def depthwise(inputs: torch.Tensor) -> torch.Tensor:
        return F.conv2d(inputs, pair.depthwise.weight, padding=1, groups=inputs.shape[1])

    def pointwise(inputs: torch.Tensor) -> torch.Tensor:
        return F.conv2d(inputs, pair.pointwise.weight)

    first, second = (depthwise, pointwise) if order == "depthwise_first" else (pointwise, depthwise)
    between = function if callable(function) else nn.Identity()
    torch.testing.assert_close(pair(maps), second(between(first(maps))))


@pytest.mark.parametrize("residual", [True, False])
def test_residual_is_the_sum_with_the_shortcut(residual: bool) -> None:
    model = create_model("xception", residual=residual, **TINY).eval()
    middle, entry = model.stages.middle[0], model.stages.entry[1]
    maps = torch.randn(2, model.stages.middle[0].branch[1].depthwise.in_channels, 6, 6)
    branch = middle.branch(maps)
    torch.testing.assert_close(middle(maps), branch + maps if residual else branch)
    maps = torch.randn(2, entry.branch[1].depthwise.in_channels, 6, 6)
    assert entry(maps).shape[2:] == (3, 3)
    if residual:
        torch.testing.assert_close(entry(maps), entry.branch(maps) + entry.shortcut.bn(entry.shortcut.conv(maps)))


def test_blocks_leave_their_input_as_it_was() -> None:
    """The first ReLU of a branch must not work in place: the shortcut reads the same maps."""
    model = create_model("xception", **TINY).eval()
    maps = torch.randn(2, model.stages.middle[0].branch[1].depthwise.in_channels, 6, 6)
    before = maps.clone()
    model.stages.middle[0](maps)
    assert torch.equal(maps, before)


def test_map_sides() -> None:
    assert map_sides(create_model("xception", **TINY), 299) == [147, 19, 19, 10]
    small = create_model("xception", stem="small", **TINY)
    assert (map_sides(small, 28), map_sides(small, 16)) == ([28, 7, 7, 4], [16, 4, 4, 2])


@pytest.mark.parametrize(("stem", "side"), [("imagenet", 37), ("small", 8)])
def test_smallest_size(stem: str, side: int) -> None:
    assert_smallest_size("xception", side, stem=stem, width=0.0625, middle_blocks=2)
