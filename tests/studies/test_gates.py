"""Study `gates` on networks whose gates are set by hand."""

import pytest
import torch
from torch import Tensor, nn

from replicate.errors import UserError
from replicate.models import create_model
from replicate.studies.gates import ClassMeans, error_without, gates_of, saturation, spread, spreads, ungated

CLASSES = 3


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    network = create_model("se_resnet_cifar", depth=8, width=0.5, in_channels=1, num_classes=CLASSES, reduction=2)
    return network.eval()


@pytest.fixture
def batches() -> list[tuple[Tensor, Tensor]]:
    """Two batches of unequal size and unequal shares of the classes."""
    torch.manual_seed(1)
    return [(torch.randn(n, 1, 8, 8), torch.arange(n) % CLASSES) for n in (7, 5)]


def test_gates_stand_in_their_stages(network: nn.Module) -> None:
    gates = gates_of(network)
    assert [gate.stage for gate in gates] == [1, 2, 3]
    assert all(gate.slot.module is gate.module for gate in gates)
    with pytest.raises(UserError, match="two stages"):
        gates_of(create_model("small_cnn"))


@torch.no_grad()
def test_class_means_are_those_of_each_class(network: nn.Module, batches: list[tuple[Tensor, Tensor]]) -> None:
    gates = gates_of(network)
    means = ClassMeans(gates, CLASSES).collect(network, batches)
    seen: list[Tensor] = []
    hook = gates[1].module.register_forward_hook(lambda module, inputs, _: seen.append(module.gate(inputs[0])))
    for images, _ in batches:
        network(images)
    hook.remove()
    labels = torch.cat([labels for _, labels in batches])
    expected = torch.stack([torch.cat(seen)[labels == label].flatten(1).mean(0) for label in range(CLASSES)])
    torch.testing.assert_close(means[1].float(), expected)
    assert not gates[0].module._forward_hooks


@torch.no_grad()
def test_gates_near_one_are_counted_over_images_and_channels(
    network: nn.Module, batches: list[tuple[Tensor, Tensor]]
) -> None:
    gates = gates_of(network)
    for gate, bias in zip(gates, (3.0, 0.0, -3.0), strict=True):  # sigmoids of 0.95, 0.5 and 0.05
        gate.module.fc2.weight.zero_()
        gate.module.fc2.bias.fill_(bias)
    gates[1].module.fc2.bias[:4] = 3.0
    watched = ClassMeans(gates, CLASSES)
    watched.collect(network, batches)
    share = 100 * 4 / len(gates[1].module.fc2.bias)
    assert watched.saturated() == pytest.approx([100, share, 0])
    found = {(m.metric, m.index): m.value for m in saturation(watched.saturated())}
    assert found["gates_near_one", 1] == pytest.approx(100)
    assert found["gates_near_one_last_but_one", None] == pytest.approx(share)


def test_class_means_keep_no_graph(network: nn.Module, batches: list[tuple[Tensor, Tensor]]) -> None:
    """It would hold the maps of every batch."""
    means = ClassMeans(gates_of(network), CLASSES).collect(network, batches)
    assert not any(part.requires_grad for part in means)


def test_spread_is_over_classes_and_not_over_channels() -> None:
    alike = torch.tensor([[0.1, 0.9], [0.1, 0.9], [0.1, 0.9]])
    apart = torch.tensor([[0.0, 0.5], [1.0, 0.5], [0.5, 0.5]])
    assert spread(alike) == pytest.approx(0)
    assert spread(apart) == pytest.approx(0.25)


@torch.no_grad()
def test_a_gate_that_says_the_same_of_all_images_is_worth_nothing(
    network: nn.Module, batches: list[tuple[Tensor, Tensor]]
) -> None:
    gates = gates_of(network)
    gates[2].module.fc2.weight.zero_()
    means = ClassMeans(gates, CLASSES).collect(network, batches)
    found = {m.metric: m.value for m in spreads(gates, means) if m.index is None}
    assert found["gate_spread_last"] == pytest.approx(0, abs=1e-7)
    assert (found["gate_spread_first"] or 0) > 1e-6
    whole = torch.cat([network(images) for images, _ in batches])
    before = [gate.slot.module for gate in gates]
    assert error_without(network, gates, means, batches, stage=3) == pytest.approx(
        100 * float((whole.argmax(1) != torch.cat([labels for _, labels in batches])).float().mean())
    )
    assert [gate.slot.module for gate in gates] == before


@torch.no_grad()
def test_every_stage_has_an_error_of_its_own(network: nn.Module, batches: list[tuple[Tensor, Tensor]]) -> None:
    gates = gates_of(network)
    means = ClassMeans(gates, CLASSES).collect(network, batches)
    found = list(ungated(network, gates, means, batches))
    assert [(m.metric, m.index) for m in found] == [
        *(("ungated_error", stage) for stage in (1, 2, 3)), ("ungated_error_first", None), ("ungated_error_last", None),
    ]  # fmt: skip
