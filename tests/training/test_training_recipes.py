"""Schedules, warm-ups, initialisers and groups of parameters: what a recipe says of a training's steps."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from replicate.data.epochs import Plan
from replicate.experiments.recipe import resolve_recipe
from replicate.training.init import INITIALISERS
from replicate.training.optimizers import parameter_groups
from replicate.training.ranking import ranks
from tests.helpers.networks import NoisyNet
from tests.helpers.quick_training import noisy_net, recipe

assert noisy_net  # the networks of these runs, a fixture for every test here


def test_step_schedule_divides_at_the_milestones() -> None:
    steps = recipe(schedule={"kind": "step", "milestones": [3, 6]})
    rates = [steps.learning_rate(step, 4) for step in (0, 11, 12, 23, 24, 39)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


def test_cosine_and_linear_end_near_zero() -> None:
    for kind in ("cosine", "linear"):
        falling = recipe(schedule={"kind": kind})
        rates = [falling.learning_rate(step, 4) for step in range(40)]
        assert rates[0] == pytest.approx(0.1)
        assert rates == sorted(rates, reverse=True)
        assert rates[-1] < 0.003
    assert recipe(schedule={"kind": "cosine"}).learning_rate(20, 4) == pytest.approx(0.05)


def test_exponential_falls_as_a_staircase() -> None:
    stairs = recipe(schedule={"kind": "exponential", "gamma": 0.94, "every": 2})
    assert stairs.learning_rate(7, 4) == 0.1
    assert stairs.learning_rate(8, 4) == pytest.approx(0.094)


def test_warm_ups() -> None:
    constant = recipe(warmup={"kind": "constant", "lr": 0.01, "length": 400, "unit": "iterations"})
    assert [constant.learning_rate(step, 100) for step in (0, 399, 400)] == [0.01, 0.01, 0.1]
    linear = recipe(warmup={"kind": "linear", "length": 1, "unit": "epochs"})
    assert [linear.learning_rate(step, 4) for step in (0, 1, 3)] == pytest.approx([0.025, 0.05, 0.1])


def test_warm_up_waits_for_the_training_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from replicate.training.module import Classification

    module = Classification(
        NoisyNet(10, 1), recipe(warmup={"kind": "constant", "lr": 0.01, "until_train_error": 80}), 0, Plan(1000, 10)
    )
    assert module.learning_rate(50) == 0.01
    module.sums.copy_(torch.tensor([0.0, 85, 100]))
    module.on_train_batch_end(None, (torch.empty(0), torch.empty(0)), 19)
    assert module.learning_rate(50) == 0.01
    module.sums.copy_(torch.tensor([0.0, 75, 100]))
    module.on_train_batch_end(None, (torch.empty(0), torch.empty(0)), 39)
    assert module.learning_rate(50) == 0.1


def test_iterations_win_over_epochs() -> None:
    assert recipe(iterations=64000, epochs=164).total_steps(391) == 64000
    assert recipe(epochs=1.5).total_steps(100) == 150


def test_a_published_recipe_takes_its_numbers_from_the_paper() -> None:
    from replicate.papers import load_paper

    stated, ours = load_paper("resnext").recipes["imagenet"], resolve_recipe("xie2017_imagenet", {})
    for field in ("lr", "momentum", "nesterov", "weight_decay", "batch_size", "epochs"):
        assert getattr(ours, field) == getattr(stated, field)


def test_decay_can_spare_biases_and_normalisation() -> None:
    net = NoisyNet(10, 1)
    decayed, spared = parameter_groups(net, recipe(weight_decay=1e-4, decay="weights"))
    assert {p.dim() for p in decayed["params"]} == {2, 4}
    assert {p.dim() for p in spared["params"]} == {1}
    assert (decayed["weight_decay"], spared["weight_decay"]) == (1e-4, 0.0)
    [all_of_them] = parameter_groups(net, recipe(weight_decay=1e-4))
    assert len(all_of_them["params"]) == len(list(net.parameters()))


def test_decay_can_spare_depthwise_filters() -> None:
    net = nn.Sequential(
        nn.Conv2d(4, 4, 3, groups=4), nn.BatchNorm2d(4), nn.Conv2d(4, 8, 1), nn.Conv2d(4, 8, 3, groups=2)
    )
    decayed, spared = parameter_groups(net, recipe(weight_decay=1e-4, decay="not_depthwise"))
    assert {id(p) for p in decayed["params"]} == {id(net[2].weight), id(net[3].weight)}
    assert id(net[0].weight) in {id(p) for p in spared["params"]}
    assert len(decayed["params"]) + len(spared["params"]) == len(list(net.parameters()))


@pytest.mark.parametrize("name", INITIALISERS)
def test_every_initialiser_sets_finite_weights(name: str) -> None:
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Conv2d(16, 32, 3), nn.ReLU(), nn.Conv2d(32, 32, 3), nn.Flatten(), nn.Linear(64, 8))
    INITIALISERS[name](layer)
    assert all(torch.isfinite(p).all() for p in layer.parameters())
    spread = {"he_fan_out": math.sqrt(2 / (9 * 32)), "he_normal": math.sqrt(2 / (9 * 16)), "gaussian_01": 0.1}
    spread["squeezenet"] = math.sqrt(2 / (9 * 48))
    if name in spread:
        assert layer[0].weight.std().item() == pytest.approx(spread[name], rel=0.05)
    if name == "squeezenet":
        assert layer[2].weight.std().item() == pytest.approx(0.01, rel=0.05)  # the last convolution


def test_top_5_is_a_guess_where_all_scores_are_equal_and_wrong_where_they_are_no_numbers() -> None:
    labels = torch.arange(10)
    assert ranks(torch.zeros(10, 10), labels).tolist() == list(range(10))
    assert ranks(torch.full((10, 10), math.nan), labels).tolist() == [10] * 10
    scores = torch.tensor([[0.1, 0.5, 0.4], [0.5, 0.5, 0.4]])
    assert ranks(scores, torch.tensor([2, 1])).tolist() == [1, 1]
