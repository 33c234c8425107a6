"""Dense evaluation is what theory says: the mean over the crops at the network's stride."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from replicate.errors import UserError
from replicate.evaluation.dense import Dense, fully_convolutional
from replicate.models import create_model
from tests.helpers.reference import randomise


def small_vgg(padding: bool) -> Any:
    """Three pools, fc6 on 3 x 3 maps, with or without padding in the convolutions."""
    torch.manual_seed(0)
    network: Any = create_model("vgg11", stem="small", width=0.05, num_classes=5, in_channels=1, batch_norm=True)
    randomise(network)
    if not padding:
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                layer.padding = (0, 0)
    return network.eval()


def side_for(network: Any, maps: int) -> int:
    """The smallest image that gives maps of this side: 8 pixels more for each."""
    sizes = range(96, 200)
    return next(size for size in sizes if network.stages(torch.zeros(1, 1, size, size)).shape[2] == maps)


def crops_at_stride(images: Tensor, size: int, count: int, stride: int = 8) -> list[Tensor]:
    return [
        images[:, :, stride * i : stride * i + size, stride * j : stride * j + size]
        for i in range(count)
        for j in range(count)
    ]


@torch.no_grad()
def test_without_padding_dense_is_the_mean_over_crops() -> None:
    """Every place of the score map is the crop that lies there."""
    network = small_vgg(padding=False)
    crop, whole = side_for(network, 3), side_for(network, 5)
    assert whole == crop + 16
    images = torch.randn(2, 1, whole, whole)
    dense = fully_convolutional(network)
    assert isinstance(dense, Dense)
    logits = torch.stack([network(view) for view in crops_at_stride(images, crop, 3)])
    torch.testing.assert_close(dense.score_map(images).flatten(2), logits.permute(1, 2, 0), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(dense(images), logits.mean(0), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_with_padding_dense_differs_from_crops() -> None:
    """A crop sees zeros where the whole image goes on."""
    network = small_vgg(padding=True)
    images = torch.randn(2, 1, 40, 40)
    dense = fully_convolutional(network)
    logits = torch.stack([network(view) for view in crops_at_stride(images, 24, 3)])
    assert (dense(images) - logits.mean(0)).abs().max() > 0.01 * logits.std()


@pytest.mark.parametrize("name", ["vgg", "alexnet_krizhevsky"])
@torch.no_grad()
def test_at_the_training_size_the_two_forms_are_one(name: str) -> None:
    network = create_model(name, stem="small", width=0.05, num_classes=5, in_channels=1).eval()
    images = torch.randn(2, 1, 24, 24)
    torch.testing.assert_close(fully_convolutional(network)(images), network(images), atol=1e-6, rtol=1e-5)
    with pytest.raises(UserError, match=r"leave maps of \dx\d; the fully convolutional form needs 3x3"):
        fully_convolutional(network)(images[:, :, 2:20, 2:20])


@torch.no_grad()
def test_a_network_that_averages_is_its_own_dense_form() -> None:
    network: Any = create_model("resnet_cifar", depth=8, width=0.25, in_channels=1).eval()
    images = torch.randn(2, 1, 24, 24)
    maps = network.final(network.stages(network.stem(images)))
    scores = network.fc(maps.permute(0, 2, 3, 1)).mean(dim=(1, 2))
    torch.testing.assert_close(network(images), scores, atol=1e-6, rtol=1e-5)
    assert fully_convolutional(network) is network
