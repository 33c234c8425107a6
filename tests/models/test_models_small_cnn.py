"""The small network of options: every option against torch.nn.functional, and its parameters by formula."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.errors import UserError
from replicate.models import create_model
from replicate.models.counting import count, count_parameters
from replicate.models.layers.blocks import Residual
from replicate.models.layers.pooling import CentreWeightedPool, RootMeanSquarePool
from replicate.models.small_cnn import Maxout, Style, kernels_of, make_reduction, naive_module, reduced_module
from tests.helpers.smallest import assert_smallest_size

STYLE = Style("relu", "batch", 0.0)


def maps(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def parameters(**options: Any) -> int:
    return count("small_cnn", (1, 16, 16), **options).parameters


def test_parameters_by_formula() -> None:
    """Stem, three layers, two reductions, linear layer; BN has two numbers a channel in place of the bias."""
    weights = 9 * (8 + 8 * 8 + 8 * 12 + 12 * 12 + 12 * 16 + 16 * 16)
    channels = 8 + 8 + 12 + 12 + 16 + 16
    assert parameters(widths=(8, 12, 16)) == weights + 2 * channels + 16 * 10 + 10
    assert parameters(widths=(8, 12, 16), norm="none") == weights + channels + 16 * 10 + 10
    assert parameters(widths=(8, 12, 16), norm="none", activation="prelu") == weights + 2 * channels + 16 * 10 + 10
    assert parameters(widths=(8, 12, 16), norm="none", activation="maxout") == 2 * (weights + channels) + 16 * 10 + 10


@pytest.mark.parametrize(
    ("kernel", "weights"),
    [("5x5", 25), ("3x3+3x3", 18), ("1x7+7x1", 14), ("1x1", 1)],
)
def test_weights_of_a_layer(kernel: str, weights: int) -> None:
    base = parameters(widths=(6,), norm="none", depth=0)
    biases = len(kernels_of(kernel))
    assert parameters(widths=(6,), norm="none", kernel=kernel) - base == 6 * (6 * weights + biases)


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh", "elu"])
def test_a_layer_is_convolution_normalisation_activation(activation: str) -> None:
    layer = Style(activation, "batch", 0.0).layer(3, 4, (1, 5)).train()  # type: ignore[arg-type]
    x = maps(2, 3, 6, 6)
    conv = layer.get_submodule("conv")
    assert isinstance(conv, nn.Conv2d)
    assert conv.bias is None
    summed = F.conv2d(x, conv.weight, padding=(0, 2))
    expected = getattr(F, activation)(F.batch_norm(summed, None, None, training=True))
    torch.testing.assert_close(layer(x), expected)


def test_prelu_and_maxout() -> None:
    x = maps(2, 3, 6, 6)
    layer = Style("prelu", "none", 0.0).layer(3, 4)
    conv = layer.get_submodule("conv")
    summed = F.conv2d(x, conv.weight, conv.bias, padding=1)  # type: ignore[arg-type]
    torch.testing.assert_close(layer(x), F.prelu(summed, torch.full((4,), 0.25)))
    pairs = maps(2, 8, 3, 3)
    torch.testing.assert_close(Maxout()(pairs), torch.maximum(pairs[:, ::2], pairs[:, 1::2]))


@pytest.mark.parametrize("side", [6, 7])
def test_l2_pool_is_torchs_norm_over_the_windows_side(side: int) -> None:
    x = maps(2, 3, side, side)
    torch.testing.assert_close(RootMeanSquarePool()(x), F.lp_pool2d(x, 2, 2) / 2, atol=1e-5, rtol=1e-5)
    zeros = torch.zeros(1, 1, 4, 4, requires_grad=True)
    RootMeanSquarePool()(zeros).sum().backward()
    assert zeros.grad is not None
    assert zeros.grad.isfinite().all()


@pytest.mark.parametrize("side", [6, 7])
def test_weighted_pool_falls_with_the_distance_from_the_middle(side: int) -> None:
    pool = CentreWeightedPool()
    assert pool(maps(2, 3, side, side)).shape == F.max_pool2d(maps(2, 3, side, side), 2).shape
    point = torch.zeros(1, 1, 6, 6)
    point[0, 0, 2, 2] = 16
    assert pool(point)[0, 0].tolist() == [[0, 0, 0], [0, 4, 0], [0, 0, 0]]
    point = point.roll(1, 3)  # between two windows' middles
    assert pool(point)[0, 0].tolist() == [[0, 0, 0], [0, 2, 2], [0, 0, 0]]
    torch.testing.assert_close(pool(torch.full((1, 2, 6, 6), 3.0)), torch.full((1, 2, 3, 3), 3.0))


@pytest.mark.parametrize(
    ("kind", "pool"),
    [
        ("max", lambda x: F.max_pool2d(x, 2)),
        ("mean", lambda x: F.avg_pool2d(x, 2)),
        ("overlapping", lambda x: F.max_pool2d(x, 3, 2, 1)),
        ("none", lambda x: x),
    ],
)
def test_a_pool_follows_the_reductions_convolution(kind: str, pool: object) -> None:
    reduction = make_reduction(STYLE, kind, 3, 5).eval()  # type: ignore[arg-type]
    x = maps(2, 3, 8, 8)
    torch.testing.assert_close(reduction(x), pool(reduction.get_submodule("layer")(x)))  # type: ignore[operator]


def test_convolution_and_pool_in_parallel_stand_side_by_side() -> None:
    reduction = make_reduction(STYLE, "parallel", 3, 5).eval()
    x = maps(2, 3, 8, 8)
    found = reduction(x)
    assert found.shape == (2, 5, 4, 4)
    torch.testing.assert_close(found[:, 2:], F.max_pool2d(x, 2))
    torch.testing.assert_close(found[:, :2], reduction.get_submodule("branches.0")(x))


def test_multiply_adds_of_the_ways_to_halve_a_map() -> None:
    """2 k channels from k: the dear way has four times the products of the strided one, parallel half of those."""

    def products(kind: str) -> int:
        reduction = make_reduction(Style("relu", "none", 0.0), kind, 4, 8)  # type: ignore[arg-type]
        return int(sum(9 * layer.in_channels * layer.out_channels for layer in convolutions(reduction)))

    assert products("strided") == products("max") == products("pool_first") == 2 * products("parallel")
    sides = {kind: count("small_cnn", (1, 16, 16), widths=(4, 8), depth=0, reduction=kind).multiply_adds for kind in
             ("max", "strided", "pool_first", "parallel")}  # fmt: skip
    rest = 9 * 4 * 256 + 8 * 10
    assert {kind: (found - rest) / (9 * 4 * 8 * 64) for kind, found in sides.items()} == {
        "max": 4, "strided": 1, "pool_first": 1, "parallel": 0.5
    }  # fmt: skip


def convolutions(module: nn.Module) -> list[nn.Conv2d]:
    return [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]


def test_inceptions_modules() -> None:
    naive, grown = naive_module(STYLE, 12, 8)
    reduced, kept = reduced_module(STYLE, 12, 8)
    x = maps(2, 12, 5, 5)
    assert (grown, kept) == (3 * 2 + 12, 8)
    assert naive(x).shape[1] == grown
    assert reduced(x).shape[1] == kept
    torch.testing.assert_close(naive(x)[:, 6:], F.max_pool2d(x, 3, 1, 1))
    assert count_parameters(reduced) < count_parameters(naive)


def test_heads() -> None:
    images = maps(3, 1, 16, 16)
    for head, final in (("dense", (64, 1, 1)), ("global_depthwise", (64, 1, 1)), ("average", (64, 4, 4))):
        model = create_model("small_cnn", head=head).eval()
        assert model.final(model.stages(model.stem(images))).shape == (3, *final)  # type: ignore[operator]
    average = create_model("small_cnn").eval()
    features = average.stages(average.stem(images))  # type: ignore[operator]
    torch.testing.assert_close(average(images), average.fc(F.adaptive_avg_pool2d(features, 1).flatten(1)))  # type: ignore[operator]


def test_a_dense_head_is_a_matrix_on_the_flattened_map() -> None:
    model = create_model("small_cnn", head="dense").eval()
    images = maps(3, 1, 16, 16)
    flat = model.stages(model.stem(images)).flatten(1)  # type: ignore[operator]
    dense = model.get_submodule("final.0")
    hidden = F.linear(flat, dense.weight.flatten(1), dense.bias).relu()  # type: ignore[operator, arg-type]
    torch.testing.assert_close(model(images), model.fc(hidden))  # type: ignore[operator]


def test_codes_answer_by_distance_where_the_softmax_has_weights() -> None:
    images = maps(3, 1, 16, 16)
    model = create_model("small_cnn", head="rbf").eval()
    units = model.get_submodule("fc.squash")(
        model.get_submodule("fc.f6")(model.stages(model.stem(images)).mean((2, 3)))  # type: ignore[operator]
    )
    codes = model.get_buffer("fc.output.codes")
    torch.testing.assert_close(model(images), -torch.cdist(units, codes).square(), atol=1e-3, rtol=1e-4)
    linear = count("small_cnn", (1, 16, 16), head="softmax").parameters
    assert linear - count("small_cnn", (1, 16, 16), head="rbf").parameters == 84 * 10 + 10


def test_residual_layers_add_before_the_activation_and_may_be_dropped() -> None:
    model = create_model("small_cnn", residual=True, survival_probability=0.5, depth=2)
    blocks = [module for module in model.modules() if isinstance(module, Residual)]
    assert [block.survival_probability for block in blocks] == pytest.approx([1 - i / 12 for i in range(1, 7)])
    block = create_model("small_cnn", residual=True).eval().get_submodule("stages.0.0")
    x = maps(2, 16, 6, 6)
    torch.testing.assert_close(block(x), F.relu(x + block.get_submodule("branch")(x)))


def test_dropout_stands_in_every_layer() -> None:
    model = create_model("small_cnn", dropout=0.25)
    found = [layer.p for layer in model.modules() if isinstance(layer, nn.Dropout)]
    assert found == [0.25] * len(convolutions(model))


@pytest.mark.parametrize(
    ("options", "size"),
    [({}, 4), ({"reduction": "none"}, 1), ({"head": "dense", "image_size": 12}, 12), ({"widths": (4,)}, 1)],
)
def test_smallest_size(options: dict[str, object], size: int) -> None:
    model = create_model("small_cnn", num_classes=3, **options)
    assert model.min_size == size
    if size > 1:
        assert_smallest_size("small_cnn", size, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": "3"}, "odd kernels"),
        ({"kernel": "2x2"}, "odd kernels"),
        ({"kernel": ["3x3"]}, "1 values for 3 stages"),
        ({"depth": [1, 2]}, "2 values for 3 stages"),
        ({"activation": "gelu"}, "relu, sigmoid"),
        ({"norm": "layer"}, "batch, none"),
        ({"reduction": "median"}, "overlapping"),
        ({"head": "nin"}, "global_depthwise"),
        ({"kernel": "naive", "residual": True}, "no module of several sizes"),
        ({"activation": "maxout", "residual": True}, "maxout"),
        ({"survival_probability": 0.5}, "residual layers"),
        ({"reduction": "parallel", "widths": (8, 8)}, "more channels"),
        ({"image_size": 2}, "cannot be halved"),
    ],
)
def test_what_cannot_be_built_is_one_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        create_model("small_cnn", **options)
