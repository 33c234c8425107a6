"""Krizhevsky et al. 2012: the printed counts and sides, the equations of section 3, torchvision's graph."""

from typing import Any, Literal

import pytest
import torch
import torchvision
from torch import Tensor, nn

from replicate.errors import UserError
from replicate.models import create_model
from replicate.models.alexnet import AlexNet, alexnet, alexnet_krizhevsky, local_response_norm
from replicate.models.counting import count, count_parameters
from tests.helpers.reference import assert_same_network
from tests.helpers.smallest import assert_smallest_size

LAYERS = [*(f"features.conv{i}" for i in range(1, 6)), *(f"classifier.fc{i}" for i in range(6, 9))]
UNGROUPED = [34_944, 614_656, 885_120, 1_327_488, 884_992, 37_752_832, 16_781_312, 4_097_000]
GROUPED = [34_944, 307_456, 885_120, 663_936, 442_624, 37_752_832, 16_781_312, 4_097_000]


def small(**options: Any) -> AlexNet:
    return alexnet_krizhevsky(stem="small", width=0.125, num_classes=10, **options)


def names(layers: nn.Sequential) -> list[str]:
    return [name for name, _ in layers.named_children()]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("alexnet_krizhevsky", 60_965_224), ("alexnet_ungrouped", 62_378_344), ("alexnet", 61_100_840)],
)
def test_parameters_are_the_exact_integers(name: str, parameters: int) -> None:
    assert count(name, (3, 224, 224)).parameters == parameters


@pytest.mark.parametrize(("groups", "expected"), [(1, UNGROUPED), (2, GROUPED)])
def test_parameters_of_every_layer(groups: int, expected: list[int]) -> None:
    with torch.device("meta"):
        model = alexnet_krizhevsky(groups=groups)
    assert [count_parameters(model.get_submodule(layer)) for layer in LAYERS] == expected
    assert count_parameters(model) == sum(expected)


def test_one_gpu_network_has_about_as_many_parameters() -> None:
    """Footnote 2: conv5 is not halved, so that the nets have approximately the same number of parameters."""
    halved = count("alexnet_one_gpu", (3, 224, 224)).parameters
    assert halved == pytest.approx(60_965_224, rel=0.02)
    with torch.device("meta"):
        features = alexnet_krizhevsky(groups=1, kernels="one_gpu").features
    assert [layer.out_channels for layer in features if isinstance(layer, nn.Conv2d)] == [48, 128, 192, 192, 256]


def sides(model: AlexNet, images: Tensor) -> dict[str, int]:
    """The side of the map after each layer of the features."""
    found = {}
    for name, layer in model.features.named_children():
        images = layer(images)
        found[name] = images.shape[-1]
    return found


@pytest.mark.parametrize("pixels", [224, 227])
@pytest.mark.parametrize("overlapping", [True, False])
def test_sides_are_the_printed_ones(pixels: int, overlapping: bool) -> None:
    with torch.device("meta"):
        model = alexnet_krizhevsky(overlapping=overlapping)
        found = sides(model, torch.empty(1, 3, pixels, pixels))
    printed = {"conv1": 55, "pool1": 27, "conv2": 27, "pool2": 13, "conv3": 13, "conv4": 13, "conv5": 13, "pool5": 6}
    assert {name: found[name] for name in printed} == printed


def test_conv1_reads_224_pixels_as_227_with_zeros_at_the_far_edge() -> None:
    conv1 = alexnet_krizhevsky(width=0.1).features[0]
    images = torch.randn(1, 3, 224, 224)
    padded = torch.zeros(1, 3, 227, 227)
    padded[..., :224, :224] = images
    assert torch.equal(conv1(images), conv1(padded))


def test_local_response_normalisation_is_the_equation() -> None:
    """Section 3.3: b_i = a_i / (k + alpha sum a_j^2)^beta over j from i - n/2 to i + n/2, clipped to the kernels."""
    a = torch.randn(2, 9, 3, 3, dtype=torch.float64) * 30
    n, alpha, beta, k = 5, 1e-4, 0.75, 2
    expected = torch.empty_like(a)
    for i in range(9):
        neighbours = a[:, max(0, i - n // 2) : min(9, i + n // 2 + 1)]
        expected[:, i] = a[:, i] / (k + alpha * neighbours.square().sum(dim=1)) ** beta
    torch.testing.assert_close(local_response_norm()(a), expected)


@pytest.mark.parametrize(("order", "expected"), [("paper", ["norm1", "pool1"]), ("caffe", ["pool1", "norm1"])])
def test_order_of_normalisation_and_pool(order: Literal["paper", "caffe"], expected: list[str]) -> None:
    assert names(small(order=order).features)[:4] == ["conv1", "relu1", *expected]


def test_overlapping_pool_reads_three_pixels() -> None:
    x = torch.arange(5.0).repeat(5, 1)[None]
    pools = [small(overlapping=overlapping).features.get_submodule("pool1") for overlapping in (True, False)]
    assert [pool(x)[0, 0].tolist() for pool in pools] == [[2, 4], [1, 3]]


@pytest.mark.parametrize(("layer", "mixes"), [("conv2", False), ("conv3", True), ("conv4", False), ("conv5", False)])
def test_towers_meet_in_conv3_only(layer: str, mixes: bool) -> None:
    conv = small().features.get_submodule(layer)
    assert isinstance(conv, nn.Conv2d)
    x = torch.randn(1, conv.in_channels, 4, 4)
    changed = x.clone()
    changed[:, : conv.in_channels // 2] += 1
    other_tower = slice(conv.out_channels // 2, None)
    assert torch.equal(conv(x)[:, other_tower], conv(changed)[:, other_tower]) is not mixes


@pytest.mark.parametrize("layer", ["conv2", "conv3", "conv4", "conv5"])
def test_a_layer_can_be_left_out(layer: str) -> None:
    model = small(without=layer)
    assert set(names(small().features)) - set(names(model.features)) >= {layer, f"relu{layer[-1]}"}
    assert {"pool1", "pool2", "pool5"} <= set(names(model.features))
    assert model(torch.randn(2, 3, 32, 32)).shape == (2, 10)


def test_dropout_follows_fc6_and_fc7_and_precedes_them_in_torchvision() -> None:
    assert names(small().classifier) == ["fc6", "relu6", "drop6", "fc7", "relu7", "drop7", "fc8"]
    assert names(alexnet(width=0.1).classifier) == ["drop6", "fc6", "relu6", "drop7", "fc7", "relu7", "fc8"]


@pytest.mark.parametrize(
    ("name", "options", "size"),
    [
        ("alexnet_krizhevsky", {}, 36),
        ("alexnet_krizhevsky", {"overlapping": False}, 36),
        ("alexnet_krizhevsky", {"stem": "small"}, 8),
        ("alexnet_krizhevsky", {"stem": "small", "overlapping": False, "activation": "tanh"}, 8),
        ("alexnet", {}, 63),
    ],
)
def test_smallest_image(name: str, options: dict[str, object], size: int) -> None:
    assert_smallest_size(name, size, "features", width=0.0625, **options)


@pytest.mark.parametrize("groups", [5, 0])
def test_groups_that_do_not_divide_the_kernels_are_refused(groups: int) -> None:
    with pytest.raises(UserError, match="model alexnet_krizhevsky: groups must divide the kernels"):
        create_model("alexnet_krizhevsky", groups=groups)


def test_torchvision_weights_load() -> None:
    ours, reference = create_model("alexnet"), torchvision.models.alexnet()
    assert_same_network(ours, reference, "torchvision", "alexnet", size=96)
