"""Huang et al. 2016: survival, skipped computation, the test network, and the time that is saved."""

from time import process_time
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from replicate.errors import UserError
from replicate.models import create_model
from replicate.models.counting import count, count_parameters
from replicate.models.stochastic_depth import survival_probabilities
from tests.helpers.reference import randomise

EXACT = {
    ("stochastic_depth_cifar", 110, 10): 1_727_962,
    ("stochastic_depth_cifar", 110, 100): 1_733_812,
    ("stochastic_depth_cifar", 152, 10): 2_408_474,
    ("stochastic_depth_cifar", 1202, 10): 19_421_274,
    ("stochastic_depth", 152, 1000): 60_192_808,
}


@pytest.mark.parametrize(("name", "depth", "num_classes"), EXACT)
def test_parameters(name: str, depth: int, num_classes: int) -> None:
    with torch.device("meta"):
        network = create_model(name, depth=depth, num_classes=num_classes)
    assert count_parameters(network) == EXACT[name, depth, num_classes]


def test_counting_on_the_meta_device() -> None:
    """All blocks are on in the test network, so stochastic depth costs what constant depth does."""
    stochastic, constant = (count(name, (3, 32, 32), depth=20) for name in ("stochastic_depth_cifar", "resnet_cifar"))
    assert (stochastic.parameters, stochastic.multiply_adds) == (constant.parameters, constant.multiply_adds)


@pytest.mark.parametrize(("blocks", "expected"), [(54, 40.25), (600, 449.75)])
def test_linear_decay_keeps_three_quarters(blocks: int, expected: float) -> None:
    """(3 L - 1) / 4 blocks; the first one survives with 1 - (1 - p_L) / L, the last with p_L."""
    survival = survival_probabilities(blocks, 0.5, "linear")
    assert sum(survival) == pytest.approx(expected) == (3 * blocks - 1) / 4
    assert survival[0] == pytest.approx(1 - 0.5 / blocks)
    assert survival[-1] == 0.5


def test_uniform_survival() -> None:
    assert survival_probabilities(4, 0.2, "uniform") == [0.2] * 4


def make(name: str = "stochastic_depth_cifar", **options: Any) -> Any:
    """A small network whose normalisation does not have the initial statistics."""
    torch.manual_seed(0)
    network = create_model(name, **{"depth": 14, "in_channels": 1, "num_classes": 3, **options})
    randomise(network)
    return network


def test_blocks_are_drawn_with_their_probabilities_from_the_cpu_generator() -> None:
    network = make(depth=110)
    torch.manual_seed(1)
    draws, survived = [], []
    for _ in range(2000):
        network.draw()
        survived.append([float(block.active) for block in network.blocks])
    torch.manual_seed(1)
    survival = torch.tensor(survival_probabilities(54, 0.5, "linear"))
    draws = [(torch.rand(54) < survival).float() for _ in range(2000)]
    assert torch.equal(torch.tensor(survived), torch.stack(draws))
    torch.testing.assert_close(torch.tensor(survived).mean(0), survival, atol=0.05, rtol=0)


def test_a_fixed_number_of_blocks_survives() -> None:
    """Veit et al. 2016, section 5: 23 of the 54 units of a pre-activation network, any of them."""
    network = make(depth=110, order="full_preact", shortcut="A", active_blocks=23)
    survived = torch.zeros(54)
    for _ in range(2000):
        network.draw()
        active = torch.tensor([float(block.active) for block in network.blocks])
        assert active.sum() == 23
        survived += active
    torch.testing.assert_close(survived / 2000, torch.full((54,), 23 / 54), atol=0.05, rtol=0)
    assert {block.survival_probability for block in network.blocks} == {23 / 54}
    assert isinstance(network.stages[0][1].branch[0], nn.BatchNorm2d)


@pytest.mark.parametrize("order", ["original", "full_preact"])
def test_a_dropped_block_runs_neither_forward_nor_backward(order: str) -> None:
    network = make(order=order).train()
    calls = dict.fromkeys(range(6), 0)
    for index, block in enumerate(network.blocks):
        block.branch.register_forward_hook(lambda *_, index=index: calls.update({index: calls[index] + 1}))
    statistics = [block.branch.bn2.running_mean.clone() for block in network.blocks]
    torch.manual_seed(4)
    network(torch.randn(2, 1, 8, 8)).square().sum().backward()
    survived = [block.active for block in network.blocks]
    assert 0 < sum(survived) < 6
    assert [bool(calls[index]) for index in range(6)] == survived
    for block, active, before in zip(network.blocks, survived, statistics, strict=True):
        assert all((parameter.grad is not None) == active for parameter in block.branch.parameters())
        assert torch.equal(block.branch.bn2.running_mean, before) != active


def test_training_signal_is_not_rescaled() -> None:
    """Equation 2: relu(F + h) with the branch, h without; the width-changing shortcut averages and pads."""
    network = make().train()
    block, x = network.stages[1][0], torch.rand(2, 16, 6, 6)
    h = F.pad(F.avg_pool2d(x, 2), (0, 0, 0, 0, 0, 16))
    torch.testing.assert_close(block(x), F.relu(block.branch(x) + h))
    block.active = False
    torch.testing.assert_close(block(x), h)
    plain = network.stages[0][1]
    plain.active = False
    assert torch.equal(plain(x), x)


@pytest.mark.parametrize("order", ["original", "full_preact"])
def test_test_network_scales_the_branch(order: str) -> None:
    """Equation 5: relu(p F + h), whatever the last mini-batch drew."""
    network = make(order=order, survival_probability=0.3).eval()
    block, x = network.blocks[-1], torch.rand(2, 64, 4, 4)
    block.active = False
    total = 0.3 * block.branch(x) + x
    torch.testing.assert_close(block(x), F.relu(total) if order == "original" else total)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_certain_survival_is_constant_depth_bit_for_bit(training: bool) -> None:
    ours, constant = make(survival_probability=1.0, shortcut="A").train(training), make("resnet_cifar").train(training)
    ours.load_state_dict(constant.state_dict())
    images = torch.randn(2, 1, 8, 8)
    assert torch.equal(ours(images), constant(images))


def test_imagenet_network_takes_torchvisions_weights() -> None:
    with torch.device("meta"):
        ours, older = create_model("stochastic_depth"), create_model("resnet152")
    shapes = [{name: value.shape for name, value in model.state_dict().items()} for model in (ours, older)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(
    ("name", "options", "smallest"),
    [
        ("stochastic_depth_cifar", {}, 4),
        ("stochastic_depth_cifar", {"order": "full_preact", "active_blocks": 0}, 4),
        ("stochastic_depth", {"depth": 18, "width": 0.125}, 32),
        ("stochastic_depth", {"depth": 50, "width": 0.125, "stem": "small", "decay": "uniform"}, 8),
    ],
    ids=str,
)
@pytest.mark.parametrize("extra", [0, 3])
def test_smallest_and_odd_input_trains(name: str, options: dict[str, Any], smallest: int, extra: int) -> None:
    network = make(name, **options)
    images = torch.randn(2, 1, smallest + extra, smallest + extra)
    assert network.eval()(images).shape == (2, 3)
    for _ in range(4):
        network.train()(images).square().sum().backward()
    with pytest.raises(UserError, match=f"the smallest size that works is {smallest}"):
        network(images[..., extra + 1 :])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"survival_probability": 1.5}, "between 0 and 1, not 1.5"),
        ({"active_blocks": 55}, "between 0 and the 54 blocks"),
    ],
    ids=str,
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        create_model("stochastic_depth_cifar", **options)


def step_seconds(network: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> float:
    start = process_time()  # in one thread: other processes on the machine do not count
    optimizer.zero_grad()
    F.cross_entropy(network(images), labels).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return process_time() - start


def test_a_step_costs_at_most_four_fifths_of_constant_depth() -> None:
    """ResNet-110, linear survival 0.5, interleaved with constant depth; the paper's times are 0.73 to 0.76."""
    images, labels = torch.randn(32, 1, 16, 16), torch.randint(10, (32,))
    pairs: list[tuple[nn.Module, torch.optim.Optimizer]] = []
    for survival in (0.5, 1.0):
        network = make(depth=110, survival_probability=survival, num_classes=10).train()
        pairs.append((network, torch.optim.SGD(network.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)))
    torch.manual_seed(0)
    for network, optimizer in pairs:
        step_seconds(network, optimizer, images, labels)
    steps = [[step_seconds(*pair, images, labels) for pair in pairs] for _ in range(20)]
    stochastic, constant = (sum(seconds) for seconds in zip(*steps, strict=True))
    assert stochastic / constant <= 0.80
