"""Study `reuse` on a DenseNet whose weights are set by hand."""

import pytest
import torch

from replicate.errors import UserError
from replicate.models import create_model
from replicate.studies.reuse import after_transitions, blocks_of, first_convolution, relative, reused, weights_by_source


def test_weights_are_split_by_their_source() -> None:
    network = create_model("densenet_cifar", depth=13, growth_rate=4, in_channels=1)
    block = blocks_of(network)[0]
    with torch.no_grad():
        weight = first_convolution(block[2]).weight  # 16 maps of the stem, 4 and 4 of two layers
        weight.fill_(-1.0)
        weight[:, 16:20] = 2.0
        weight[:, 20:] = 3.0
    found = weights_by_source(block)
    assert [len(layer) for layer in found] == [1, 2, 3]
    assert found[2].tolist() == pytest.approx([1, 2, 3])
    assert relative(found)[2].tolist() == pytest.approx([0.5, 1, 1.5])


@pytest.mark.parametrize("options", [{}, {"bottleneck": True, "depth": 16, "compression": 0.5}])
def test_each_layer_averages_one(options: dict[str, object]) -> None:
    network = create_model("densenet_cifar", **{"depth": 13, "growth_rate": 4, "in_channels": 1, **options})
    for block in blocks_of(network):
        for layer in relative(weights_by_source(block)):
            assert float(layer.mean()) == pytest.approx(1)


def test_the_last_layer_of_each_block_is_summed_up() -> None:
    one = [torch.tensor([1.0]), torch.tensor([0.5, 1.5]), torch.tensor([0.6, 1.0, 1.4])]
    two = [torch.tensor([1.0]), torch.tensor([0.9, 1.1]), torch.tensor([0.2, 1.0, 1.8])]
    found = {(m.metric, m.index): m.value for m in reused([one, two])}
    assert found["reuse_of_input", None] == pytest.approx(0.4)
    assert found["reuse_of_nearest", None] == pytest.approx(1.6)
    assert found["reuse", 1] == pytest.approx((1.5 + 1.1 + 1.4 + 1.8) / 4)
    assert found["reuse", 3] == pytest.approx(0.4)


def test_transitions_are_set_against_the_layers_behind_them() -> None:
    first = [torch.tensor([9.0]), torch.tensor([9.0, 9.0])]
    second = [torch.tensor([9.0]), torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0, 6.0])]
    third = [torch.tensor([9.0]), torch.tensor([2.0, 6.0])]
    found = {m.metric: m.value for m in after_transitions([first, second, third])}
    assert found == {"weight_of_transition": pytest.approx((1 + 3 + 2) / 3), "weight_of_layers": pytest.approx(13 / 3)}
    assert not list(after_transitions([first]))


def test_other_networks_are_refused() -> None:
    for name, options in (("small_cnn", {}), ("densenet_cifar", {"depth": 7})):
        with pytest.raises(UserError, match="no dense blocks of 2 layers"):
            blocks_of(create_model(name, **options))
