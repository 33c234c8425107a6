"""Szegedy et al. 2015: torchvision's and timm's graph, the factorisations, the auxiliary head, the Keras port."""

import pytest
import timm
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from replicate.models import create_model
from replicate.models.counting import count, count_parameters
from replicate.models.weights import load_reference
from tests.helpers.inception import assert_smallest_size_with_heads, map_channels, map_sides
from tests.helpers.reference import assert_same_network, randomise
from tests.helpers.smallest import assert_smallest_size

FULL_SIZE = (3, 299, 299)
SMALL = {"width": 0.125, "in_channels": 1, "stem": "small"}


@pytest.mark.parametrize(
    ("options", "parameters"),
    [({}, 27_161_264), ({"auxiliary": "none"}, 23_834_568), ({"auxiliary": "plain"}, 27_161_264 - 768)],
    ids=str,
)
def test_parameters(options: dict[str, object], parameters: int) -> None:
    """BN-auxiliary has a scale and a shift for each of the 768 features where the plain head has a bias."""
    assert count("inception_v3", FULL_SIZE, **options).parameters == parameters


def test_the_keras_port_of_2016_has_the_parameters_that_the_xception_paper_prints() -> None:
    assert count("inception_v3_keras2016", FULL_SIZE).parameters == 23_626_728


def test_what_the_keras_port_counts() -> None:
    """Convolution bias, BN scale and BN shift on 17,120 channels, beside 23,575,368 weights with the classifier."""
    with torch.device("meta"):
        model = create_model("inception_v3_keras2016")
    convs = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    channels = sum(layer.out_channels for layer in convs)
    weights = sum(layer.weight.numel() for layer in convs) + count_parameters(model.fc)
    assert (channels, weights) == (17_120, 23_575_368)
    assert weights + 3 * channels == 23_626_728
    assert [name for name, _ in model.stem[0].named_children()] == ["conv", "act", "bn"]


def test_torchvision_weights_load() -> None:
    reference = torchvision.models.inception_v3(init_weights=False, aux_logits=False)
    ours = create_model("inception_v3", auxiliary="none")
    assert_same_network(ours, reference, "torchvision", "inception_v3", size=80)


def test_torchvision_auxiliary_head_agrees() -> None:
    ours, reference = create_model("inception_v3"), torchvision.models.inception_v3(init_weights=False)
    randomise(reference)
    load_reference(ours, "torchvision", "inception_v3", reference.state_dict())
    maps = torch.randn(2, 768, 17, 17)
    torch.testing.assert_close(ours.heads["6e"].eval()(maps), reference.AuxLogits.eval()(maps))


def test_timm_weights_load() -> None:
    reference = timm.create_model("inception_v3")
    assert_same_network(create_model("inception_v3", auxiliary="none"), reference, "timm", "inception_v3", size=80)


def test_factorised_7x7_is_a_1x7_and_a_7x1() -> None:
    """With one spatial kernel per pair the two are the 7x7 of the outer product (section 3.2)."""
    whole, pair = (
        create_model("inception_v3", factorised_modules=factorised, **SMALL).stages.get_submodule("6.b")[1]
        for factorised in (False, True)
    )
    assert [unit.conv.kernel_size for unit in whole] == [(1, 1), (7, 7)]
    assert [unit.conv.kernel_size for unit in pair] == [(1, 1), (1, 7), (7, 1)]
    row, column = torch.randn(1, 1, 1, 7), torch.randn(1, 1, 7, 1)
    maps = torch.randn(1, 1, 9, 9)
    two = F.conv2d(F.conv2d(maps, row, padding=pair[1].conv.padding), column, padding=pair[2].conv.padding)
    torch.testing.assert_close(two, F.conv2d(maps, column @ row, padding=whole[1].conv.padding))


def test_factorised_stem_keeps_the_size() -> None:
    before, after = (create_model("inception_v3", factorised_stem=factorised, width=0.125) for factorised in (0, 1))
    assert before.stem[0].conv.kernel_size == (7, 7)
    assert map_sides(before, 299) == map_sides(after, 299) == [35, 35, 17, 8]


def test_channels_of_every_module() -> None:
    channels = map_channels(create_model("inception_v3", auxiliary="none"))
    assert channels == [256, 288, 288, 768, 768, 768, 768, 768, 1280, 2048, 2048]


def test_table_2_keeps_the_cost_at_lower_resolution() -> None:
    options = {299: {}, 151: {"first_stride": 1}, 79: {"first_stride": 1, "first_pool": False}}
    cost = {
        side: count("inception_v3", (3, side, side), auxiliary="none", **option).multiply_adds
        for side, option in options.items()
    }
    assert cost[151] == cost[299]
    assert cost[79] == pytest.approx(cost[299], rel=0.1)


def test_bn_auxiliary_normalises_the_fully_connected_layer_too() -> None:
    heads = [create_model("inception_v3", auxiliary=kind, width=0.125).heads["6e"] for kind in ("plain", "bn")]
    assert [sum(isinstance(layer, nn.BatchNorm2d) for layer in head.modules()) for head in heads] == [1, 2]


def test_small_images() -> None:
    model = create_model("inception_v3", **SMALL)
    assert (map_sides(model, 28), map_sides(model, 16)) == ([28, 28, 13, 6], [16, 16, 7, 3])


def test_smallest_size() -> None:
    assert_smallest_size_with_heads("inception_v3", 299, heads=1, width=0.0625)
    assert_smallest_size_with_heads("inception_v3", 7, heads=1, stem="small", width=0.125)
    assert_smallest_size("inception_v3", 75, width=0.125, auxiliary="none")
