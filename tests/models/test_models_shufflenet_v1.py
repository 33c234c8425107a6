"""Zhang et al. 2018: the printed counts, the shuffle, the units."""

import pytest
import torch
from torch import nn

from replicate.errors import UserError
from replicate.models import create_model
from replicate.models.counting import count
from replicate.models.shufflenet_v1 import ChannelShuffle, shuffle_unit
from tests.helpers.reference import randomise
from tests.helpers.smallest import assert_smallest_size

PARAMETERS = {
    "shufflenet_1x_g1": 1_531_936,
    "shufflenet_1x_g2": 1_733_848,
    "shufflenet_1x_g3": 1_865_728,
    "shufflenet_1x_g4": 1_968_344,
    "shufflenet_1x_g8": 2_434_768,
}
WITHOUT_FC_BIAS = {"shufflenet_2x_g3": 5_449_776, "shufflenet_1.5x_g3": 3_441_168, "shufflenet_0.5x_g3": 717_324}
MILLIONS_WITHOUT_FC = {1: 143, 2: 140, 3: 137, 4: 133, 8: 137}  # table 1
MILLIONS = {2.0: 524, 1.5: 292, 0.5: 38}  # tables 2 and 5
RELEASED = {(0.5, 8): 40, (1.0, 8): 138, (1.5, 8): 290, (2.0, 8): 522}  # millions, the authors' release


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_as_published(name: str) -> None:
    assert count(name, (3, 224, 224)).parameters == PARAMETERS[name]


@pytest.mark.parametrize("name", WITHOUT_FC_BIAS)
def test_scaled_networks_have_the_authors_parameters(name: str) -> None:
    assert count(name, (3, 224, 224)).parameters - 1000 == WITHOUT_FC_BIAS[name]


@pytest.mark.parametrize("groups", MILLIONS_WITHOUT_FC)
def test_table_1_leaves_the_classifier_out(groups: int) -> None:
    channels = {1: 576, 2: 800, 3: 960, 4: 1088, 8: 1536}[groups]
    measured = count(f"shufflenet_1x_g{groups}", (3, 224, 224)).multiply_adds
    assert round((measured - channels * 1000) / 1e6) == MILLIONS_WITHOUT_FC[groups]


@pytest.mark.parametrize("scale", MILLIONS)
def test_scale_factors_give_the_printed_cost(scale: float) -> None:
    assert round(count("shufflenet_v1", (3, 224, 224), width=scale).multiply_adds / 1e6) == MILLIONS[scale]


@pytest.mark.parametrize(("scale", "groups"), RELEASED)
def test_first_convolution_fits_the_groups(scale: float, groups: int) -> None:
    """0.5x with 8 groups needs 16 maps in the first convolution, and has the released 40 million with them."""
    measured = count("shufflenet_v1", (3, 224, 224), width=scale, groups=groups).multiply_adds
    assert round(measured / 1e6) == RELEASED[scale, groups]


@pytest.mark.parametrize("groups", [2, 4])
@pytest.mark.parametrize(("scale", "millions"), [(0.5, 38), (0.25, 13)])
def test_undivided_scales_stay_near_the_printed_cost(scale: float, millions: int, groups: int) -> None:
    measured = count("shufflenet_v1", (3, 224, 224), width=scale, groups=groups).multiply_adds
    assert measured / 1e6 == pytest.approx(millions, rel=0.05)


@pytest.mark.parametrize("groups", [2, 3, 4])
def test_shuffle_is_a_permutation_undone_by_the_other_factor(groups: int) -> None:
    x = torch.randn(2, 12, 3, 3)
    shuffled = ChannelShuffle(groups)(x)
    assert torch.equal(shuffled[:, 1], x[:, 12 // groups])  # the first channel of the second group comes second
    assert torch.equal(ChannelShuffle(12 // groups)(shuffled), x)
    assert torch.equal(shuffled, nn.ChannelShuffle(groups)(x))


@pytest.mark.parametrize(("shuffle", "reached"), [(True, 3), (False, 1)])
def test_each_group_sees_all_groups_only_through_the_shuffle(shuffle: bool, reached: int) -> None:
    unit = shuffle_unit(36, 36, 1, groups=3, shuffle=shuffle, stem_width=24).eval()
    x = torch.randn(1, 36, 3, 3, requires_grad=True)
    unit.get_submodule("branch")(x)[:, :12].sum().backward()  # the first group of the second 1x1
    assert x.grad is not None
    groups = x.grad.view(3, 12, -1).abs().amax(dim=(1, 2)) > 0
    assert int(groups.sum()) == reached


def test_unit_cost_is_the_papers_formula() -> None:
    """h w (2 c m / g + 9 m), section 3.2."""
    unit, side = shuffle_unit(48, 48, 1, groups=4, shuffle=True, stem_width=24), 5
    weights = sum(layer.weight.numel() for layer in unit.modules() if isinstance(layer, nn.Conv2d))
    assert weights * side**2 == side**2 * (2 * 48 * 12 // 4 + 9 * 12)


def test_unit_of_stride_2_concatenates_the_pooled_input() -> None:
    unit = shuffle_unit(24, 60, 2, groups=3, shuffle=True, stem_width=24).eval()
    randomise(unit)
    x = torch.rand(2, 24, 6, 6)
    out = unit(x)
    assert out.shape == (2, 60, 3, 3)
    torch.testing.assert_close(out[:, :24], nn.functional.avg_pool2d(x, 3, 2, padding=1))
    torch.testing.assert_close(out[:, 24:], torch.relu(unit.get_submodule("branch")(x)))


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 8])
@pytest.mark.parametrize(("stem", "min_size"), [("imagenet", 32), ("small", 8)])
def test_smallest_size(groups: int, stem: str, min_size: int) -> None:
    assert_smallest_size("shufflenet_v1", min_size, groups=groups, stem=stem, width=0.25)


@pytest.mark.parametrize(("options", "message"), [({"groups": 5}, "groups is one of"), ({"width": 0.05}, "width 0.05")])
def test_what_cannot_be_built_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        create_model("shufflenet_v1", **options)
