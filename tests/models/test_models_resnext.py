"""Xie et al. 2017: the printed counts, the three forms of a block, torchvision's graph."""

import pytest
import torch
import torchvision
from torch import nn

from replicate.models import create_model
from replicate.models.counting import count
from replicate.models.resnext import ConcatBranches, SumBranches, make_branch
from replicate.papers import load_paper
from tests.helpers.reference import assert_same_network, randomise

CHANNELS, CARDINALITY, WIDTH = 32, 4, 3


@pytest.mark.parametrize("depth", [50, 101])
@pytest.mark.parametrize(("cardinality", "base_width"), [(1, 64), (2, 40), (4, 24), (8, 14), (32, 4)])
def test_ladder_has_the_papers_complexity(depth: int, cardinality: int, base_width: int) -> None:
    measured = count("resnext", (3, 224, 224), depth=depth, cardinality=cardinality, base_width=base_width)
    published = {50: (25.5e6, 4.1e9), 101: (44e6, 7.8e9)}[depth]
    assert measured.parameters == pytest.approx(published[0], rel=0.03)
    assert measured.multiply_adds == pytest.approx(published[1], rel=0.045)


@pytest.mark.parametrize(
    ("architecture", "name", "options"),
    [
        ("resnext50_2x40d", "resnext", {"cardinality": 2, "base_width": 40}),
        ("resnext50_8x14d", "resnext", {"cardinality": 8, "base_width": 14}),
        ("resnext50_32x4d", "resnext50_32x4d", {}),
        ("resnext101_64x4d", "resnext101_64x4d", {}),
        ("resnet101_1x100d", "resnext", {"depth": 101, "cardinality": 1, "base_width": 100}),
        ("resnext29_8x64d_cifar", "resnext_cifar", {}),
        ("resnext29_16x64d_cifar", "resnext_cifar", {"cardinality": 16}),
    ],
)
def test_parameters_are_the_reference_integers(architecture: str, name: str, options: dict[str, int]) -> None:
    entry = load_paper("resnext").architectures[architecture]
    assert count(name, tuple(entry.input), **options).parameters == entry.reference_params


def copy_branches(grouped: nn.Sequential, form: SumBranches | ConcatBranches) -> None:
    """Group i of the grouped block becomes branch i: rows of the first 1x1, group i of the 3x3."""
    for i, branch in enumerate(form.branches):
        rows = slice(i * WIDTH, (i + 1) * WIDTH)
        for layer in ("conv1", "bn1", "conv2", "bn2"):
            source = getattr(grouped, layer).state_dict()
            target = getattr(branch if isinstance(form, ConcatBranches) else branch[:-1], layer, None)
            target = target if target is not None else branch[{"conv1": 0, "bn1": 1, "conv2": 3, "bn2": 4}[layer]]
            target.load_state_dict({k: v[rows] if v.dim() else v for k, v in source.items()})
        if isinstance(form, SumBranches):
            branch[-1].weight.data.copy_(grouped.conv3.weight[:, rows])
    last = form.bn if isinstance(form, SumBranches) else form.fuse.bn
    last.load_state_dict(grouped.bn3.state_dict())
    if isinstance(form, ConcatBranches):
        form.fuse.conv.load_state_dict(grouped.conv3.state_dict())


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("form", ["a", "b"])
def test_forms_are_equal(form: str, stride: int, training: bool) -> None:
    torch.manual_seed(0)
    shape = (CHANNELS, CHANNELS, stride, CARDINALITY, WIDTH)
    grouped, other = make_branch(*shape, "c"), make_branch(*shape, form)
    randomise(grouped)
    copy_branches(grouped, other)
    x = torch.randn(2, CHANNELS, 8, 8)
    torch.testing.assert_close(other.train(training)(x), grouped.train(training)(x), atol=1e-5, rtol=1e-5)


def test_two_layer_branches_sum_to_one_wide_block() -> None:
    wide = make_branch(CHANNELS, CHANNELS, 1, CARDINALITY, WIDTH, "two_layer").eval()
    x = torch.randn(2, CHANNELS, 8, 8)
    total = torch.zeros(2, CHANNELS, 8, 8)
    for i in range(CARDINALITY):
        rows = slice(i * WIDTH, (i + 1) * WIDTH)
        hidden = torch.relu(nn.functional.conv2d(x, wide.conv1.weight[rows], padding=1) / (1 + wide.bn1.eps) ** 0.5)
        total += nn.functional.conv2d(hidden, wide.conv2.weight[:, rows], padding=1)
    torch.testing.assert_close(wide(x), total / (1 + wide.bn2.eps) ** 0.5, atol=1e-5, rtol=1e-5)


def test_torchvision_weights_load() -> None:
    name = "resnext50_32x4d"
    assert_same_network(create_model(name), torchvision.models.get_model(name), "torchvision", name)
