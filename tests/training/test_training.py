"""Training: micro-batches, divergence, validation, what is trained and what is refused."""

from pathlib import Path

import pytest
import torch

from replicate.errors import UserError
from replicate.studies.train import check, first_crossing
from replicate.training.fit import fit
from replicate.training.network import build_network, train_only
from replicate.training.optimizers import parameter_groups
from tests.helpers.networks import NoisyNet
from tests.helpers.quick_training import (
    assert_same_measurements,
    noisy_net,
    quick_run,
    recipe,
    record_of,
    smooth_run,
    task,
)

assert noisy_net  # the networks of these runs, a fixture for every test here


@pytest.mark.parametrize("parts", [2, 4])
def test_accumulation_changes_nothing_but_roundings_without_batch_statistics(tmp_path: Path, parts: int) -> None:
    plain, cut = (fit(task(smooth_run(f"trainer.accumulate={n}"), tmp_path)) for n in (1, parts))
    assert cut.steps_per_epoch == plain.steps_per_epoch == 6
    assert_same_measurements(cut.measurements, plain.measurements)
    ours, theirs = cut.network.state_dict(), plain.network.state_dict()
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


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
