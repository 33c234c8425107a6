"""Ioffe & Szegedy 2015: figure 5 row by row, the separable stem, and the variants that figure 2 compares."""

from importlib.resources import files

import pytest
import torch
import torch.nn.functional as F
import yaml
from torch import nn

from replicate.models import create_model
from replicate.models.counting import count
from tests.helpers.inception import map_channels, map_sides
from tests.helpers.smallest import assert_smallest_size

FULL_SIZE = (3, 224, 224)
SMALL = {"width": 0.125, "in_channels": 1, "stem": "small"}


def exact_weights(column: str) -> dict[str, int]:
    facts = yaml.safe_load(files("replicate.papers").joinpath("inception.yaml").read_text())
    rows = facts["tables"]["bn_inception_parameters"]["rows"]
    return {row["variant"]: row["published"][column] for row in rows}


def weights(module: nn.Module) -> int:
    return sum(layer.weight.numel() for layer in module.modules() if isinstance(layer, (nn.Conv2d, nn.Linear)))


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ({"separable_stem": False, "conv_bias": True}, 11_295_240),  # the Caffe port
        ({"separable_stem": False}, 11_285_224),
        ({"separable_stem": False, "projection_4cd": 96}, 11_194_984),
        ({}, 11_285_224 - 9_408 + 2_712),  # 7x7 of 9,408 weights against 1,176 + 1,536
    ],
    ids=str,
)
def test_parameters(options: dict[str, object], parameters: int) -> None:
    assert count("bn_inception", FULL_SIZE, **options).parameters == parameters


@pytest.mark.parametrize(("column", "projection"), [("exact_printed", 128), ("exact_repaired", 96)])
def test_weights_of_every_row_of_figure_5(column: str, projection: int) -> None:
    with torch.device("meta"):
        model = create_model("bn_inception", separable_stem=False, projection_4cd=projection)
    exact = exact_weights(column)
    rows = {name: weights(block) for name, block in model.blocks()}
    rows |= {"conv1": weights(model.stem.first), "conv2": weights(model.stem.rest), "fc": weights(model.fc)}
    assert rows | {"total": sum(rows.values())} == exact


def test_rows_4c_and_4d_add_up_to_608_channels() -> None:
    printed, repaired = (map_channels(create_model("bn_inception", projection_4cd=width)) for width in (128, 96))
    assert printed == [256, 320, 576, 576, 576, 608, 608, 1056, 1024, 1024]
    assert repaired == [256, 320, 576, 576, 576, 576, 576, 1024, 1024, 1024]


def test_row_3c_halves_the_map_and_passes_the_pool_through() -> None:
    block = create_model("bn_inception", width=0.125).stages.get_submodule("3.c")
    maps = torch.randn(2, 40, 8, 8)
    three, double, pool = block
    expected = torch.cat([three(maps), double(maps), F.max_pool2d(maps, 3, 2, 1)], 1)
    assert expected.shape[2:] == (4, 4)
    assert len(pool) == 1
    torch.testing.assert_close(block(maps), expected)
    assert block(torch.randn(2, 40, 7, 7)).shape[2:] == (4, 4)


def test_separable_stem_is_eight_kernels_a_channel_then_1x1() -> None:
    depthwise, unit = create_model("bn_inception").stem.first
    assert (depthwise.weight.shape, depthwise.groups) == ((24, 1, 7, 7), 3)
    images = torch.randn(1, 3, 12, 12)
    planes = [F.conv2d(images[:, c : c + 1], depthwise.weight[8 * c : 8 * c + 8], None, 2, 3) for c in range(3)]
    torch.testing.assert_close(unit.conv(torch.cat(planes, 1)), unit.conv(depthwise(images)))


def test_without_batch_norm_every_convolution_has_a_bias() -> None:
    model = create_model("bn_inception", batch_norm=False, separable_stem=False, **SMALL)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in model.modules())
    assert all(layer.bias is not None for layer in model.modules() if isinstance(layer, nn.Conv2d))


def test_sigmoid_stands_in_for_every_relu() -> None:
    relus, sigmoids = (create_model("bn_inception", activation=name, **SMALL) for name in ("relu", "sigmoid"))
    assert not any(isinstance(layer, nn.ReLU) for layer in sigmoids.modules())
    assert sum(isinstance(layer, nn.Sigmoid) for layer in sigmoids.modules()) == sum(
        isinstance(layer, nn.ReLU) for layer in relus.modules()
    )


def test_map_sides() -> None:
    assert map_sides(create_model("bn_inception", width=0.125), 224) == [28, 14, 7, 7]
    small = create_model("bn_inception", **SMALL)
    assert (map_sides(small, 28), map_sides(small, 16)) == ([28, 14, 7, 7], [16, 8, 4, 4])


@pytest.mark.parametrize(("stem", "side"), [("imagenet", 32), ("small", 4)])
def test_smallest_size(stem: str, side: int) -> None:
    assert_smallest_size("bn_inception", side, stem=stem, width=0.125)
