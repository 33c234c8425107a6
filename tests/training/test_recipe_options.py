"""What some papers add to plain training: averaged weights, faster biases, slow statistics, balanced classes."""

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from replicate.data.sampling import epoch_order, times_before
from replicate.experiments.run_config import Run, TrainingConfig
from replicate.runs.store import CHECKPOINT
from replicate.training import checkpoint
from replicate.training.averaging import weight_average
from replicate.training.fit import Trained, fit
from tests.helpers.quick_training import noisy_net, quick_run, task

__all__ = ["noisy_net"]
SIZES = (7, 2, 4)  # images of each class


def with_recipe(run: Run, **fields: Any) -> Run[TrainingConfig]:
    """The run with fields of its recipe that the command line does not have."""
    config = run.config
    assert isinstance(config, TrainingConfig)
    config = config.model_copy(update={"recipe": config.recipe.model_copy(update=fields)})
    return Run[TrainingConfig].model_validate({**run.model_dump(exclude={"config"}), "config": config})


def trained(root: Path, *words: str, **fields: Any) -> Trained:
    return fit(task(with_recipe(quick_run(*words), **fields), root))


def test_the_average_follows_tensorflows_formula() -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    average, wanted = weight_average(net, 0.3), {}
    for step in range(5):
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(torch.randn_like(parameter))
        net(torch.randn(4, 3))
        average.update_parameters(net)
        kept = min(0.3, (1 + step) / (10 + step)) if step else 0.0
        now = {name: value.double() for name, value in net.state_dict().items()}
        wanted = {name: kept * wanted.get(name, value) + (1 - kept) * value for name, value in now.items()}
        wanted["1.num_batches_tracked"] = now["1.num_batches_tracked"]
    found = {name: value.double() for name, value in average.module.state_dict().items()}
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


def test_the_averaged_network_is_tested_and_kept(tmp_path: Path) -> None:
    run = with_recipe(quick_run("data.validation=32"), ema=0.9)
    found = fit(task(run, tmp_path))
    saved = torch.load(io.BytesIO(checkpoint.unseal(tmp_path / run.id / CHECKPOINT)))["state_dict"]
    kept = torch.load(io.BytesIO(checkpoint.unseal(tmp_path / run.id / checkpoint.WEIGHTS)))
    assert all(torch.equal(value, saved[f"average.module.{name}"]) for name, value in kept.items())
    assert all(torch.equal(value, found.network.state_dict()[name]) for name, value in kept.items())
    assert not torch.equal(kept["net.0.weight"], saved["network.net.0.weight"])
    plain = trained(tmp_path / "plain", "data.validation=32")
    for name in ("test_loss", "validation_loss"):
        losses = [[m.value for m in one.measurements if m.metric == name] for one in (found, plain)]
        assert losses[0] != losses[1], name
    for name in ("train_loss", "train_error"):  # training itself is untouched
        curves = [[m.value for m in one.measurements if m.metric == name] for one in (found, plain)]
        assert curves[0] == curves[1], name


def test_biases_can_learn_faster(tmp_path: Path) -> None:
    """In the first step, from biases of 0, twice the rate is twice the way."""
    one_step = ("model.name=smoothnet", "data.train_images=30", "recipe.batch_size=30", "recipe.epochs=1")
    plain, fast = (trained(tmp_path / str(rate), *one_step, bias_rate=rate) for rate in (None, 2.0))
    ours, theirs = fast.network.state_dict(), plain.network.state_dict()
    assert torch.equal(ours["0.weight"], theirs["0.weight"])
    assert theirs["0.bias"].abs().max() > 0
    torch.testing.assert_close(ours["0.bias"], 2 * theirs["0.bias"])


@pytest.mark.parametrize(("given", "share"), [(None, 0.1), (0.003, 0.003)])
def test_running_statistics_take_the_share_asked_for(tmp_path: Path, given: float | None, share: float) -> None:
    network = trained(tmp_path, "recipe.epochs=1", bn_momentum=given).network
    [layer] = (layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d))
    assert layer.momentum == share


def labels() -> Tensor:
    return torch.cat([torch.full((size,), label) for label, size in enumerate(SIZES)])


def test_balanced_rounds_have_every_class_once() -> None:
    order = epoch_order(labels(), seed=3, epoch=1, sampling="balanced")
    assert len(order) == len(labels())
    drawn = labels()[order]
    for start in range(0, len(drawn) - 2, 3):
        assert sorted(drawn[start : start + 3].tolist()) == [0, 1, 2]
    assert len({tuple(drawn[start : start + 3].tolist()) for start in range(0, 12, 3)}) > 1


def test_a_balanced_class_shows_all_its_images_before_one_comes_again() -> None:
    order = epoch_order(labels().repeat(5), seed=0, epoch=0, sampling="balanced")
    for label, size in enumerate(SIZES):
        images = [place for place in order.tolist() if labels().repeat(5)[place] == label]
        first = images[: 5 * size]
        assert len(set(first)) == len(first)


def test_balanced_orders_follow_from_seed_and_epoch() -> None:
    orders = [epoch_order(labels(), *key, sampling="balanced") for key in ((0, 0), (0, 0), (0, 1), (1, 0))]
    assert torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])
    assert not torch.equal(orders[0], orders[3])


def test_times_before_counts_earlier_places() -> None:
    order = torch.randint(0, 5, (40,), generator=torch.Generator().manual_seed(0))
    places = order.tolist()
    assert times_before(order).tolist() == [places[:at].count(place) for at, place in enumerate(places)]
