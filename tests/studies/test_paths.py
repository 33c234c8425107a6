"""The path studies against the unravelled view of Veit et al. 2016, written out, and against whole forward passes."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats
from torch import Tensor, nn

from replicate.errors import UserError
from replicate.models import create_model
from replicate.models.layers.blocks import Residual
from replicate.studies import gradient_paths as paths
from replicate.studies import lesion
from replicate.studies.surgery import (
    Slot,
    deletion,
    parts,
    replaced,
    residual_parts,
    single_deletions,
    single_deletions_in_full,
)


class Three(nn.Module):
    """Three residual blocks of one 3x3 convolution each, with a ReLU inside unless `linear`."""

    def __init__(self, linear: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Identity()
        self.stages = nn.Sequential(nn.Sequential(*(Residual(branch(linear), nn.Identity()) for _ in range(3))))

    def forward(self, images: Tensor) -> Tensor:
        return torch.sum(self.stages(self.stem(images)), dim=(2, 3))


def branch(linear: bool) -> nn.Module:
    layer = nn.Conv2d(3, 3, 3, padding=1, bias=not linear)
    return layer if linear else nn.Sequential(layer, nn.ReLU())


def functions(network: nn.Module) -> list[nn.Module]:
    """f_1, f_2, f_3."""
    return [part.slot.module for part in residual_parts(network)]


def images_and_labels(channels: int = 3, size: int = 8, count: int = 4) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    return torch.randn(count, channels, size, size, generator=draw), torch.arange(count) % 3


def close(found: Tensor, expected: Tensor) -> bool:
    return torch.allclose(found, expected, rtol=0, atol=1e-6 * float(expected.detach().abs().max().clamp(min=1)))


@pytest.mark.parametrize("taken", [(0,), (1,), (2,), (0, 2), (0, 1, 2)])
def test_deletion_is_the_written_out_expression(taken: tuple[int, ...]) -> None:
    network, (images, _) = Three(linear=False), images_and_labels()
    y = images
    for place, f in enumerate(functions(network)):
        y = y if place in taken else y + f(y)
    with replaced(deletion([residual_parts(network)[place] for place in taken])):
        assert close(network(images), y.sum((2, 3)))


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 0, 1), (2, 1, 0)])
def test_reordering_is_the_written_out_expression(order: tuple[int, ...]) -> None:
    network, (images, _) = Three(linear=False), images_and_labels()
    f, y = functions(network), images
    for source in order:
        y = y + f[source](y)
    with replaced(lesion.reordering(residual_parts(network), order)):
        assert close(network(images), y.sum((2, 3)))


@pytest.mark.parametrize("chosen", [(), (1,), (0, 2), (0, 1, 2)])
def test_path_gradient_is_the_written_out_expression(chosen: tuple[int, ...]) -> None:
    """y = x.detach() + f(x) for the blocks of the path, y = x + f(x).detach() for the others."""
    network, (images, labels) = Three(linear=False), images_and_labels()
    start = images.clone().requires_grad_()
    y = start
    for place, f in enumerate(functions(network)):
        y = y.detach() + f(y) if place in chosen else y + f(y).detach()
    loss = F.cross_entropy(y.sum((2, 3)), labels)
    expected = torch.autograd.grad(loss, start)[0] if y.requires_grad else torch.zeros_like(images)
    found = paths.path_gradient(network, residual_parts(network), chosen, images, labels)
    assert close(1e3 * found, 1e3 * expected)
    assert float(expected.abs().max()) > 0


def test_path_gradients_of_a_linear_network_add_up_to_its_gradient() -> None:
    network, (images, labels) = Three(linear=True), images_and_labels()
    blocks = residual_parts(network)
    subsets = [chosen for length in range(4) for chosen in combinations(range(3), length)]
    total = torch.stack([paths.path_gradient(network, blocks, s, images, labels) for s in subsets]).sum(0)
    start = images.clone().requires_grad_()
    full = torch.autograd.grad(F.cross_entropy(network(start), labels), start)[0]
    assert len(subsets) == 8
    assert torch.allclose(total, full, rtol=1e-5, atol=1e-6)


NETWORKS: dict[str, tuple[str, dict[str, Any], int]] = {
    "original": ("resnet_cifar", {"depth": 14}, 6),
    "pre-activation": ("preact_resnet_cifar", {"depth": 14}, 6),
    "stochastic depth": ("stochastic_depth_cifar", {"depth": 14}, 6),
    "bottleneck": ("resnet50", {}, 16),
    "vgg": ("vgg", {"config": "D", "batch_norm": True, "head": "pool", "stem": "small"}, 9),
}


def small(name: str) -> nn.Module:
    model, options, _ = NETWORKS[name]
    torch.manual_seed(2)
    network = create_model(model, width=0.25, num_classes=3, **options).eval()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):  # else every branch is near 0 and a deletion shows nothing
            nn.init.uniform_(layer.weight, 0.5, 2.0)
            nn.init.uniform_(layer.get_buffer("running_mean"), -0.5, 0.5)
    return network


@pytest.mark.parametrize("name", NETWORKS)
def test_deletions_that_reuse_activations_equal_full_passes(name: str) -> None:
    network, (images, _) = small(name), images_and_labels(size=32)
    chosen = parts(network)
    assert len(chosen) == NETWORKS[name][2]
    fast = list(single_deletions(network, chosen, images))
    slow = list(single_deletions_in_full(network, chosen, images))
    assert [part for part, _ in fast] == [part for part, _ in slow] == chosen
    with torch.no_grad():
        undamaged = network(images)
    for (_, logits), (_, expected) in zip(fast, slow, strict=True):
        assert close(logits, expected)
        assert not torch.allclose(logits, undamaged)


def test_reuse_runs_each_block_half_as_often() -> None:
    """Counted, not timed: 6 + 5 + ... of the blocks' passes instead of 6 times 5 of them."""
    network, (images, _) = small("original"), images_and_labels(size=8)
    passes = []
    for part in parts(network):
        part.slot.module.register_forward_hook(lambda *_: passes.append(1))
    list(single_deletions(network, parts(network), images))
    reused, passes[:] = len(passes), []
    list(single_deletions_in_full(network, parts(network), images))
    assert (reused, len(passes)) == (5 * 6 / 2 + 6, 5 * 6)


def test_downsampling_blocks_keep_their_shortcut_and_are_marked() -> None:
    blocks = residual_parts(small("original"))
    assert [part.number for part in blocks if part.transition] == [3, 5]
    assert [part.stage for part in blocks] == [1, 1, 2, 2, 3, 3]


def test_layers_of_a_plain_network_are_numbered_among_all_convolutions() -> None:
    assert [part.number for part in parts(small("vgg"))] == [2, 4, 6, 7, 9, 10, 11, 12, 13]


def test_network_is_whole_again_even_after_an_error() -> None:
    network, (images, _) = small("pre-activation"), images_and_labels(size=8)
    before = {name: id(module) for name, module in network.named_modules()}
    with pytest.raises(RuntimeError, match="broken"), replaced(deletion(residual_parts(network))):
        assert {name: id(module) for name, module in network.named_modules()} != before
        raise RuntimeError("broken")
    list(single_deletions(network, parts(network), images))
    assert {name: id(module) for name, module in network.named_modules()} == before
    assert list(network.state_dict()) == list(small("pre-activation").state_dict())


def test_forward_values_are_unchanged_on_every_path() -> None:
    network, (images, _) = small("pre-activation"), images_and_labels(size=8)
    blocks = residual_parts(network)
    with torch.no_grad(), replaced(paths.single_path(blocks, {0, 4})):
        changed = network(images)
    with torch.no_grad():
        assert torch.equal(changed, network(images))


def test_gradient_along_a_path_stays_off_the_other_branches() -> None:
    network, (images, labels) = small("original"), images_and_labels(size=8)
    blocks = residual_parts(network)
    with replaced(paths.single_path(blocks, {0, 3})):
        torch.autograd.backward(F.cross_entropy(network(images), labels))
    reached = [any(p.grad is not None for p in part.slot.owner.parameters()) for part in blocks]
    assert reached == [True, False, False, True, False, False]


@pytest.mark.parametrize("name", ["lenet5", "alexnet"])
def test_networks_that_are_no_chain_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="no chain of stages"):
        parts(create_model(name))


def test_a_plain_network_has_no_paths_to_choose_from() -> None:
    with pytest.raises(UserError, match="a single path"):
        residual_parts(small("vgg"))


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 2, 3], [2, 0, 3, 1, 5, 4], [0]])
def test_kendall_tau_is_scipys(order: list[int]) -> None:
    if len(order) > 1:
        assert lesion.kendall_tau(order) == pytest.approx(stats.kendalltau(range(len(order)), order).statistic)
    else:
        assert lesion.kendall_tau(order) == 1


def test_kendall_tau_of_random_orders_is_scipys() -> None:
    draw = np.random.default_rng(0)
    for order in (draw.permutation(27) for _ in range(20)):
        expected = stats.kendalltau(range(27), order).statistic
        assert lesion.kendall_tau(order.tolist()) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "fixed"),
    [("original", {2, 4}), ("pre-activation", {0, 2, 4})],  # the stem activates for the first pre-activation unit
)
def test_only_blocks_of_equal_layers_change_places(name: str, fixed: set[int]) -> None:
    torch.manual_seed(2)
    options = {**NETWORKS[name][1], "depth": 20}
    blocks = residual_parts(create_model(NETWORKS[name][0], **options))
    fixed = {3 * place // 2 for place in fixed}
    orders = [lesion.swapped_order(blocks, 20, torch.Generator().manual_seed(seed)) for seed in range(5)]
    moved = {place for order in orders for place, source in enumerate(order) if place != source}
    assert moved == set(range(9)) - fixed
    assert all(order[place] // 3 == place // 3 for order in orders for place in range(9))
    with torch.no_grad(), replaced(lesion.reordering(blocks, orders[0])):
        blocks[0].slot.owner(torch.zeros(1, 16, 8, 8))


def test_slot_holds_what_it_names() -> None:
    network = small("original")
    assert Slot(network, "fc").module is network.get_submodule("fc")
