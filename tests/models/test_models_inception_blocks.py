"""The data that the Inception figures are written in: what is built does what the rules say of it."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from replicate.models.layers.blocks import Residual
from replicate.models.layers.inception_blocks import (
    Conv,
    Fork,
    Pool,
    Units,
    full_size,
    make_pool,
    out_channels,
    smallest_side,
)

kernels = st.sampled_from([1, 3, 5, (1, 7), (3, 1)])
convs = st.builds(Conv, st.integers(1, 4), kernels, st.integers(1, 2), st.booleans())
paddings = st.sampled_from(["same", "valid", "ceil"])
pools = st.builds(Pool, st.sampled_from(["max", "avg"]), st.integers(1, 2), paddings, st.just(3), st.booleans())
keeping = st.builds(Conv, st.integers(1, 4), kernels, st.just(1), st.just(False))
forks = st.lists(st.lists(keeping, min_size=1, max_size=2), min_size=1, max_size=3).map(lambda rows: Fork(*rows))
chains = st.lists(st.one_of(convs, pools, forks), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None)
@given(chains, st.integers(1, 3), st.booleans())
def test_channels_and_smallest_side_are_those_of_the_built_chain(steps: list, side: int, batch_norm: bool) -> None:
    chain = Units(batch_norm=batch_norm).chain(2, steps).eval()
    needed = smallest_side(chain, side)
    with torch.no_grad():
        maps = chain(torch.zeros(1, 2, needed, needed))
    assert maps.shape[1] == out_channels(chain, 2)
    assert min(maps.shape[2:]) >= side


@pytest.mark.parametrize(
    ("layer", "side"),
    [
        (nn.Conv2d(1, 1, 3, 2), 3),  # valid: the window itself
        (nn.Conv2d(1, 1, 3, 2, padding=1), 2),  # padding could live on one pixel, but two go in for each that comes out
        (nn.MaxPool2d(3, 2, ceil_mode=True), 2),
        (nn.AvgPool2d(5, 3), 5),
        (nn.AdaptiveAvgPool2d(4), 1),
        (nn.Conv2d(1, 1, (1, 7), padding=(0, 3)), 1),
        (Residual(nn.Sequential(nn.Conv2d(1, 1, 3)), nn.Identity()), 3),
    ],
)
def test_smallest_side_of_one_layer(layer: nn.Module, side: int) -> None:
    assert smallest_side(layer) == side


def test_fork_concatenates_its_branches_in_order() -> None:
    fork = Units(batch_norm=False).build(2, Fork([Conv(3)], [Conv(1), Conv(2, (1, 3))], [Pool("max")]))
    maps = torch.randn(2, 2, 5, 5)
    one, thin, row = (unit.conv for unit in (fork[0][0], fork[1][0], fork[1][1]))
    three = F.relu(F.conv2d(F.relu(F.conv2d(maps, thin.weight, thin.bias)), row.weight, row.bias, padding=(0, 1)))
    pooled = F.max_pool2d(maps, 3, 1, 1)
    expected = torch.cat([F.relu(F.conv2d(maps, one.weight, one.bias)), three, pooled], 1)
    torch.testing.assert_close(fork(maps), expected)


def test_average_pool_counts_padding_only_where_told() -> None:
    ones = torch.ones(1, 1, 4, 4)
    assert make_pool(Pool("avg"))(ones)[0, 0, 0, 0] == 1
    assert make_pool(Pool("avg", count_padding=True))(ones)[0, 0, 0, 0] == pytest.approx(4 / 9)


def test_units_order_bias_and_width() -> None:
    unit = Units(width=0.5, bias=True, activation_first=True, activation="sigmoid").conv(3, Conv(8, 3, 2, valid=True))
    assert [name for name, _ in unit.named_children()] == ["conv", "act", "bn"]
    assert (unit.conv.out_channels, unit.conv.bias is not None) == (4, True)
    assert unit(torch.randn(2, 3, 7, 7)).shape == (2, 4, 3, 3)
    assert Units().conv(3, Conv(8)).conv.bias is None
    assert Units(batch_norm=False).conv(3, Conv(8)).conv.bias is not None


def test_full_size_keeps_every_pixel() -> None:
    steps = [Conv(4, 3, 2, valid=True), Pool("max", 2, "valid"), Fork([Conv(2, 3, 2, valid=True)], [Pool("max", 2)])]
    chain = Units().chain(1, full_size(steps))
    assert chain(torch.zeros(2, 1, 6, 6)).shape == (2, 6, 6, 6)
    assert len(chain) == 2  # the pool in the row is gone, the one in the fork stays as a branch
