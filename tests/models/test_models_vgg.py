"""Simonyan and Zisserman 2015: the printed counts, the structure of table 1, torchvision's graph."""

from typing import Any

import pytest
import torch
import torchvision
from torch import nn

from replicate.models import create_model
from replicate.models.counting import count, count_parameters
from replicate.models.vgg import VGG, vgg
from replicate.models.weights import load_reference
from tests.helpers.reference import assert_same_network
from tests.helpers.smallest import assert_smallest_size

PARAMETERS = {
    "vgg11": 132_863_336,
    "vgg11_lrn": 132_863_336,
    "vgg13": 133_047_848,
    "vgg16_1x1": 133_638_952,
    "vgg16": 138_357_544,
    "vgg19": 143_667_240,
    "vgg11_bn": 132_868_840,
    "vgg13_bn": 133_053_736,
    "vgg16_bn": 138_365_992,
    "vgg19_bn": 143_678_248,
}


def small(**options: Any) -> VGG:
    return vgg(width=0.0625, num_classes=5, in_channels=1, **options)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_the_exact_integers(name: str) -> None:
    assert count(name, (3, 224, 224)).parameters == PARAMETERS[name]


def test_first_fully_connected_layer_has_a_hundred_million_weights() -> None:
    with torch.device("meta"):
        fc6 = vgg().classifier[0]
    assert count_parameters(fc6) == 25_088 * 4_096 + 4_096


@pytest.mark.parametrize(
    ("config", "layers"), [("A", 11), ("A-LRN", 11), ("B", 13), ("B-5x5", 8), ("C", 16), ("D", 16), ("E", 19)]
)
def test_weight_layers_as_in_table_1(config: str, layers: int) -> None:
    weighted = [layer for layer in small(config=config).modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    assert len(weighted) == layers


@pytest.mark.parametrize("config", ["A", "B-5x5", "C"])
def test_stages_halve_the_map_and_nothing_else_does(config: str) -> None:
    maps, sides = torch.zeros(1, 1, 224, 224), []
    for stage in small(config=config).stages:
        maps = stage(maps)
        sides.append(maps.shape[-1])
    assert sides == [112, 56, 28, 14, 7]


def test_c_adds_1x1_convolutions_at_the_end_of_the_last_three_stages() -> None:
    stages = small(config="C").stages
    kernels = [[m.kernel_size[0] for m in stage.modules() if isinstance(m, nn.Conv2d)] for stage in stages]
    assert kernels == [[3, 3], [3, 3], [3, 3, 1], [3, 3, 1], [3, 3, 1]]


def test_a_lrn_normalises_the_first_layer_only() -> None:
    plain, normalised = small(config="A"), small(config="A-LRN")
    norms = [name for name, layer in normalised.named_modules() if isinstance(layer, nn.LocalResponseNorm)]
    assert norms == ["stages.0.norm"]
    normalised.load_state_dict(plain.state_dict())
    x = torch.randn(1, 1, 8, 8) * 30
    first = plain.stages[0].get_submodule("conv1")(x)
    expected = nn.functional.local_response_norm(first, 5, alpha=5e-4, beta=0.75, k=2.0)
    torch.testing.assert_close(normalised.stages[0](x), nn.functional.max_pool2d(expected, 2))


def test_one_5x5_sees_what_two_3x3_see() -> None:
    """Section 2.3: a stack of two 3x3 layers has the receptive field of one 5x5."""
    for config in ("B", "B-5x5"):
        convolutions = [layer for layer in small(config=config).stages[0].modules() if isinstance(layer, nn.Conv2d)]
        x = torch.randn(1, 1, 15, 15, requires_grad=True)
        nn.Sequential(*convolutions)(x)[0, :, 7, 7].sum().backward()
        assert x.grad is not None
        rows, columns = x.grad[0, 0].nonzero(as_tuple=True)
        assert rows.unique().tolist() == columns.unique().tolist() == [5, 6, 7, 8, 9]  # type: ignore[no-untyped-call]


def test_light_head_averages_the_maps() -> None:
    model = small(head="pool").eval()
    images = torch.randn(2, 1, 64, 64)
    averaged = model.stages(images).mean(dim=(2, 3))
    torch.testing.assert_close(model(images), model.classifier[0](averaged))
    assert count("vgg16", (3, 224, 224), head="pool").parameters == 14_714_688 + 513_000


@pytest.mark.parametrize(("pixels", "side"), [(16, 2), (28, 3), (32, 4)])
def test_small_stem_pools_three_times(pixels: int, side: int) -> None:
    assert small(stem="small").stages(torch.zeros(1, 1, pixels, pixels)).shape[-1] == side


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"config": "A"}, 32),
        ({"config": "A", "batch_norm": True, "head": "pool"}, 32),
        ({"config": "C", "stem": "small"}, 8),
        ({"config": "B-5x5", "batch_norm": True, "stem": "small"}, 8),
    ],
)
def test_smallest_image(options: dict[str, object], size: int) -> None:
    assert_smallest_size("vgg", size, "stages", width=0.0625, **options)


@pytest.mark.parametrize("name", ["vgg11_bn", "vgg16"])
def test_torchvision_weights_load(name: str) -> None:
    reference = torchvision.models.get_model(name, init_weights=False)
    assert_same_network(create_model(name), reference, "torchvision", name, size=32)


@pytest.mark.parametrize("name", ["vgg11", "vgg13", "vgg19", "vgg13_bn", "vgg16_bn", "vgg19_bn"])
def test_torchvision_names_have_their_places(name: str) -> None:
    """The other six load by the same rules: on the meta device, every name and shape has its place."""
    with torch.device("meta"):
        ours, reference = create_model(name), torchvision.models.get_model(name)
    load_reference(ours, "torchvision", name, reference.state_dict())
