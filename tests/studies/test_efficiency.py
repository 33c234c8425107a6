"""Study `efficiency`: what is kept for the backward pass by arithmetic, and that time grows with the work."""

import pytest
import torch
from torch import nn

from replicate.errors import UserError
from replicate.experiments.run_config import RunConfig
from replicate.models import create_model
from replicate.studies.efficiency import check, kept, milliseconds


class TwoLayers(nn.Sequential):
    """A matrix, a sigmoid and a matrix: autograd keeps the input, the sigmoid's output, and what the loss needs."""

    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Linear(16, 32), nn.Sigmoid(), nn.Linear(32, 10))


def test_what_is_kept_is_what_the_backward_pass_reads() -> None:
    images, labels = torch.randn(64, 1, 4, 4), torch.arange(64) % 10
    network = TwoLayers().eval()
    loss = 64 * 10 * 4 + 64 * 8 + 4  # log softmax, labels, and the weight of the mean
    inputs, hidden = 64 * 16 * 4, 64 * 32 * 4
    assert kept(network, (images, labels)) == pytest.approx(inputs + hidden + loss, abs=8)
    assert not network.training


def test_a_network_of_more_work_takes_longer() -> None:
    batch = torch.randn(64, 1, 16, 16), torch.arange(64) % 10
    small, large = (create_model("small_cnn", widths=(w, w, w), depth=3).eval() for w in (4, 64))
    assert milliseconds(large, batch) > 2 * milliseconds(small, batch) > 0


def test_there_is_nothing_to_choose() -> None:
    with pytest.raises(UserError, match="unknown setting 'batch'"):
        check(RunConfig(study="efficiency", options={"batch": 2}))
