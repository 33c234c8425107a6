"""LeCun et al. 1998: the printed counts of section II.B and the equations of each layer."""

from typing import Any

import pytest
import torch
from torch import nn

from replicate.errors import UserError
from replicate.models import create_model
from replicate.models.counting import count, count_parameters
from replicate.models.lenet import (
    TABLE_I,
    LeNet5,
    PartialConv2d,
    RadialBasis,
    ScaledTanh,
    Subsample,
    class_codes,
    lenet5,
    scaled_table,
)

PARAMETERS = {"c1": 156, "s2": 12, "c3": 1_516, "s4": 32, "c5": 48_120, "f6": 10_164, "output": 0}
SIDES = {"c1": 28, "s2": 14, "c3": 10, "s4": 5, "c5": 1}


def layers(model: LeNet5) -> dict[str, nn.Module]:
    return {**dict(model.features.named_children()), **dict(model.classifier.named_children())}


def test_parameters_of_every_layer_are_the_printed_ones() -> None:
    model = lenet5()
    assert {name: count_parameters(layers(model)[name]) for name in PARAMETERS} == PARAMETERS
    assert count_parameters(model) == 60_000


@pytest.mark.parametrize(
    ("name", "options", "parameters"),
    [
        ("lenet5", {"trainable_codes": True}, 60_840),
        ("lenet5", {"head": "softmax"}, 60_850),
        ("lenet5", {"head": "softmax", "connections": "full"}, 61_750),
        ("lenet5_modern", {}, 61_706),
    ],
)
def test_parameters_of_the_variants(name: str, options: dict[str, Any], parameters: int) -> None:
    assert count(name, (1, 32, 32), **options).parameters == parameters


def test_operations_are_the_printed_connections_without_biases() -> None:
    """C1, C3, C5, F6 have 122,304, 151,600, 48,120 and 10,164 connections, the biases among them."""
    with_biases = 122_304 + 151_600 + 48_120 + 10_164
    biases = 6 * 28**2 + 16 * 10**2 + 120 + 84
    assert count("lenet5", (1, 32, 32)).multiply_adds == with_biases - biases


@pytest.mark.parametrize(("padding", "pixels"), [(0, 32), (2, 28)])
@pytest.mark.parametrize("subsampling", ["trainable", "average", "max"])
def test_sides_are_the_printed_ones(subsampling: str, padding: int, pixels: int) -> None:
    model = create_model("lenet5", subsampling=subsampling, padding=padding)
    assert isinstance(model, LeNet5)
    maps, found = torch.zeros(1, 1, pixels, pixels), {}
    for name, layer in model.features.named_children():
        maps = layer(maps)
        found[name] = maps.shape[-1]
    assert {name: found[name] for name in SIDES} == SIDES


def test_connection_table_is_the_printed_one() -> None:
    assert [len(row) for row in TABLE_I] == [3] * 6 + [4] * 9 + [6]
    assert [sorted(row) for row in TABLE_I[3:6]] == [[3, 4, 5], [0, 4, 5], [0, 1, 5]]
    assert [sum(source in row for row in TABLE_I) for source in range(6)] == [10] * 6
    assert [set(row) for row in scaled_table(6, 16)] == [set(row) for row in TABLE_I]


def test_half_width_keeps_the_pattern() -> None:
    """Three maps of S2 stand for two each; eight maps of C3 for every second column of the table."""
    assert scaled_table(3, 8)[0] == [0, 1]
    assert scaled_table(12, 32)[0] == [0, 1, 2, 3, 4, 5]
    with pytest.raises(UserError, match="reads nothing"):
        create_model("lenet5", width=0.1)


def test_partial_convolution_sums_the_maps_of_the_table() -> None:
    layer = PartialConv2d(TABLE_I, kernel=5)
    nn.init.uniform_(layer.bias)
    x = torch.randn(2, 6, 8, 8)
    kernels = iter(layer.weight)
    for target, row in enumerate(TABLE_I):
        expected = layer.bias[target] + sum(
            nn.functional.conv2d(x[:, source, None], next(kernels)[None]) for source in row
        )
        torch.testing.assert_close(layer(x)[:, target, None], expected)


def test_subsampling_is_a_weighted_sum() -> None:
    layer = Subsample(3)
    x = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(layer(x), nn.functional.avg_pool2d(x, 2))
    nn.init.uniform_(layer.coefficient)
    nn.init.uniform_(layer.bias)
    corner = x[:, 2, :2, 2:].sum(dim=(1, 2))
    torch.testing.assert_close(layer(x)[:, 2, 0, 1], corner * layer.coefficient[2] + layer.bias[2])


def test_squashing_function_passes_through_one() -> None:
    assert ScaledTanh()(torch.tensor([-1.0, 0.0, 1.0])).tolist() == pytest.approx([-1, 0, 1], abs=1e-4)
    assert ScaledTanh()(torch.tensor(1e3)).item() == pytest.approx(1.7159)


def test_output_is_the_distance_from_the_codes() -> None:
    head = RadialBasis(class_codes(10), trainable=False)
    x = torch.randn(3, 84)
    expected = [[-sum((a - b) ** 2 for a, b in zip(row, code, strict=True)) for code in head.codes] for row in x]
    torch.testing.assert_close(head(x), torch.tensor(expected))
    assert torch.equal(head(class_codes(10)).argmax(dim=1), torch.arange(10))


@pytest.mark.parametrize("num_classes", [3, 10, 47])
def test_codes_are_distinct_signs_and_the_same_in_every_run(num_classes: int) -> None:
    codes = class_codes(num_classes)
    assert codes.shape == (num_classes, 84)
    assert torch.equal(codes.abs(), torch.ones_like(codes))
    assert len({tuple(code) for code in codes.tolist()}) == num_classes
    assert torch.equal(codes, class_codes(num_classes))


def test_codes_are_the_rows_of_a_digits_own_bitmap() -> None:
    """Row 8 of a 3 is ##...##, of a 7 ..##..."""
    rows = class_codes(10).view(10, 12, 7) > 0
    assert rows[3, 8].tolist() == [True, True, False, False, False, True, True]
    assert rows[7, 8].tolist() == [False, False, True, True, False, False, False]


def test_c5_equals_a_fully_connected_layer() -> None:
    c5 = layers(lenet5())["c5"]
    assert isinstance(c5, nn.Conv2d)
    x = torch.randn(2, 16, 5, 5)
    linear = nn.functional.linear(x.flatten(1), c5.weight.flatten(1), c5.bias)
    torch.testing.assert_close(c5(x)[:, :, 0, 0], linear)


def test_larger_images_give_larger_c5_maps_that_are_averaged() -> None:
    model = lenet5()
    images = torch.randn(1, 1, 36, 36)
    crops = [images[..., top : top + 32, left : left + 32] for top in (0, 4) for left in (0, 4)]
    pooled = torch.stack([model.features(crop) for crop in crops]).mean(dim=0)
    torch.testing.assert_close(model(images), model.classifier(pooled.flatten(1)))


@pytest.mark.parametrize("name", ["lenet5", "lenet5_modern"])
@pytest.mark.parametrize(("padding", "size"), [(0, 32), (2, 28)])
def test_smallest_image(name: str, padding: int, size: int) -> None:
    model = create_model(name, padding=padding, width=0.5, num_classes=12, in_channels=3)
    assert isinstance(model, LeNet5)
    assert model.min_size == size
    for training in (True, False):
        logits = model.train(training)(torch.randn(2, 3, size, size))
        assert logits.shape == (2, 12)
        logits.sum().backward()
    with pytest.raises(UserError, match=f"smallest size that works is {size}"):
        model(torch.randn(2, 3, size - 1, size - 1))
    with pytest.raises(RuntimeError):  # and the limit is not stricter than the graph
        model.features(torch.randn(2, 3, size - 1, size - 1))
