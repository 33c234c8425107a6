"""Szegedy et al. 2014: table 1 row by row, both modules, the auxiliary heads, and torchvision's graph."""

from importlib.resources import files

import pytest
import torch
import torch.nn.functional as F
import torchvision
import yaml
from torch import nn

from replicate.errors import UserError
from replicate.models import create_model
from replicate.models.counting import count, count_multiply_adds
from replicate.models.layers.auxiliary import AuxOutput
from replicate.models.weights import load_reference
from tests.helpers.inception import assert_smallest_size_with_heads, map_channels, map_sides
from tests.helpers.reference import assert_same_network, randomise
from tests.helpers.smallest import assert_smallest_size

EXACT = [
    ("googlenet", {}, 13_378_280),
    ("googlenet", {"auxiliary_heads": ()}, 6_998_552),
    ("googlenet", {"auxiliary_heads": (), "dense_grid": 7}, 6_998_552 + 7 * 7 * 1024 * 1024 + 1024),
    ("googlenet_torchvision", {}, 13_004_888),
    ("googlenet_torchvision", {"auxiliary_heads": ()}, 6_624_904),
]


def published(table: str) -> dict[str, dict[str, float]]:
    facts = yaml.safe_load(files("replicate.papers").joinpath("inception.yaml").read_text())
    return {row["variant"]: row["published"] for row in facts["tables"][table]["rows"]}


def weights(module: nn.Module) -> int:
    return sum(layer.weight.numel() for layer in module.modules() if isinstance(layer, (nn.Conv2d, nn.Linear)))


@pytest.mark.parametrize(("name", "options", "parameters"), EXACT, ids=str)
def test_parameters(name: str, options: dict[str, object], parameters: int) -> None:
    assert count(name, (3, 224, 224), **options).parameters == parameters


def test_weights_of_every_row_of_table_1() -> None:
    with torch.device("meta"):
        model = create_model("googlenet")
    rows = {name: weights(block) for name, block in model.blocks() if "pool" not in name}
    rows |= {"conv1": weights(model.stem.conv1), "conv2": weights(model.stem.conv2), "linear": weights(model.fc)}
    exact = {row: values["weights"] for row, values in published("googlenet_exact_weights").items()}
    assert rows == {row: exact[row] for row in rows}


def test_widths_and_operations_of_table_1() -> None:
    """The printed operations follow from the printed widths, except in 5a (an erratum of the paper)."""
    table = published("googlenet_architecture")
    with torch.device("meta"):
        model, maps = create_model("googlenet").eval(), torch.empty(1, 192, 28, 28)
        for name, block in model.blocks():
            if "pool" not in name and name != "5a":
                millions = count_multiply_adds(block, maps) / 1e6
                assert millions == pytest.approx(table[f"inception {name}"]["ops_m"], abs=1.0)
            maps = block(maps)
            if "pool" not in name:
                assert maps.shape[1] == table[f"inception {name}"]["out_channels"]


def test_reduced_module_is_figure_2b() -> None:
    module = create_model("googlenet", width=0.125, auxiliary_heads=()).stages.get_submodule("3.a")
    maps = torch.randn(1, 24, 6, 6)

    def unit(unit: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
        weight = unit.conv.weight
        return F.relu(F.conv2d(inputs, weight, unit.conv.bias, padding=weight.shape[-1] // 2))

    one, three, five, pool = module
    expected = [
        unit(one[0], maps),
        unit(three[1], unit(three[0], maps)),
        unit(five[1], unit(five[0], maps)),
        unit(pool[1], F.max_pool2d(maps, 3, 1, 1)),
    ]
    assert five[1].conv.kernel_size == (5, 5)
    torch.testing.assert_close(module(maps), torch.cat(expected, 1))


def test_naive_module_is_figure_2a() -> None:
    model = create_model("googlenet_naive", width=0.125, in_channels=1, auxiliary_heads=())
    module, maps = model.stages.get_submodule("3.a"), torch.randn(1, 24, 6, 6)
    assert torch.equal(module(maps)[:, -24:], F.max_pool2d(maps, 3, 1, 1))
    assert sum(isinstance(layer, nn.Conv2d) for layer in module.modules()) == 3
    # the pool passes everything on, so that the width can only grow: 192 + 64 + 128 + 32, + 128 + 192 + 96, ...
    assert map_channels(model)[:4] == [52, 104, 104, 160]


def test_local_response_norm_stands_after_the_first_pool_and_before_the_second() -> None:
    model = create_model("googlenet", width=0.125)
    assert [name for name, _ in model.stem.named_children()] == ["conv1", "pool1", "lrn1", "conv2", "lrn2", "pool2"]
    maps = torch.randn(1, 8, 1, 1) * 100
    near = [maps[:, max(0, i - 2) : i + 3].square().sum(1, keepdim=True) for i in range(8)]
    expected = maps / (1 + 1e-4 / 5 * torch.cat(near, 1)) ** 0.75
    torch.testing.assert_close(model.stem.lrn1(maps), expected)


def test_torchvision_weights_load() -> None:
    reference = torchvision.models.googlenet(init_weights=False)
    assert_same_network(create_model("googlenet_torchvision"), reference, "torchvision", "googlenet")


def test_torchvision_auxiliary_heads_agree() -> None:
    ours, reference = create_model("googlenet_torchvision"), torchvision.models.googlenet(init_weights=False)
    randomise(reference)
    load_reference(ours, "torchvision", "googlenet", reference.state_dict())
    for name, head, channels in (("4a", reference.aux1, 512), ("4d", reference.aux2, 528)):
        maps = torch.randn(2, channels, 9, 9)
        torch.testing.assert_close(ours.heads[name].eval()(maps), head.eval()(maps))


def test_auxiliary_losses_reach_only_what_lies_below() -> None:
    model = create_model("googlenet", width=0.125, num_classes=3, in_channels=1, stem="small").train()
    output = model(torch.randn(2, 1, 16, 16))
    assert isinstance(output, AuxOutput)
    assert model.auxiliary_weight == 0.3
    output.auxiliary[0].sum().backward()
    reached = {name for name, block in model.blocks() if any(p.grad is not None for p in block.parameters())}
    assert reached == {"3a", "3b", "4a"}
    assert model.fc.weight.grad is None
    assert isinstance(model.eval()(torch.randn(1, 1, 16, 16)), torch.Tensor)


def test_head_pools_5x5_with_stride_3_at_the_papers_size() -> None:
    maps = torch.randn(1, 4, 14, 14)
    pool = create_model("googlenet", width=0.125).heads["4a"].pool
    torch.testing.assert_close(pool(maps), F.avg_pool2d(maps, 5, 3))


def test_one_head_alone() -> None:
    model = create_model("googlenet", width=0.125, stem="small", in_channels=1, auxiliary_heads=("4d",)).train()
    assert len(model(torch.randn(2, 1, 16, 16)).auxiliary) == 1
    with pytest.raises(UserError, match="auxiliary_heads are among 4a, 4d"):
        create_model("googlenet", auxiliary_heads=("5b",))


def test_map_sides() -> None:
    assert map_sides(create_model("googlenet", width=0.125), 224) == [28, 28, 14, 7]
    small = create_model("googlenet", width=0.125, stem="small", in_channels=1)
    assert (map_sides(small, 28), map_sides(small, 16)) == ([28, 28, 14, 7], [16, 16, 8, 4])


@pytest.mark.parametrize(("stem", "with_heads", "without"), [("imagenet", 80, 32), ("small", 10, 4)])
def test_smallest_size(stem: str, with_heads: int, without: int) -> None:
    assert_smallest_size_with_heads("googlenet", with_heads, heads=2, stem=stem, width=0.125)
    assert_smallest_size("googlenet", without, stem=stem, width=0.125, auxiliary_heads=())
