"""Hu et al. 2018: the printed counts, the block's equations, every position, timm's graphs."""

from collections.abc import Callable
from inspect import signature
from typing import Any, get_args

import pytest
import timm
import torch
from timm.models.senet import SEBottleneck, SENet
from torch import Tensor, nn

from replicate.errors import UserError
from replicate.models import create_model, model_options
from replicate.models.counting import count, count_parameters
from replicate.models.layers.blocks import Classifier, Residual
from replicate.models.layers.squeeze_excitation import (
    Excitation,
    Position,
    Squeeze,
    SqueezeExcitation,
    squeeze_and_excite,
)
from replicate.models.resnet import bottleneck_branch
from tests.helpers.reference import assert_same_network, randomise
from tests.helpers.smallest import assert_smallest_size

PARAMETERS = {
    "se_resnet50": 28_088_024,
    "se_resnet101": 49_326_872,
    "se_resnet152": 66_821_848,
    "se_resnext50_32x4d": 27_559_896,
    "se_resnext101_32x4d": 48_955_416,
    "senet154": 115_088_984,
}
WITHOUT_BIAS = {2: 45_676_584, 4: 35_616_808, 8: 30_586_920, 16: 28_071_976, 32: 26_814_504}
RESNET_50 = 25_557_032
IMAGENET = (3, 224, 224)


def parameters(name: str, **options: object) -> int:
    with torch.device("meta"):
        return count_parameters(create_model(name, **options))


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_as_published(name: str) -> None:
    assert parameters(name) == PARAMETERS[name]


@pytest.mark.parametrize("reduction", WITHOUT_BIAS)
def test_reduction_ratio_gives_the_published_parameters(reduction: int) -> None:
    measured = parameters("se_resnet50", reduction=reduction, gate_bias=False)
    assert measured == WITHOUT_BIAS[reduction]
    blocks = {256: 3, 512: 4, 1024: 6, 2048: 3}  # equation 5: 2/r sum N_s C_s^2
    assert measured - RESNET_50 == 2 * sum(n * c * c for c, n in blocks.items()) // reduction


def test_gate_behind_the_3x3_costs_a_sixteenth() -> None:
    assert parameters("se_resnet50", position="3x3", gate_bias=False) == 25_714_216


def test_last_stage_holds_most_of_the_weights() -> None:
    measured = parameters("se_resnet50", gate_stages=(2, 3, 4), gate_bias=False)
    assert measured - RESNET_50 == 942_080


def test_gate_for_each_pixel_costs_the_printed_operations() -> None:
    measured = count("se_resnet50", IMAGENET, squeeze="none", gate_bias=False)
    assert (measured.parameters, round(measured.multiply_adds / 1e9, 2)) == (28_071_976, 4.27)


@pytest.mark.parametrize(
    ("name", "gate_bias", "published"),
    [("se_mobilenet_v1", True, 4.7), ("se_shufflenet_v1", True, 2.4), ("se_shufflenet_v1", False, 2.4)],
)
def test_mobile_networks_have_the_printed_parameters(name: str, gate_bias: bool, published: float) -> None:
    """Table 3 cuts its figures off: it prints 1.8 for the 1,865,728 of ShuffleNet 1x."""
    assert int(parameters(name, gate_bias=gate_bias) / 1e5) / 10 == published


def test_every_inception_module_has_a_gate_as_in_the_released_model() -> None:
    measured = parameters("se_bn_inception", separable_stem=False, conv_bias=True)
    assert round(measured * 4 / 2**20) == 46  # MiB of float32, the README of the release


@pytest.mark.parametrize("excitation", get_args(Excitation))
@pytest.mark.parametrize("squeeze", ["avg", "max"])
def test_block_is_equations_2_to_4(squeeze: Squeeze, excitation: Excitation) -> None:
    block = SqueezeExcitation(32, 4, squeeze, excitation)
    x = torch.randn(2, 32, 5, 5)
    z = x.mean(dim=(2, 3)) if squeeze == "avg" else x.flatten(2).max(dim=2).values
    hidden = torch.relu(nn.functional.linear(z, block.fc1.weight.flatten(1), block.fc1.bias))
    assert hidden.shape == (2, 8)
    factors = getattr(torch, excitation)(nn.functional.linear(hidden, block.fc2.weight.flatten(1), block.fc2.bias))
    torch.testing.assert_close(block(x), x * factors[:, :, None, None])


def test_without_a_squeeze_every_pixel_has_its_own_gate() -> None:
    block = SqueezeExcitation(32, 4, "none")
    x = torch.randn(2, 32, 5, 5)
    pixel = x[:, :, 2:3, 3:4]
    torch.testing.assert_close(block(x)[:, :, 2:3, 3:4], block(pixel))


def bottleneck_network() -> tuple[Classifier, nn.Sequential]:
    """A network of one bottleneck, and its branch."""
    branch = bottleneck_branch(32, 32, 1, inner=16)
    block = Residual(branch, nn.Identity(), nn.ReLU(inplace=True))
    return Classifier(nn.Identity(), nn.Sequential(nn.Sequential(block)), 32, 10, 32, min_size=8), branch


def position_formulas(x: Tensor, branch: nn.Sequential, gate: nn.Module) -> dict[str, Callable[[], Tensor]]:
    """Figure 5 and table 15 of the journal version."""
    inner, outer = branch[:6], branch[6:]  # conv1, bn1, relu1, conv2, bn2, relu2 and conv3, bn3
    return {
        "standard": lambda: torch.relu(x + gate(branch(x))),
        "pre": lambda: torch.relu(x + branch(gate(x))),
        "post": lambda: gate(torch.relu(x + branch(x))),
        "identity": lambda: torch.relu(gate(x) + branch(x)),
        "3x3": lambda: torch.relu(x + outer(gate(inner(x)))),
    }


@pytest.mark.parametrize("position", get_args(Position))
def test_position_is_the_papers_formula(position: Position) -> None:
    model, branch = bottleneck_network()
    squeeze_and_excite(model, reduction=4, position=position)
    randomise(model.eval())
    (gate,) = (module for module in model.modules() if isinstance(module, SqueezeExcitation))
    assert gate.fc1.in_channels == (16 if position == "3x3" else 32)
    x = torch.randn(2, 32, 8, 8)
    torch.testing.assert_close(model.stages(x), position_formulas(x, branch, gate)[position]())


def gates(name: str, **options: object) -> list[SqueezeExcitation]:
    with torch.device("meta"):
        model = create_model(name, **options)
    return [module for module in model.modules() if isinstance(module, SqueezeExcitation)]


@pytest.mark.parametrize(
    ("name", "number", "last"),
    [
        ("se_vgg16", 13, 512),
        ("se_bn_inception", 10, 1024),
        ("se_inception_resnet_v2", 40, 2080),
        ("se_mobilenet_v1", 13, 1024),
        ("se_mobilenet_v2", 17, 320),
        ("se_shufflenet_v1", 16, 960),
        ("se_preact_resnet_cifar", 54, 64),
    ],
)
def test_other_families_have_a_gate_in_every_block(name: str, number: int, last: int) -> None:
    found = gates(name)
    assert (len(found), found[-1].fc1.in_channels) == (number, last)


def test_vgg_gates_the_output_of_every_relu() -> None:
    with torch.device("meta"):
        stages = create_model("se_vgg16").get_submodule("stages")
    layers = [module for module in stages.modules() if isinstance(module, (nn.ReLU, SqueezeExcitation))]
    assert [type(layer) for layer in layers] == [nn.ReLU, SqueezeExcitation] * 13


def test_a_stage_is_picked_by_the_papers_number() -> None:
    assert [gate.fc1.in_channels for gate in gates("se_resnet50", gate_stages=(3, 5))] == [512] * 4 + [2048] * 3
    assert [gate.fc1.in_channels for gate in gates("se_vgg16", gate_stages=[1])] == [64] * 2
    assert len(gates("se_bn_inception", gate_stages=("5",))) == 2


def test_options_are_those_of_the_base_and_of_the_gates() -> None:
    base, gated = model_options("resnet"), model_options("se_resnet50")
    assert set(gated) == set(base) - {"depth"} | {"pool"} | {*signature(squeeze_and_excite).parameters} - {"model"}
    assert (base["stride_in"].default, gated["stride_in"].default) == ("3x3", "1x1")  # the Caffe release


def test_looking_for_channels_leaves_the_network_as_it_is() -> None:
    model = create_model("se_resnet_cifar", depth=8)
    assert all(module.training for module in model.modules())
    assert not any(tensor.is_meta for tensor in model.state_dict().values())
    assert not any(bool(value.any()) for name, value in model.named_buffers() if name.endswith("num_batches_tracked"))
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("name", ["legacy_seresnet50", "legacy_seresnext50_32x4d", "seresnet50", "seresnext50_32x4d"])
def test_timm_weights_load(name: str) -> None:
    reference = timm.create_model(name, drop_rate=0.0)  # the released networks lack the dropout of timm's default
    assert_same_network(create_model(name), reference, "timm", name, size=40)


def test_timm_senet_weights_load() -> None:
    """At 50 layers: the blocks, stem and projections are those of SENet-154."""
    shape: dict[str, Any] = {"downsample_kernel_size": 3, "downsample_padding": 1, "inplanes": 128, "input_3x3": True}
    reference = SENet(SEBottleneck, (3, 4, 6, 3), groups=64, reduction=16, drop_rate=0.0, **shape)
    assert_same_network(create_model("senet154", depth=50), reference, "timm", "legacy_senet154", size=40)


@pytest.mark.parametrize(
    ("name", "min_size", "options"),
    [
        ("se_resnet", 32, {"position": "post"}),
        ("se_resnet", 8, {"stem": "small", "position": "identity"}),
        ("se_resnet_cifar", 4, {"depth": 8, "position": "3x3"}),
        ("se_resnext_cifar", 4, {"depth": 11, "width": 0.25}),
        ("senet154", 32, {"depth": 50}),
        ("senet154", 8, {"depth": 50, "stem": "small"}),
        ("se_vgg", 8, {"stem": "small", "head": "pool"}),
        ("se_bn_inception", 4, {"stem": "small"}),
        ("se_inception_resnet", 7, {"stem": "small", "blocks": (1, 1, 1)}),
        ("se_mobilenet_v1", 8, {"stem": "small"}),
        ("se_shufflenet_v1", 8, {"stem": "small", "width": 0.25, "position": "pre"}),
    ],
)
def test_smallest_size(name: str, min_size: int, options: dict[str, object]) -> None:
    assert_smallest_size(name, min_size, **{"width": 0.125, **options})


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("se_resnet_cifar", {"gate_stages": (5,)}, r"gate_stages are among \['2', '3', '4'\], not \['5'\]"),
        ("se_mobilenet_v1", {"position": "pre"}, "position pre needs residual units"),
        ("se_resnet", {"cardinality": 32}, "unknown option of model se_resnet 'cardinality'"),
    ],
)
def test_what_cannot_be_built_is_refused(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        create_model(name, **options)
