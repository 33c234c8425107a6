"""The checks are no formality: break a stride, a padding, a group, a path, and the check that names it fails."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.errors import UserError
from replicate.models import alexnet, bn_inception, googlenet, shufflenet_v1, stochastic_depth, vgg
from replicate.models.densenet import DenseBlock
from replicate.models.layers.blocks import Residual
from replicate.models.layers.pooling import CentreWeightedPool, RootMeanSquarePool
from replicate.models.shufflenet_v1 import ChannelShuffle
from replicate.statements import algorithms
from replicate.statements import bottlenecks as blocks
from replicate.statements import layer_shapes as layers
from replicate.statements.checks import PAPER_PARTS, PARTS, checks_of, run_check

Breakage = Callable[[pytest.MonkeyPatch], None]


def plus(value: Any, amount: int) -> Any:
    if isinstance(value, str):
        return value
    return tuple(v + amount for v in value) if isinstance(value, tuple) else value + amount


def conv2d_with(**changes: int) -> Breakage:
    """Every convolution with a stride, padding or dilation that is larger by so much."""

    def breakage(patch: pytest.MonkeyPatch) -> None:
        right = F.conv2d

        def wrong(
            x: Tensor,
            w: Tensor,
            bias: Tensor | None = None,
            stride: Any = 1,
            padding: Any = 0,
            dilation: Any = 1,
            groups: int = 1,
        ) -> Tensor:
            options = {"stride": stride, "padding": padding, "dilation": dilation}
            options = {name: plus(value, changes.get(name, 0)) for name, value in options.items()}
            return right(x, w, bias, groups=groups, **options)

        patch.setattr(F, "conv2d", wrong)

    return breakage


def built_with(**options: Any) -> Breakage:
    """Every convolution layer built with these options, whatever was asked for."""

    def breakage(patch: pytest.MonkeyPatch) -> None:
        right = nn.Conv2d.__init__

        @wraps(right)
        def wrong(self: nn.Conv2d, *args: Any, **kwargs: Any) -> None:
            right(self, *args, **{**kwargs, **options})

        patch.setattr(nn.Conv2d, "__init__", wrong)

    return breakage


def replaced(owner: Any, name: str, value: Any) -> Breakage:
    return lambda patch: patch.setattr(owner, name, value)


def unflipped(patch: pytest.MonkeyPatch) -> None:
    """Convolutions that turn their kernels, as mathematics has it."""
    right = F.conv2d
    patch.setattr(F, "conv2d", lambda x, w, *args, **options: right(x, w.flip(2, 3), *args, **options))


def one_bad_point(patch: pytest.MonkeyPatch) -> None:
    """Winograd's polynomials evaluated at other points on one side only."""
    right = algorithms.winograd_kernels
    patch.setattr(algorithms, "winograd_kernels", lambda kernels, outputs: right(kernels, outputs) * 1.01)


def without_shortcut(self: Residual, x: Tensor) -> Tensor:
    result: Tensor = self.activation(self.branch(x))
    return result


def without_memory(self: DenseBlock, x: Tensor) -> Tensor:
    """A dense block whose layers see the input over and over instead of each other."""
    features = [x]
    for layer in self:
        features.append(layer(features[:1] * len(features)))
    return torch.cat(features[:2], 1)


def shrinking(self: DenseBlock, x: Tensor) -> Tensor:
    """A dense block that looks at every second row only."""
    features = [x[:, :, ::2]]
    for layer in self:
        features.append(layer(features))
    return torch.cat(features, 1)


def tied(self: layers.TiledConv2d, images: Tensor) -> Tensor:
    return F.conv2d(images, self.weight[0, 0], self.bias[0, 0])


ROW = bn_inception.ROWS["4"]["b"]


def doubled(owner: Any) -> Breakage:
    """The layer gives twice what it should."""
    forward = owner.forward
    return replaced(owner, "forward", lambda self, x: 2 * forward(self, x))


BROKEN: list[tuple[str, str, Breakage]] = [
    ("documents", "l2_norm_pool", doubled(RootMeanSquarePool)),
    ("documents", "weighted_pool", doubled(CentreWeightedPool)),
    ("sums", "strided_conv_is_subsampled", conv2d_with(stride=1)),
    ("sums", "kernel_gradient", conv2d_with(padding=1)),
    ("sums", "input_gradient", conv2d_with(stride=1)),
    ("sums", "multichannel_conv", conv2d_with(dilation=1)),
    ("sums", "network_conv_is_cross_correlation", unflipped),
    ("sums", "weight_sharing_prior", unflipped),
    ("sums", "doubly_block_circulant_2d", conv2d_with(padding=1)),
    ("sizes", "valid_padding_size", conv2d_with(padding=1)),
    ("sizes", "full_padding_size", conv2d_with(dilation=1)),
    ("sizes", "conv_output_size", conv2d_with(stride=1)),
    ("sizes", "conv_cost", built_with(bias=True)),
    ("sizes", "fc_vs_conv_params", built_with(groups=1, bias=True)),
    ("sizes", "pool_output_size", replaced(F, "max_pool1d", lambda x, w, s: x[..., :: s + 1])),
    ("shifts", "translation_equivariance", conv2d_with(stride=1)),
    ("shifts", "not_scale_rotation_equivariant", replaced(F, "conv2d", lambda x, w, *a, **k: x[..., 1:-1, 1:-1])),
    ("shifts", "max_pool_near_invariance", replaced(F, "max_pool1d", F.avg_pool1d)),
    ("shifts", "mean_pool_no_invariance", replaced(F, "avg_pool1d", F.max_pool1d)),
    ("evaluation", "fc_to_conv", conv2d_with(padding=1)),
    ("evaluation", "dense_eval_vgg_384", built_with(padding=0)),
    ("evaluation", "dense_eval_2x2", conv2d_with(stride=1)),
    ("evaluation", "alexnet_augmentation_factor", conv2d_with(stride=1)),
    ("sharing", "local_connection", replaced(layers.TiledConv2d, "forward", tied)),
    ("sharing", "tiled_conv", replaced(layers.TiledConv2d, "forward", tied)),
    ("sharing", "deformable_offset", built_with(bias=True)),
    ("groups", "group_conv_params", built_with(groups=1)),
    ("groups", "group_conv_example", built_with(groups=1)),
    ("groups", "group_conv_structured_sparsity", built_with(groups=2)),
    ("groups", "depthwise_limit", built_with(groups=1)),
    ("groups", "channel_shuffle", replaced(ChannelShuffle, "forward", lambda self, x: x)),
    ("stacks", "stack_10_channels_5x5", built_with(bias=True)),
    ("stacks", "asymmetric_81_vs_72", built_with(padding=1)),
    ("stacks", "grid_reduction_cost", built_with(stride=1)),
    ("stacks", "small_kernels_same_field", conv2d_with(stride=1)),
    ("separable", "separable_ratio", built_with(groups=1)),
    ("separable", "mobilenet_cost_formula", built_with(stride=2)),
    ("fields", "receptive_field_recursion", conv2d_with(dilation=1)),
    ("fields", "dilated_kernel_size", built_with(dilation=1)),
    ("fields", "gridding_effect", built_with(dilation=1)),
    ("fields", "one_by_one_field", built_with(stride=2)),
    ("fast", "im2col", conv2d_with(padding=1)),
    ("fast", "lavin_winograd", one_bad_point),
    ("fast", "strassen", replaced(algorithms, "quarters", lambda m: ((m, m), (m, m)))),
    ("fast", "fft_conv", replaced(algorithms, "spectral_product", lambda x, k: x[:, :1] * k[:, :1])),
    ("fast", "sobel_kernels", replaced(F, "conv2d", lambda x, k: x * k.sum())),
    ("classics", "lenet_shapes", built_with(padding=1)),
    ("classics", "alexnet_sizes", built_with(padding=0)),
    ("classics", "alexnet_params", replaced(alexnet, "HIDDEN", 4095)),
    ("classics", "vgg_params", replaced(vgg, "CHANNELS", (64, 128, 256, 512, 511))),
    (
        "inception",
        "inception_v2_table",
        replaced(bn_inception, "ROWS", {**bn_inception.ROWS, "4": {**bn_inception.ROWS["5"], "c": ROW, "d": ROW}}),
    ),
    (
        "inception",
        "inception_v1_depth",
        replaced(googlenet, "ROWS", {k: dict([*v.items()][:1]) for k, v in googlenet.ROWS.items()}),
    ),
    ("inception", "googlenet_5x5_reduced", built_with(stride=2)),
    ("inception", "label_smoothing", replaced(F, "cross_entropy", lambda x, y, label_smoothing: -x.log_softmax(0)[y])),
    ("residual", "residual_identity_unroll", replaced(Residual, "forward", without_shortcut)),
    ("residual", "path_count", replaced(Residual, "forward", without_shortcut)),
    ("residual", "resnext_equivalence", built_with(groups=1)),
    (
        "residual",
        "stochastic_depth_linear",
        replaced(stochastic_depth, "survival_probabilities", lambda n, p, d: [p] * n),
    ),
    ("dense", "densenet_connections", replaced(DenseBlock, "forward", without_memory)),
    ("dense", "densenet_memory", replaced(DenseBlock, "forward", shrinking)),
    ("dense", "densenet_channel_growth", replaced(DenseBlock, "forward", without_memory)),
    ("dense", "densenet_params_quadratic", built_with(kernel_size=1)),
    ("blocks", "block_cost", built_with(stride=2)),
    ("blocks", "block_cost", built_with(groups=1)),
    ("blocks", "unit_cost", built_with(stride=2)),
    ("blocks", "unit_cost", built_with(groups=1)),
    ("blocks", "fifty_layers", replaced(shufflenet_v1, "UNITS", (4, 6, 4))),
    ("blocks", "depth2_trivial", built_with(groups=4)),
    ("blocks", "depth2_trivial", replaced(blocks, "merge", lambda branches, wide, width: None)),
    ("blocks", "relu_invertibility", replaced(torch.linalg, "matrix_rank", len)),
]


def test_every_part_is_broken_somewhere() -> None:
    assert {part for part, _, _ in BROKEN} == {*PARTS, *PAPER_PARTS}


@pytest.mark.parametrize(
    ("part", "claim", "breakage"), BROKEN, ids=[f"{claim}-{i}" for i, (_, claim, _) in enumerate(BROKEN)]
)
def test_a_broken_layer_changes_the_outcome(
    part: str, claim: str, breakage: Breakage, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = checks_of(part)[claim]
    right = run_check(claim, function, seed=0)
    breakage(monkeypatch)
    try:
        wrong = run_check(claim, function, seed=0)
    except (RuntimeError, ValueError, TypeError, AssertionError, StopIteration, KeyError, ZeroDivisionError, UserError):
        return  # shapes that no longer fit are a failure too
    assert wrong != right
