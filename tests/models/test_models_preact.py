"""He et al. 2016: the printed counts, the five orders of figure 4, the shortcut functions of table 1, timm's graph."""

from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.errors import UserError
from replicate.models import create_model
from replicate.models.counting import count, count_parameters
from replicate.models.layers.blocks import Residual
from replicate.models.preact import CELLS
from tests.helpers.reference import assert_same_network, randomise

EXACT = {
    ("preact_resnet110_cifar", ()): 1_727_962,
    ("preact_resnet110_cifar", (("shortcut", "B"),)): 1_730_522,
    ("preact_resnet164_cifar", ()): 1_703_258,
    ("preact_resnet164_cifar", (("num_classes", 100),)): 1_726_388,
    ("preact_resnet164_cifar", (("order", "original"),)): 1_704_154,
    ("preact_resnet1001_cifar", ()): 10_327_706,
    ("preact_resnet152", ()): 60_185_128,
    ("preact_resnet200", ()): 64_666_152,
    ("preact_resnet200", (("order", "original"),)): 64_673_832,
    ("preact_resnet_cifar", (("depth", 110), ("unit", "single"))): 1_727_962,
    ("preact_resnet_cifar", (("depth", 110), ("unit", "single"), ("order", "original"))): 1_727_962,
    ("shortcut_resnet_cifar", ()): 1_727_962,
    ("shortcut_resnet_cifar", (("function", "convolution"),)): 1_826_202,
    ("shortcut_resnet_cifar", (("function", "exclusive_gating"),)): 1_824_186,
    ("shortcut_resnet_cifar", (("function", "shortcut_only_gating"),)): 1_824_186,
}
FUNCTIONS = ["constant", "exclusive_gating", "shortcut_only_gating", "convolution", "dropout"]


def parameters(name: str, **options: Any) -> int:
    with torch.device("meta"):
        return count_parameters(create_model(name, **options))


@pytest.mark.parametrize(("name", "options"), EXACT, ids=str)
def test_parameters(name: str, options: tuple[tuple[str, Any], ...]) -> None:
    assert parameters(name, **dict(options)) == EXACT[name, options]


def test_multiply_adds_at_both_crops() -> None:
    costs = [count("preact_resnet200", (3, size, size)).multiply_adds for size in (224, 320)]
    assert [round(cost / 1e9, 1) for cost in costs] == [15.0, 30.6]


@pytest.mark.parametrize("name", ["resnetv2_18", "resnetv2_50"])
def test_timm_weights_load(name: str) -> None:
    assert_same_network(create_model(name), timm.create_model(name), "timm", name)


def make(name: str, **options: Any) -> Any:
    """A small network in eval mode whose normalisation does not have the initial statistics."""
    torch.manual_seed(0)
    network = create_model(name, in_channels=1, num_classes=3, **options).eval()
    randomise(network)
    return network


def normal(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)


def figure_4(order: str, unit: Any, x: Tensor) -> Tensor:
    """The units of figure 4 (a) to (e), written out for two 3x3 convolutions and an identity shortcut."""
    f, norm = unit.branch, unit.activation if order == "bn_after_add" else unit.branch

    def conv1(x: Tensor) -> Tensor:
        return F.conv2d(x, f.conv1.weight, padding=1)

    def conv2(x: Tensor) -> Tensor:
        return F.conv2d(x, f.conv2.weight, padding=1)

    if order == "original":
        return F.relu(x + normal(f.bn2, conv2(F.relu(normal(f.bn1, conv1(x))))))
    if order == "bn_after_add":
        return F.relu(normal(norm.bn2, x + conv2(F.relu(normal(f.bn1, conv1(x))))))
    if order == "relu_before_add":
        return x + F.relu(normal(f.bn2, conv2(F.relu(normal(f.bn1, conv1(x))))))
    if order == "relu_preact":
        return x + normal(f.bn2, conv2(F.relu(normal(f.bn1, conv1(F.relu(x))))))
    return x + conv2(F.relu(normal(f.bn2, conv1(F.relu(normal(f.bn1, x))))))


@pytest.mark.parametrize("order", CELLS)
def test_the_unit_of_figure_4_and_its_input_left_alone(order: str) -> None:
    unit = make("preact_resnet_cifar", depth=14, order=order).stages[0][1]
    x = torch.randn(2, 16, 5, 5)
    expected = figure_4(order, unit, x.clone())
    given = x.clone()
    torch.testing.assert_close(unit(given), expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(given, x)


def test_original_order_is_the_network_of_2015() -> None:
    ours, older = make("preact_resnet_cifar", depth=8, order="original"), make("resnet_cifar", depth=8)
    ours.load_state_dict(older.state_dict())
    images = torch.randn(2, 1, 8, 8)
    assert torch.equal(ours(images), older(images))


def without_branches(network: Any) -> Any:
    """Delete every F, so that the logits show what the shortcuts carry."""

    class Nothing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.zeros(())

    for block in network.modules():
        if isinstance(block, Residual):
            block.branch = Nothing()
    return network


@pytest.mark.parametrize(("convention", "shared"), [("paper", []), ("torch7", [1, 2])])
def test_where_the_first_activation_stands(convention: str, shared: list[int]) -> None:
    """Activated once after conv1, where the convention says so before a split, and once after the last addition."""
    network = without_branches(make("preact_resnet_cifar", depth=8, convention=convention))
    images = torch.randn(2, 1, 8, 8)
    signal = F.relu(normal(network.stem.bn, network.stem.conv(images)))
    for stage in (1, 2):
        if stage in shared:
            signal = F.relu(normal(network.stages[stage][0].entry.bn1, signal))
        signal = F.pad(signal[:, :, ::2, ::2], (0, 0, 0, 0, 0, signal.shape[1]))
    expected = network.fc(F.relu(normal(network.final.bn1, signal)).mean((2, 3)))
    torch.testing.assert_close(network(images), expected)


def test_relu_only_order_ends_in_a_relu() -> None:
    network = without_branches(make("preact_resnet_cifar", depth=8, order="relu_preact"))
    assert [type(layer) for layer in network.final] == [nn.ReLU]
    assert [type(layer) for layer in network.stages[1][0].entry] == [nn.ReLU]


def test_projections_are_bare_under_full_preactivation_only() -> None:
    full, original = (
        make("preact_resnet_cifar", depth=11, unit="bottleneck", shortcut="B", order=order)
        for order in ("full_preact", "original")
    )
    assert isinstance(full.stages[0][0].shortcut, nn.Conv2d)
    assert isinstance(original.stages[0][0].shortcut.bn, nn.BatchNorm2d)
    assert full.stages[1][0].branch.conv1.stride == (2, 2)  # resnet-1k-layers strides the first 1x1


def test_one_layer_skips() -> None:
    network = make("preact_resnet_cifar", depth=110, unit="single")
    assert [len(stage) for stage in network.stages] == [36, 36, 36]
    assert [name for name, _ in network.stages[0][1].branch.named_children()] == ["bn1", "relu1", "conv1"]


def table_1_unit(**options: Any) -> tuple[Any, Tensor, Tensor, Tensor]:
    """The first unit of stage 2: itself, an input, h by option A, and F."""
    unit = make("shortcut_resnet_cifar", depth=8, **options).stages[1][0]
    x = torch.randn(2, 16, 6, 6)
    f = unit.branch(x)
    return unit, x, F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, 16)), f


@pytest.mark.parametrize("scales", [(1.0, 1.0), (0.0, 1.0), (0.5, 1.0), (0.5, 0.5)])
def test_constant_scaling(scales: tuple[float, float]) -> None:
    unit, x, h, _ = table_1_unit(shortcut_scale=scales[0], branch_scale=scales[1])
    f = unit.branch[0](x)
    torch.testing.assert_close(unit(x), F.relu(scales[0] * h + scales[1] * f))


@pytest.mark.parametrize("exclusive", [True, False])
def test_gating(exclusive: bool) -> None:
    """g(x) = sigmoid(W x + b) from the unit's input: (1 - g) h + g F, or (1 - g) h + F."""
    function = "exclusive_gating" if exclusive else "shortcut_only_gating"
    unit, x, h, f = table_1_unit(function=function, gate_bias=-6.0)
    assert (unit.gate.bias == -6).all()
    nn.init.normal_(unit.gate.bias)
    g = torch.sigmoid(F.conv2d(x, unit.gate.conv.weight, unit.gate.bias.flatten(), stride=2))
    torch.testing.assert_close(unit(x), F.relu((1 - g) * h + (g * f if exclusive else f)))


def test_initialising_the_convolutions_leaves_the_gate_bias_alone() -> None:
    network = make("shortcut_resnet_cifar", depth=8, function="exclusive_gating", gate_bias=-3)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
    assert all((unit.gate.bias == -3).all() for stage in network.stages for unit in stage)


def test_convolution_shortcut_stands_in_every_unit() -> None:
    unit, x, _, f = table_1_unit(function="convolution")
    projected = F.conv2d(x, unit.shortcut.conv.weight, stride=2)
    torch.testing.assert_close(unit(x), F.relu(normal(unit.shortcut.bn, projected) + f))
    network = make("shortcut_resnet_cifar", depth=14, function="convolution")
    assert all(unit.shortcut.conv.kernel_size == (1, 1) for stage in network.stages for unit in stage)


def test_dropout_shortcut_drops_while_training_only() -> None:
    unit, x, h, f = table_1_unit(function="dropout", dropout=0.75)
    torch.testing.assert_close(unit(x), F.relu(h + f))
    dropped = unit.shortcut.train()(torch.ones(1, 16, 64, 64))[:, :16]
    assert set(dropped.unique().tolist()) == {0.0, 4.0}
    assert (dropped == 0).float().mean() == pytest.approx(0.75, abs=0.02)


SMALLEST = [
    ("preact_resnet", {"depth": 18, "width": 0.125}, 32),
    ("preact_resnet", {"depth": 50, "width": 0.125, "stem": "small"}, 8),
    ("preact_resnet", {"depth": 50, "width": 0.125, "convention": "timm"}, 32),
    *[("preact_resnet_cifar", {"depth": 14, "order": order}, 4) for order in CELLS],
    *[("preact_resnet_cifar", {"depth": 20, "unit": unit, "shortcut": "C"}, 4) for unit in ("single", "bottleneck")],
    *[("shortcut_resnet_cifar", {"depth": 8, "function": function}, 4) for function in FUNCTIONS],
]


@pytest.mark.parametrize(("name", "options", "smallest"), SMALLEST, ids=str)
def test_smallest_input_trains(name: str, options: dict[str, Any], smallest: int) -> None:
    network = create_model(name, num_classes=3, in_channels=1, **options)
    images = torch.randn(2, 1, smallest, smallest)
    assert network.eval()(images).shape == (2, 3)
    network.train()(images).square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    with pytest.raises(UserError, match=f"the smallest size that works is {smallest}"):
        network(images[..., 1:])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("preact_resnet_cifar", {"depth": 1001}, r"depth is 6n \+ 2"),
        ("preact_resnet", {"depth": 50, "convention": "timm", "order": "original"}, "timm has full_preact only"),
        ("preact_resnet", {"depth": 51}, "depth is one of"),
    ],
    ids=str,
)
def test_bad_options_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        create_model(name, **options)
