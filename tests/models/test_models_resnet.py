"""He et al. 2015: the printed counts and torchvision's graph."""

import pytest
import torch
import torchvision

from replicate.models import create_model
from replicate.models.counting import count
from tests.helpers.reference import assert_same_network

EXACT = {
    ("resnet50", ()): 25_557_032,
    ("resnet18", ()): 11_689_512,
    ("plain34", ()): 21_623_848,
    ("resnet34", (("shortcut", "C"),)): 22_716_840,
    ("resnet_cifar", (("depth", 20),)): 269_722,
    ("resnet_cifar", (("depth", 110),)): 1_727_962,
    ("resnet_cifar", (("depth", 1202),)): 19_421_274,
}


@pytest.mark.parametrize(("name", "options"), EXACT, ids=str)
def test_parameters_as_published(name: str, options: tuple[tuple[str, object], ...]) -> None:
    size = (3, 32, 32) if "cifar" in name else (3, 224, 224)
    assert count(name, size, **dict(options)).parameters == EXACT[name, options]


def test_stride_position_decides_the_cost() -> None:
    caffe = count("resnet50", (3, 224, 224), stride_in="1x1").multiply_adds
    torch7 = count("resnet50", (3, 224, 224), stride_in="3x3").multiply_adds
    assert (round(caffe / 1e9, 1), round(torch7 / 1e9, 1)) == (3.9, 4.1)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_torchvision_weights_load(name: str) -> None:
    assert_same_network(create_model(name), torchvision.models.get_model(name), "torchvision", name)


def test_option_a_copies_every_second_pixel_and_pads_zeros() -> None:
    block = create_model("resnet_cifar", depth=8, in_channels=1).stages[1][0]
    x = torch.randn(2, 16, 8, 8)
    y = block.shortcut(x)
    assert y.shape == (2, 32, 4, 4)
    assert torch.equal(y[:, :16], x[:, :, ::2, ::2])
    assert not y[:, 16:].any()
