"""Szegedy et al. 2016, Inception-ResNet: the figures' counts and widths, residual scaling, timm's graph."""

import pytest
import timm
import torch
from torch import nn

from replicate.errors import UserError
from replicate.models import create_model
from replicate.models.counting import count
from replicate.models.layers.blocks import Residual
from tests.helpers.inception import map_channels, map_sides
from tests.helpers.reference import assert_same_network
from tests.helpers.smallest import assert_smallest_size

VERSIONS = ["inception_resnet_v1", "inception_resnet_v2_paper", "inception_resnet_v2"]
TINY = {"width": 0.0625, "in_channels": 1, "stem": "small", "blocks": (1, 1, 1)}


@pytest.mark.parametrize(
    ("name", "options", "parameters"),
    [
        ("inception_resnet_v1", {}, 22_756_328),
        ("inception_resnet_v2_paper", {}, 32_433_928),
        ("inception_resnet_v2_paper", {"blocks": (10, 20, 10)}, 55_284_488),
        ("inception_resnet_v2", {}, 55_843_464),
    ],
    ids=str,
)
def test_parameters(name: str, options: dict[str, object], parameters: int) -> None:
    assert count(name, (3, 299, 299), **options).parameters == parameters


def test_timm_weights_load() -> None:
    reference = timm.create_model("inception_resnet_v2")
    assert_same_network(create_model("inception_resnet_v2"), reference, "timm", "inception_resnet_v2", size=80)


@pytest.mark.parametrize(
    ("name", "widths"),
    [
        ("inception_resnet_v1", [256, 896, 896, 1792, 1792]),
        ("inception_resnet_v2_paper", [384, 1152, 1152, 2144, 2144]),
        ("inception_resnet_v2", [320, 320, 1088, 1088, 2080, 2080]),
    ],
)
def test_channels_of_every_block(name: str, widths: list[int]) -> None:
    assert map_channels(create_model(name, blocks=(1, 1, 1))) == widths


@pytest.mark.parametrize("name", VERSIONS)
def test_residual_block_is_the_scaled_branch_plus_the_maps(name: str) -> None:
    model = create_model(name, scales=(0.1, 0.2, 0.3), **{**TINY, "blocks": (1, 1, 2)}).eval()
    firsts = [next(block for block in stage if isinstance(block, Residual)) for stage in model.stages]
    for scale, block in zip((0.1, 0.2, 0.3), firsts, strict=True):
        assert block.branch.linear.bias is not None
        maps = torch.randn(2, block.branch.linear.out_channels, 5, 5)
        expected = torch.relu(maps + scale * block.branch.linear(block.branch.mixed(maps)))
        torch.testing.assert_close(block(maps), expected)


def test_last_block_of_the_released_v2_is_bare() -> None:
    for name, bare in (("inception_resnet_v2", True), ("inception_resnet_v2_paper", False)):
        last = create_model(name, **TINY).stages.get_submodule("C.1")
        assert isinstance(last.activation, nn.Identity) == bare
        assert (last.branch.scale.factor == 1.0) == bare


def test_blocks_are_three_counts() -> None:
    for blocks in ((5, 10), (5, 10, 0)):
        with pytest.raises(UserError, match="blocks is three counts of at least 1"):
            create_model("inception_resnet_v1", blocks=blocks)


@pytest.mark.parametrize("name", VERSIONS)
def test_small_images(name: str) -> None:
    model = create_model(name, **TINY)
    assert (map_sides(model, 28), map_sides(model, 16)) == ([28, 28, 13, 6], [16, 16, 7, 3])


@pytest.mark.parametrize("name", VERSIONS)
def test_smallest_size(name: str) -> None:
    assert_smallest_size(name, 75, width=0.0625, blocks=(1, 2, 1))
    assert_smallest_size(name, 7, stem="small", width=0.0625, blocks=(1, 2, 1))
