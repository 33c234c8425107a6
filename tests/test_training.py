"""Training: schedules, divergence, and resuming that changes nothing."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from replicate.data.epochs import Plan
from replicate.errors import UserError
from replicate.experiments.experiment import load_experiment
from replicate.experiments.recipe import Recipe, resolve_recipe
from replicate.experiments.run_config import MachineConfig, Run
from replicate.models.registry import _ENTRIES, Entry
from replicate.runs.progress import Progress
from replicate.runs.records import Measurement, Record
from replicate.runs.store import RunStore
from replicate.runs.task import Task, Tracker
from replicate.studies.train import check, first_crossing
from replicate.sweep.execute import job_of, measure
from replicate.training import checkpoint
from replicate.training.fit import fit
from replicate.training.init import INITIALISERS
from replicate.training.network import build_network, train_only
from replicate.training.optimizers import parameter_groups
from replicate.training.ranking import ranks
from tests.networks import NoisyNet, SmoothNet

QUICK = ["scale=smoke", "data.train_images=160", "data.test_images=50", "recipe.batch_size=32", "recipe.epochs=2"]


class Killed(Exception):
    """Stands for a kill: leaves training at a batch, whatever is on disk is what there is."""


@pytest.fixture(autouse=True)
def noisy_net(monkeypatch: pytest.MonkeyPatch) -> None:
    def noisynet(num_classes: int = 10, in_channels: int = 1) -> nn.Module:
        return NoisyNet(num_classes, in_channels)

    def smoothnet(num_classes: int = 10, in_channels: int = 1) -> nn.Module:
        return SmoothNet(num_classes, in_channels)

    monkeypatch.setitem(_ENTRIES, "noisynet", Entry(noisynet, {}))
    monkeypatch.setitem(_ENTRIES, "smoothnet", Entry(smoothnet, {}))


def quick_run(*words: str) -> Run:
    own = ["model.depth=null", "model.shortcut=null", "model.name=noisynet"]
    return load_experiment("resnet_shortcuts", [*QUICK, *own, *words]).run("A", 0)


def task(run: Run, root: Path, **machine: Any) -> Task:
    store = RunStore(root)
    store.folder(run.id).mkdir(parents=True, exist_ok=True)
    return Task(run, MachineConfig(channels_last=False, **machine), store, ignore, Tracker())


def ignore(progress: Progress) -> None:
    return


def record_of(run: Run, root: Path) -> Record:
    experiment = load_experiment(
        "resnet_shortcuts", [*QUICK, f"runs_dir={root}", "machine.checkpoint_seconds=0", "wandb=disabled"]
    )
    store = RunStore(root)
    store.folder(run.id).mkdir(parents=True, exist_ok=True)
    return measure(job_of(experiment, run), store)


@pytest.mark.parametrize(
    ("killed_after", "parts", "words"),
    [
        *((killed_after, 1, ()) for killed_after in (1, 3, 5, 7, 9)),
        *((2, 2, ()), (5, 4, ())),
        *((3, 2, ("recipe.ema=0.9",)), (9, 1, ("recipe.ema=0.9", "data.sampling=balanced"))),
    ],
)
def test_a_resumed_run_equals_an_unbroken_one_bitwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_after: int, parts: int, words: tuple[str, ...]
) -> None:
    run = quick_run(f"trainer.accumulate={parts}", *words)
    unbroken = record_of(run, tmp_path / "unbroken")
    saves = 0
    save = checkpoint.Checkpoint.__call__

    def save_then_die(self: checkpoint.Checkpoint, module: Any, done: int) -> None:
        nonlocal saves
        save(self, module, done)
        saves += 1
        if saves == killed_after:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.Checkpoint, "__call__", save_then_die)
        with pytest.raises(Killed):
            record_of(run, tmp_path / "broken")
    steps: list[int] = []

    def count_steps(self: checkpoint.Checkpoint, module: Any, done: int) -> None:
        steps.append(done)

    monkeypatch.setattr(checkpoint.Checkpoint, "__call__", count_steps)
    resumed = record_of(run, tmp_path / "broken")
    assert steps[0] == killed_after + 1  # nothing before the checkpoint was trained again
    assert resumed.outcome() == unbroken.outcome()
    left, right = (torch.load(weights(tmp_path / name, run)) for name in ("unbroken", "broken"))
    assert all(torch.equal(left[key], right[key]) for key in left)


def weights(root: Path, run: Run) -> Any:
    import io

    return io.BytesIO(checkpoint.unseal(root / run.id / checkpoint.WEIGHTS))


def test_no_checkpoint_falls_between_the_parts_of_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients in flight are in no checkpoint: the optimiser's step is the last thing that one saw."""
    seen: list[tuple[int, int]] = []
    save = checkpoint.Checkpoint.__call__

    def note(self: checkpoint.Checkpoint, module: Any, done: int) -> None:
        seen.append((done, module.trainer.global_step))
        save(self, module, done)

    monkeypatch.setattr(checkpoint.Checkpoint, "__call__", note)
    record_of(quick_run("trainer.accumulate=4"), tmp_path)
    assert seen == [(step, step) for step in range(1, 11)]


def smooth_run(*words: str) -> Run:
    """A training in which an image's share of a step does not depend on the other images.

    170 images leave a last batch of 10, which 4 does not divide; clipping looks at the whole step's gradient.
    """
    plain = ["model.name=smoothnet", "data.augmentation=none", "data.train_images=170", "recipe.epochs=3"]
    run = quick_run(*plain, *words)
    assert run.config.recipe is not None
    recipe = run.config.recipe.model_copy(update={"clip_norm": 1.0})
    return run.model_copy(update={"config": run.config.model_copy(update={"recipe": recipe})})


@pytest.mark.parametrize("parts", [2, 4])
def test_accumulation_changes_nothing_but_roundings_without_batch_statistics(tmp_path: Path, parts: int) -> None:
    plain, cut = (fit(task(smooth_run(f"trainer.accumulate={n}"), tmp_path)) for n in (1, parts))
    assert cut.steps_per_epoch == plain.steps_per_epoch == 6
    assert_same_measurements(cut.measurements, plain.measurements)
    ours, theirs = cut.network.state_dict(), plain.network.state_dict()
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def assert_same_measurements(ours: Sequence[Measurement], theirs: Sequence[Measurement]) -> None:
    """Losses agree to five digits, shares of wrong answers exactly."""
    assert [(m.metric, m.index) for m in ours] == [(m.metric, m.index) for m in theirs]
    assert [m.value for m in ours] == pytest.approx([m.value for m in theirs], rel=1e-5)


def test_a_damaged_checkpoint_is_set_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = quick_run()
    good = fit(task(run, tmp_path / "a"))
    folder = tmp_path / "b" / run.id
    folder.mkdir(parents=True)
    (folder / checkpoint.CHECKPOINT).write_bytes(b"0" * 64 + b"\nnot a checkpoint")
    redone = fit(task(run, tmp_path / "b"))
    assert "set aside" in capsys.readouterr().err
    assert redone.measurements == good.measurements


def test_another_seed_is_another_run(tmp_path: Path) -> None:
    first, second = (fit(task(quick_run().model_copy(update={"seed": s, "id": f"x{s}"}), tmp_path)) for s in (0, 1))
    assert first.measurements != second.measurements


def test_divergence_is_a_recorded_outcome(tmp_path: Path) -> None:
    record = record_of(quick_run("recipe.lr=1e30", "recipe.epochs=6"), tmp_path)
    assert record.status == "diverged"
    losses = [m for m in record.measurements if m.metric == "train_loss" and m.index is not None]
    assert losses[-1].value is None
    assert len(losses) < 6  # it stops at the end of the epoch, not of the training
    assert record.value("test_error") is not None


def test_a_diverged_training_is_not_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was killed while the test data were looked at: the checkpoint of its last step is all there is."""
    run = quick_run("recipe.lr=1e30", "recipe.epochs=6")
    unbroken = record_of(run, tmp_path / "unbroken")

    def die(*given: object, **named: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(pl.Trainer, "test", die)
        with pytest.raises(Killed):
            record_of(run, tmp_path / "broken")
    assert record_of(run, tmp_path / "broken").outcome() == unbroken.outcome()


def test_validation_curve_is_measured_on_images_of_its_own(tmp_path: Path) -> None:
    trained = fit(task(quick_run("data.validation=40"), tmp_path))
    curve = [m for m in trained.measurements if m.metric == "validation_error" and m.index is not None]
    assert [m.index for m in curve] == [1, 2]


@pytest.mark.parametrize(
    ("curve", "level", "expected"),
    [
        ([90.0, 50.0, 30.0], 40.0, 1.5),
        ([90.0, 50.0, 30.0], 50.0, 1.0),
        ([90.0, 95.0, 40.0, 60.0], 50.0, 1 + 45 / 55),
        ([90.0, 50.0], 20.0, None),
        ([90.0, None, None], 50.0, None),
        ([40.0, 30.0], 50.0, 0.0),
    ],
)
def test_first_crossing_is_read_off_straight_lines(
    curve: list[float | None], level: float, expected: float | None
) -> None:
    assert first_crossing(curve, level) == pytest.approx(expected)


def test_steps_to_an_error_are_measured_on_the_curve_that_is_asked_for(tmp_path: Path) -> None:
    words = ("data.validation=40", "options.reach.curve=validation_error")
    record = record_of(quick_run(*words, "options.reach.level=99.5"), tmp_path)
    found = {m.metric: m.value for m in record.measurements if m.index is None}
    assert found["steps_to_reach"] == 0.0  # guessing errs in 90 % of ten classes
    never = record_of(quick_run(*words, "options.reach.level=0.001"), tmp_path)
    assert {m.metric: m.value for m in never.measurements}["steps_to_reach"] is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("options.reach.curve=validation_error", "options.reach.level=50"), "set data.validation"),
        (("options.reach.curve=test_error", "options.reach.level=50"), r"options\.reach\.curve"),
        (("options.reaches=1",), r"options\.reaches"),
    ],
)
def test_options_that_make_no_sense_are_refused(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check(quick_run(*words).config)


def test_accumulation_keeps_the_recipes_batch() -> None:
    with pytest.raises(UserError, match="a batch of 32 cannot be cut into 3 equal micro-batches"):
        check(quick_run("trainer.accumulate=3").config)


def recipe(**fields: Any) -> Recipe:
    return Recipe.model_validate({"lr": 0.1, "batch_size": 10, "epochs": 10, **fields})


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


def test_only_the_named_module_is_trained(tmp_path: Path) -> None:
    """The filters stay as drawn, whatever the decay; only what is trained is in the optimiser."""
    run = quick_run("recipe.trained=net.6", "recipe.epochs=1")
    assert run.id != quick_run("recipe.epochs=1").id
    assert run.config.recipe is not None
    assert run.config.data is not None
    drawn = build_network(run.config.model, run.config.data, run.config.recipe.init, run.seed).state_dict()
    trained = fit(task(run, tmp_path)).network.state_dict()
    parameters = {name for name, _ in train_only(NoisyNet(10, 1), None).named_parameters()}
    moved = {name for name in parameters if not torch.equal(drawn[name], trained[name])}
    assert moved == {"net.6.weight", "net.6.bias"}
    [group] = parameter_groups(train_only(NoisyNet(10, 1), "net.6"), recipe())
    assert [tuple(parameter.shape) for parameter in group["params"]] == [(10, 32), (10,)]


@pytest.mark.parametrize("part", ["classifier", "net.2"])
def test_a_part_that_cannot_be_trained_is_refused(part: str) -> None:
    with pytest.raises(UserError, match=r"recipe\.trained"):
        check(quick_run(f"recipe.trained={part}").config)


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
