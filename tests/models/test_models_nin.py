"""Lin et al. 2014: the released models' counts, equation 2, global average pooling."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from replicate.models import create_model
from replicate.models.counting import count
from replicate.models.nin import NIN, make_pool, mlpconv, nin_cifar
from tests.helpers.smallest import assert_smallest_size


@pytest.mark.parametrize(("name", "pixels", "parameters"), [("nin", 224, 7_595_176), ("nin_cifar", 32, 966_986)])
def test_parameters_of_the_released_models(name: str, pixels: int, parameters: int) -> None:
    assert count(name, (3, pixels, pixels)).parameters == parameters


@pytest.mark.parametrize(
    ("name", "pixels", "expected"), [("nin", 224, [54, 27, 27, 13, 13, 6, 6]), ("nin_cifar", 32, [32, 16, 16, 8, 8])]
)
def test_sides(name: str, pixels: int, expected: list[int]) -> None:
    model, maps, sides = create_model(name, width=0.05), torch.zeros(1, 3, pixels, pixels), []
    assert isinstance(model, NIN)
    for layer_name, layer in model.features.named_children():
        maps = layer(maps)
        if not layer_name.startswith("drop"):
            sides.append(maps.shape[-1])
    assert sides == expected


def test_mlpconv_slides_a_multilayer_perceptron() -> None:
    """Equation 2: at every position, three layers of rectified units on the patch around it."""
    layer = mlpconv(3, (7, 5, 4), 3, padding=1)
    x = torch.randn(2, 3, 6, 6)
    units = F.unfold(x, 3, padding=1).transpose(1, 2)  # (batch, positions, patch)
    for name in ("conv", "cccp1", "cccp2"):
        weights = layer.get_submodule(name)
        assert isinstance(weights, nn.Conv2d)
        units = F.linear(units, weights.weight.flatten(1), weights.bias).relu()
    torch.testing.assert_close(layer(x), units.transpose(1, 2).reshape(2, 4, 6, 6))


def test_logits_are_the_averages_of_one_map_per_class() -> None:
    model = nin_cifar(width=0.1, num_classes=7).eval()
    images = torch.randn(2, 3, 32, 32)
    maps = model.features(images)
    assert maps.shape == (2, 7, 8, 8)
    torch.testing.assert_close(model(images), F.avg_pool2d(maps, 8).flatten(1))


def test_second_pool_is_a_maximum_or_an_average() -> None:
    x = torch.arange(6.0).repeat(1, 6, 1)
    assert make_pool("max")(x)[0, 0].tolist() == [2, 4, 5]
    assert make_pool("average")(x)[0, 0].tolist() == [1, 3, 4.5]  # a window over the edge divides by what it covers
    assert isinstance(nin_cifar(second_pool="average").features.get_submodule("pool2"), nn.AvgPool2d)
    assert isinstance(nin_cifar().features.get_submodule("pool2"), nn.MaxPool2d)


@pytest.mark.parametrize(("name", "dropouts"), [("nin", ["drop3"]), ("nin_cifar", ["drop1", "drop2"])])
def test_dropout_follows_all_but_the_last_layer_on_cifar(name: str, dropouts: list[str]) -> None:
    model = create_model(name, width=0.05, dropout=0.3)
    found = {path.split(".")[-1]: layer.p for path, layer in model.named_modules() if isinstance(layer, nn.Dropout)}
    assert found == dict.fromkeys(dropouts, 0.3)


@pytest.mark.parametrize(("name", "size"), [("nin", 39), ("nin_cifar", 4)])
def test_smallest_image(name: str, size: int) -> None:
    assert_smallest_size(name, size, "features", width=0.1)
