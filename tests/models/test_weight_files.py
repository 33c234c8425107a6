"""Files of weights as others save them, and networks as others use them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from replicate.errors import UserError
from replicate.models import create_model
from replicate.models.weights import misfit, read_state

STATE = {"conv.weight": torch.zeros(2, 1, 3, 3), "conv.bias": torch.ones(2)}


def prefixed(prefix: str) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in STATE.items()}


@pytest.mark.parametrize(
    "content",
    [
        STATE,
        {"state_dict": STATE, "epoch": 3},
        {"model": STATE, "optimizer": {"lr": 0.1}},
        {"state_dict": prefixed("module."), "best": 1.0},
        {"model": {"state_dict": prefixed("module._orig_mod.")}},
        prefixed("_orig_mod."),
        prefixed("model.") | {"model.total_ops": torch.zeros(1)},
    ],
)
def test_the_usual_wrappings_are_taken_off(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "file.pth")
    state = read_state(tmp_path / "file.pth")
    assert list(state) == list(STATE)
    assert all(torch.equal(state[name], STATE[name]) for name in STATE)


@pytest.mark.parametrize("content", [[STATE], torch.zeros(3), {}, {"epoch": 3}, {"a": torch.zeros(1), "b": "text"}])
def test_a_file_that_is_no_state_dict_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "file.pth")
    with pytest.raises(UserError, match=r"file\.pth is no state_dict of tensors alone"):
        read_state(tmp_path / "file.pth")


@pytest.mark.parametrize("share", [0, 0.1, 0.9])
def test_an_empty_or_cut_file_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "file.pth"
    torch.save(STATE, path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(UserError, match=r"file\.pth is no state_dict"):
        read_state(path)


def test_the_first_differing_entry_is_named() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    state = network.state_dict()
    assert misfit(network, state) == ""
    assert misfit(network, {k: v for k, v in state.items() if "num_batches" not in k}) == ""
    assert misfit(network, {**state, "fc.weight": torch.zeros(1)}) == "it has fc.weight, which the network lacks"
    assert misfit(network, {k: v for k, v in state.items() if k != "1.bias"}) == "it lacks 1.bias"
    wrong = {**state, "0.weight": torch.zeros(4, 1, 3, 3)}
    assert misfit(network, wrong) == "0.weight has the shape (4, 1, 3, 3), here (2, 1, 3, 3)"


@pytest.mark.parametrize(
    ("name", "options", "side"),
    [
        ("lenet5", {}, 32),
        ("resnet_cifar", {"depth": 8}, 16),
        ("resnext_cifar", {"depth": 11, "cardinality": 2, "base_width": 4}, 16),
        ("mobilenet_v1", {"width": 0.25}, 32),
    ],
)
def test_a_network_can_be_exported(name: str, options: dict[str, Any], side: int) -> None:
    network = create_model(name, num_classes=10, in_channels=1, **options).eval()
    images = torch.randn(2, 1, side, side)
    exported = torch.export.export(network, (images,)).module()
    with torch.no_grad():
        torch.testing.assert_close(exported(images), network(images))
