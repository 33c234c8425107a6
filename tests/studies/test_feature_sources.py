"""Filters from several sources, and the readout against references written with scipy."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import minimize
from torch import nn

from replicate.errors import UserError
from replicate.experiments.run_config import read_options
from replicate.models import create_model
from replicate.studies.feature_sources import PENALTY, features, logistic
from replicate.studies.filter_sources import convolution_of, layers_of, patches, set_filters


def network() -> nn.Module:
    torch.manual_seed(0)
    return create_model("small_cnn", widths=(8, 8), depth=0)


def images(count: int = 60) -> torch.Tensor:
    return torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def test_layers_stand_in_the_order_of_the_network() -> None:
    model = network()
    assert [convolution_of(layer).in_channels for layer in layers_of(model)] == [1, 8]
    with pytest.raises(UserError, match="no row of layers"):
        layers_of(create_model("lenet5_modern"))


def test_kernels_by_hand_answer_to_edges_in_their_direction_alone() -> None:
    model = network()
    before = convolution_of(layers_of(model)[1]).weight.clone()
    set_filters(model, "hand_made", images(), torch.zeros(60).long(), seed=0)
    first = convolution_of(layers_of(model)[0])
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    answers = F.conv2d(ramp, first.weight)[0, :, 2, 2]
    expected = torch.tensor([2 * torch.pi * n / 8 for n in range(8)]).cos()
    torch.testing.assert_close(answers, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(F.conv2d(torch.ones(1, 1, 8, 8), first.weight), torch.zeros(1, 8, 6, 6))
    assert torch.equal(convolution_of(layers_of(model)[1]).weight, before)


def test_patches_are_windows_of_the_images() -> None:
    layer = nn.Conv2d(2, 3, (3, 1), padding=(1, 0))
    maps = torch.randn(4, 2, 6, 6)
    found = patches(maps, layer, seed=0)
    assert found.shape[1] == 2 * 3
    windows = F.unfold(maps, (3, 1), padding=(1, 0)).transpose(1, 2).flatten(0, 1)
    windows = windows - windows.mean(1, keepdim=True)
    windows = windows / (windows.std(1, keepdim=True) + 0.1)
    assert torch.cdist(found[:50], windows).min(1).values.max() < 5e-3


def test_k_means_finds_the_patterns_that_the_images_are_made_of() -> None:
    stripes = torch.zeros(60, 1, 8, 8)
    stripes[:30, :, :, ::2] = 1
    stripes[30:, :, ::2] = 1
    model = create_model("small_cnn", widths=(8, 8), depth=0)
    set_filters(model, "k_means", stripes, torch.zeros(60).long(), seed=0)
    filters = convolution_of(layers_of(model)[0]).weight.flatten(1)
    torch.testing.assert_close(filters.norm(dim=1), torch.ones(8))
    upright = F.normalize(torch.tensor([[1.0, 0, 1], [1, 0, 1], [1, 0, 1]]).sub(2 / 3).flatten(), dim=0)
    assert (filters @ upright).max() > 0.95


@pytest.mark.parametrize("source", ["random", "hand_made", "k_means", "greedy"])
def test_every_source_leaves_normalised_maps_and_repeats(source: str) -> None:
    labels = torch.arange(60) % 3
    models = [network(), network()]
    for model in models:
        set_filters(model, source, images(), labels, seed=3)
    first, second = (features(model, images()) for model in models)
    assert torch.equal(first, second)
    layer = layers_of(models[0])[0]
    settled = layer.get_submodule("bn")(convolution_of(layer)(images()))
    mean = layer.get_submodule("bn").bias  # type: ignore[union-attr]
    assert isinstance(mean, torch.Tensor)
    torch.testing.assert_close(settled.mean((0, 2, 3)), mean, atol=1e-4, rtol=1e-4)


def test_greedy_layers_learn_what_the_labels_say() -> None:
    labels = torch.arange(200) % 2
    bright = images(200) + 3 * labels[:, None, None, None] * torch.tensor([1.0, -1.0]).repeat(4)
    found = {}
    for source in ("random", "greedy"):
        model = network()
        set_filters(model, source, bright, labels, seed=0)
        means = features(model, bright)
        found[source] = float((means[labels == 0].mean(0) - means[labels == 1].mean(0)).norm())
    assert found["greedy"] > found["random"]


def test_the_readout_is_the_logistic_regression_of_scipy() -> None:
    rng = np.random.default_rng(0)
    inputs, labels = rng.normal(size=(80, 3)), rng.integers(0, 3, 80)

    def loss(flat: np.ndarray) -> float:
        weights, biases = flat[:9].reshape(3, 3), flat[9:]
        logits = inputs @ weights.T + biases
        log_sum = np.log(np.exp(logits).sum(1))
        return float((log_sum - logits[np.arange(80), labels]).mean() + PENALTY / 2 * (weights**2).sum())

    best = minimize(loss, np.zeros(12))
    head = logistic(torch.from_numpy(inputs).float(), torch.from_numpy(labels), 3)
    found = np.concatenate([head.weight.detach().numpy().ravel(), head.bias.detach().numpy()])
    assert loss(found.astype(float)) == pytest.approx(best.fun, abs=1e-5)


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(UserError, match="source"):
        read_options("feature_sources", {"source": "dreams"})
