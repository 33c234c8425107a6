"""Sandler et al. 2018: the printed counts, the two ablations of figure 6, torchvision's and timm's graphs."""

import pytest
import timm
import torch
import torchvision
from torch import nn

from replicate.errors import UserError
from replicate.models import create_model
from replicate.models.counting import count
from replicate.models.layers.blocks import Residual
from replicate.models.mobilenet_v2 import Shape, expansion_unit, inverted_residual
from tests.helpers.reference import assert_same_network, randomise
from tests.helpers.smallest import assert_smallest_size

COUNTS = {
    (1.0, 224): (3_504_872, 300_774_272),
    (1.0, 96): (3_504_872, 56_289_152),
    (1.4, 224): (6_108_776, 582_195_824),
    (0.75, 224): (2_636_424, 209_069_792),
    (0.5, 224): (1_968_680, 97_131_840),
    (0.35, 224): (1_677_128, 59_285_808),
}


@pytest.mark.parametrize(("width", "side"), COUNTS)
def test_width_and_resolution_give_the_published_cost(width: float, side: int) -> None:
    measured = count("mobilenet_v2", (3, side, side), width=width)
    assert (measured.parameters, measured.multiply_adds) == COUNTS[width, side]


@pytest.mark.parametrize("shortcut", ["expansion", "none"])
def test_shortcuts_are_free(shortcut: str) -> None:
    assert count("mobilenet_v2", (3, 64, 64), shortcut=shortcut) == count("mobilenet_v2", (3, 64, 64))


@pytest.mark.parametrize(("shortcut", "shortcuts"), [("bottleneck", 10), ("expansion", 10), ("none", 0)])
def test_shortcut_placement(shortcut: str, shortcuts: int) -> None:
    model = create_model("mobilenet_v2", shortcut=shortcut, width=0.5)
    blocks = [module for module in model.modules() if isinstance(module, Residual)]
    assert len(blocks) == 17
    assert sum(block.shortcut is not None for block in blocks) == shortcuts


def test_block_cost_is_the_papers_formula() -> None:
    """h w d t (d + k^2 + d'), section 3 of the paper."""
    rows = [(112, 16, 24), (56, 24, 32), (28, 32, 64), (14, 64, 96), (14, 96, 160), (7, 160, 320)]
    repeats = [(56, 24, 1), (28, 32, 2), (14, 64, 3), (14, 96, 2), (7, 160, 2)]
    blocks = 112**2 * (32 * 9 + 32 * 16) + sum(n * side**2 * d * 6 * (d + 9 + d) for side, d, n in repeats)
    for index, (side, d, d2) in enumerate(rows):
        out = side if index in (3, 5) else side // 2  # the rows of stride 1 keep their map
        blocks += 6 * d * (side**2 * d + out**2 * (9 + d2))
    stem_and_head = 112**2 * 27 * 32 + 7**2 * 320 * 1280 + 1280 * 1000
    assert count("mobilenet_v2", (3, 224, 224)).multiply_adds == blocks + stem_and_head


@pytest.mark.parametrize("linear", [True, False])
def test_projection_is_linear_or_not(linear: bool) -> None:
    block = inverted_residual(Shape(8, 48, 8, 1), linear, shortcut=True).eval()
    randomise(block)
    x = torch.randn(2, 8, 5, 5)
    added = block(x) - x
    assert bool((added < -1e-3).any()) is linear
    assert added.max() <= 6 or linear


def test_expansion_shortcut_adds_before_the_relu6() -> None:
    unit = expansion_unit(Shape(8, 48, 8, 1), Shape(8, 48, 16, 2), linear=True).eval()
    randomise(unit)
    wide = 6 * torch.rand(2, 48, 5, 5)
    expanded = unit.branch.get_submodule("expand")
    narrow = nn.Sequential(unit.branch.get_submodule("depthwise"), unit.branch.get_submodule("project"))(wide)
    assert narrow.shape[1] == 8
    torch.testing.assert_close(unit(wide), torch.clamp(expanded(narrow) + wide, 0, 6))


def weighted(model: nn.Module) -> list[nn.Module]:
    """The layers with parameters, in the order of the computation."""
    return [module for module in model.modules() if isinstance(module, (nn.Conv2d, nn.BatchNorm2d, nn.Linear))]


def test_placements_are_the_same_layers() -> None:
    """Without the shortcuts, the units that begin at the expanded maps compute the network of the blocks."""
    blocks, units = (create_model("mobilenet_v2", shortcut=kind, width=0.25).eval() for kind in ("none", "expansion"))
    randomise(blocks)
    for ours, theirs in zip(weighted(blocks), weighted(units), strict=True):
        theirs.load_state_dict(ours.state_dict())
    for unit in units.modules():
        if isinstance(unit, Residual):
            unit.shortcut = None
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(units(images), blocks(images))


def test_torchvision_weights_load() -> None:
    name = "mobilenet_v2"
    assert_same_network(create_model(name), torchvision.models.get_model(name), "torchvision", name)


@pytest.mark.parametrize("name", ["mobilenetv2_035", "mobilenetv2_140"])
def test_timm_weights_load(name: str) -> None:
    assert_same_network(create_model(name), timm.create_model(name), "timm", name)


@pytest.mark.parametrize("shortcut", ["bottleneck", "expansion"])
@pytest.mark.parametrize(("stem", "min_size"), [("imagenet", 32), ("small", 8)])
def test_smallest_size(shortcut: str, stem: str, min_size: int) -> None:
    options = {"width": 0.25, "scale_last": True, "expansion": 2}
    assert_smallest_size("mobilenet_v2", min_size, shortcut=shortcut, stem=stem, **options)


@pytest.mark.parametrize(("scale_last", "maps"), [(False, 1280), (True, 640)])
def test_the_last_convolution_keeps_its_width_unless_asked(scale_last: bool, maps: int) -> None:
    head = create_model("mobilenet_v2", width=0.5, scale_last=scale_last).get_submodule("final.conv")
    assert isinstance(head, nn.Conv2d)
    assert head.out_channels == maps


def test_an_expansion_of_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="expansion is at least 2"):
        create_model("mobilenet_v2", shortcut="expansion", expansion=1)
