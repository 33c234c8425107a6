"""Iandola et al. 2016: the printed counts, the metaparameters, the bypasses, torchvision's graph."""

from typing import Any

import pytest
import torch
import torchvision
from torch import nn

from replicate.errors import UserError
from replicate.models import create_model
from replicate.models.counting import count, count_parameters
from replicate.models.layers.blocks import Residual
from replicate.models.squeezenet import Fire, SqueezeNet, squeezenet
from tests.helpers.reference import assert_same_network

TABLE_1 = {
    "conv1": 14_208,
    "fire2": 11_920,
    "fire3": 12_432,
    "fire4": 45_344,
    "fire5": 49_440,
    "fire6": 104_880,
    "fire7": 111_024,
    "fire8": 188_992,
    "fire9": 197_184,
    "conv10": 513_000,
}


def small(**options: Any) -> SqueezeNet:
    return squeezenet(width=0.125, num_classes=5, in_channels=1, **options)


def fires(model: SqueezeNet) -> dict[str, Residual]:
    return {
        name: block for stage in model.stages for name, block in stage.named_children() if isinstance(block, Residual)
    }


def test_parameters_of_every_layer_are_the_printed_ones() -> None:
    with torch.device("meta"):
        model = squeezenet()
    layers = dict(model.stem.named_children()) | fires(model) | dict(model.classifier.named_children())
    assert {name: count_parameters(layers[name]) for name in TABLE_1} == TABLE_1
    assert count_parameters(model) == 1_248_424


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("squeezenet1_0", 1_248_424),
        ("squeezenet1_1", 1_235_496),
        ("squeezenet_simple_bypass", 1_248_424),
        ("squeezenet_complex_bypass", 1_589_672),
    ],
)
def test_parameters_of_the_variants(name: str, parameters: int) -> None:
    assert count(name, (3, 224, 224)).parameters == parameters


@pytest.mark.parametrize(
    ("squeeze_ratio", "pct_3x3", "parameters"),
    [
        (0.25, 0.5, 1_967_080),
        (0.5, 0.5, 3_404_392),
        (0.75, 0.5, 4_841_704),
        (1.0, 0.5, 6_279_016),
        (0.5, 0.01, 1_478_248),
        (0.5, 0.125, 1_929_832),
        (0.5, 0.25, 2_421_352),
        (0.5, 0.75, 4_387_432),
        (0.5, 0.99, 5_330_536),
    ],
)
def test_parameters_of_the_metaparameter_sweeps(squeeze_ratio: float, pct_3x3: float, parameters: int) -> None:
    measured = count("squeezenet", (3, 224, 224), squeeze_ratio=squeeze_ratio, pct_3x3=pct_3x3)
    assert measured.parameters == parameters


@pytest.mark.parametrize(
    ("name", "pixels", "multiply_adds"),
    [("squeezenet1_0", 224, 818_924_576), ("squeezenet1_0", 227, 832_667_936), ("squeezenet1_1", 224, 349_151_936)],
)
def test_multiply_adds(name: str, pixels: int, multiply_adds: int) -> None:
    assert count(name, (3, pixels, pixels)).multiply_adds == multiply_adds


def test_sides_are_the_printed_ones() -> None:
    """Table 1 prints 111, 55, 27 and 13, which take an image of 227 pixels."""
    model, maps, sides = small(), torch.zeros(1, 1, 227, 227), []
    for layer in (*model.stem, *(layer for stage in model.stages for layer in stage.children())):
        maps = layer(maps)
        if isinstance(layer, (nn.Conv2d, nn.MaxPool2d)):
            sides.append(maps.shape[-1])
    assert sides == [111, 55, 27, 13]


def test_metaparameters_set_the_filters() -> None:
    model = squeezenet(base_e=32, incr_e=16, freq=3, squeeze_ratio=0.25, pct_3x3=0.75)
    found = []
    for block in fires(model).values():
        fire = block.branch
        assert isinstance(fire, Fire)
        found.append((fire.squeeze.out_channels, fire.expand1x1.out_channels, fire.expand3x3.out_channels))
    assert found == [(8, 8, 24)] * 3 + [(12, 12, 36)] * 3 + [(16, 16, 48)] * 2


def test_fire_module_concatenates_1x1_and_3x3() -> None:
    fire = Fire(8, 3, 4, 5)
    x = torch.randn(2, 8, 6, 6)
    squeezed = fire.squeeze(x).relu()
    expected = torch.cat([fire.expand1x1(squeezed).relu(), fire.expand3x3(squeezed).relu()], dim=1)
    torch.testing.assert_close(fire(x), expected)


@pytest.mark.parametrize(
    ("bypass", "identities", "convolutions"),
    [
        ("none", [], []),
        ("simple", ["fire3", "fire5", "fire7", "fire9"], []),
        ("complex", ["fire3", "fire5", "fire7", "fire9"], ["fire2", "fire4", "fire6", "fire8"]),
    ],
)
def test_bypasses_stand_where_figure_2_has_them(bypass: str, identities: list[str], convolutions: list[str]) -> None:
    shortcuts = {name: block.shortcut for name, block in fires(small(bypass=bypass)).items()}
    assert [name for name, link in shortcuts.items() if isinstance(link, nn.Identity)] == identities
    assert [name for name, link in shortcuts.items() if isinstance(link, nn.Conv2d)] == convolutions


def test_bypass_adds_the_input_to_the_module() -> None:
    block = fires(small(bypass="simple"))["fire3"]
    x = torch.randn(1, 16, 5, 5)
    torch.testing.assert_close(block(x), block.branch(x) + x)


def test_logits_are_averages_of_rectified_maps() -> None:
    model = small().eval()
    images = torch.randn(2, 1, 64, 64)
    conv10 = model.classifier.get_submodule("conv10")
    maps = conv10(model.stages(model.stem(images)))
    torch.testing.assert_close(model(images), maps.relu().flatten(2).mean(dim=2))


@pytest.mark.parametrize(("pixels", "side"), [(16, 4), (28, 7), (32, 8)])
def test_small_stem_leaves_a_quarter_of_the_side(pixels: int, side: int) -> None:
    model = small(stem="small")
    assert model.stages(model.stem(torch.zeros(1, 1, pixels, pixels))).shape[-1] == side


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"bypass": "complex"}, 21),
        ({"version": "1.1"}, 17),
        ({"stem": "small"}, 4),
        ({"stem": "small", "version": "1.1"}, 4),
    ],
)
def test_smallest_image(options: dict[str, object], size: int) -> None:
    model = small(**options)
    assert model.min_size == size
    for training in (True, False):
        model.train(training)(torch.randn(2, 1, size, size)).sum().backward()
    with pytest.raises(UserError, match=f"smallest size that works is {size}"):
        model(torch.randn(2, 1, size - 1, size - 1))
    with pytest.raises(RuntimeError):  # and the limit is not stricter than the graph
        model.stages(model.stem(torch.randn(2, 1, size - 1, size - 1)))


@pytest.mark.parametrize("options", [{"pct_3x3": 1.0}, {"squeeze_ratio": 0.0}])
def test_impossible_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UserError, match="model squeezenet: "):
        create_model("squeezenet", **options)


@pytest.mark.parametrize("name", ["squeezenet1_0", "squeezenet1_1"])
def test_torchvision_weights_load(name: str) -> None:
    assert_same_network(create_model(name), torchvision.models.get_model(name), "torchvision", name)
