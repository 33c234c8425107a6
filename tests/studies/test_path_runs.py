"""The path experiments as they are run, reported and drawn, and what is counted without running anything."""

import hashlib
from collections.abc import Sequence
from math import comb
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from replicate.data.config import DataConfig
from replicate.errors import UserError
from replicate.experiments.experiment import load_experiment
from replicate.experiments.run_config import RunConfig
from replicate.models import create_model
from replicate.papers import load_paper
from replicate.report.figures import has_own_figure
from replicate.report.figures.draw import draw, figure_svg
from replicate.report.findings import gather
from replicate.runs.records import Record
from replicate.runs.store import RunStore
from replicate.studies import gradient_paths as paths
from replicate.studies import lesion, path_lengths, pretrained
from replicate.studies.options import LengthOptions, PathOptions
from replicate.studies.surgery import residual_parts
from replicate.studies.trained import training_run
from replicate.sweep.launch import run_experiment
from tests.helpers.made_up import record_of
from tests.helpers.reported import report

QUICK = ["scale=smoke", "runs_dir=runs", "wandb=disabled", "machine.workers=1", "launcher=inline"]


# paths counted -------------------------------------------------------------------------------------------------------


def lengths(**options: object) -> LengthOptions:
    return LengthOptions.model_validate({"blocks": 54, **options})


def test_path_lengths_are_binomial() -> None:
    counts = path_lengths.path_lengths(path_lengths.after_deletion(lengths()))
    assert counts == [comb(54, length) for length in range(55)]


@pytest.mark.parametrize("deleted", [1, 10, 20])
def test_survivors_are_the_printed_formula(deleted: int) -> None:
    counts = path_lengths.path_lengths(path_lengths.after_deletion(lengths(deleted=deleted)))
    assert counts == [comb(54 - deleted, length) for length in range(55)]


def test_path_lengths_agree_with_paths_found_one_by_one() -> None:
    """Through a plain layer among two residual blocks: every choice of around or through, enumerated."""
    around_or_through = [path_lengths.Ways(1, 1), path_lengths.Ways(0, 1), path_lengths.Ways(1, 1)]
    found = [0, 0, 0, 0]
    for first in (0, 1):
        for last in (0, 1):
            found[first + 1 + last] += 1
    assert path_lengths.path_lengths(around_or_through) == found


def test_lengths_experiment_reproduces_its_claims_exactly(workdir: Path) -> None:
    sweep = run_experiment("path_lengths", QUICK, quiet=True)
    _, verdicts = report(sweep.experiment, sweep.records)
    assert {verdict.claim: verdict.outcome.value for verdict in verdicts} == {
        "path_length_binomial": "holds",
        "deletion_removes_long_paths": "holds",
        "layer_removal_halves_paths": "exact",
    }
    shares = {record.variant: record.value("share") for record in sweep.records}
    assert shares["19 to 35 of 54"] == pytest.approx(98.0166, abs=5e-5)
    assert shares["5 to 17 of 54"] == pytest.approx(0.4537, abs=5e-5)


# what the curves say -------------------------------------------------------------------------------------------------

WINDOW = PathOptions(samples=1, low=5, high=17, of=54)


def singles(norms: Sequence[float]) -> dict[str, float | None]:
    return {m.metric: m.value for m in paths.summary(np.array(norms), WINDOW) if m.index is None}


def test_a_norm_that_falls_tenfold_with_each_block_is_found_out() -> None:
    found = singles([10.0**-length for length in range(28)])
    assert found["decay_slope"] == pytest.approx(-1)
    assert found["decay_fit"] == pytest.approx(1)
    # sum over k of C(27, k) / 10^k is 1.1^27: a Binomial(27, 1 / 11)
    assert found["carrying_mean"] == pytest.approx(27 / 11)
    assert found["effective_share"] == pytest.approx(
        100 * (stats.binom.cdf(8, 27, 1 / 11) - stats.binom.cdf(2, 27, 1 / 11))
    )
    assert (found["carrying_low"], found["carrying_high"]) == tuple(stats.binom.ppf([0.025, 0.975], 27, 1 / 11))


def test_the_papers_window_in_its_own_network() -> None:
    assert paths.effective(WINDOW, 54) == slice(5, 18)
    assert paths.effective(WINDOW, 27) == slice(3, 9)
    assert singles([1.0] * 55)["effective_paths"] == pytest.approx(0.4537, abs=5e-5)


def test_rises_tell_transitions_from_other_blocks() -> None:
    blocks = residual_parts(create_model("resnet_cifar", depth=14))
    rises = {part: 20.0 + part.number if part.transition else float(part.number) for part in blocks}
    found = {m.metric: m.value for m in lesion.rises(rises)}
    assert found == {"rise_most": pytest.approx(5.4), "rise_elsewhere": 6.0, "rise_transition": 23.0}


# whole runs ----------------------------------------------------------------------------------------------------------


def test_lesion_trains_what_is_missing_and_finds_what_is_done(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [*QUICK, "variant=1 swap,2 swaps"]
    experiment = load_experiment("path_reordering", QUICK)
    first = run_experiment("path_reordering", words, quiet=True)
    assert not first.failed
    training = {training_run(run).id for run in first.runs}
    store = RunStore(workdir / "runs")
    assert len(training) == 1
    record = store.read(training.pop())
    assert record is not None
    assert record.config["study"] == "train"
    monkeypatch.setattr("replicate.studies.train.run", lambda task: pytest.fail("trained again"))
    assert not run_experiment("path_reordering", [*QUICK, "variant=4 swaps"], quiet=True).failed
    undamaged = {values(store.read(run.id), "undamaged_error") for run in experiment.runs(["1 swap", "4 swaps"])}
    assert undamaged == {record.value("test_error")}


def values(record: Record | None, metric: str) -> float | None:
    assert record is not None
    return record.value(metric)


def test_a_record_without_its_weights_is_trained_again(workdir: Path) -> None:
    words = [*QUICK, "variant=1 swap"]
    run = run_experiment("path_reordering", words, quiet=True).runs[0]
    store = RunStore(workdir / "runs")
    trained, outcome = training_run(run), store.read(run.id)
    before = store.read(trained.id)
    (store.folder(trained.id) / "weights.pt").unlink()
    store.record_path(run.id).unlink()
    run_experiment("path_reordering", words, quiet=True)
    again = store.read(run.id)
    assert again is not None
    assert outcome is not None
    assert again.outcome() == outcome.outcome()
    assert (store.read(trained.id) or again).outcome() == (before or outcome).outcome()


def test_gradients_experiment_measures_every_length(workdir: Path) -> None:
    sweep = run_experiment("path_gradients", [*QUICK, "variant=original"], quiet=True)
    (record,) = sweep.records
    norms = {m.index: m.value for m in record.measurements if m.metric == "path_norm"}
    assert sorted(index for index in norms if index is not None) == list(range(7))
    assert all(value is not None and value > 0 for value in norms.values())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lesion": "delete"}, "needs options.delete"),
        ({"lesion": "cut"}, "options.lesion"),
        ({"draw": 3}, "options.draw"),
    ],
)
def test_options_are_checked_before_any_work(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        RunConfig(study="lesion_pretrained", model={"name": "resnet18"}, data=DataConfig(), options=options)


# public weights ------------------------------------------------------------------------------------------------------


def torchvision_file(folder: Path, name: str = "resnet18") -> Path:
    from torchvision.models import get_model

    path = folder / "weights.pth"
    torch.save(get_model(name, weights=None).state_dict(), path)
    return path.rename(folder / f"{name}-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}.pth")


def test_weights_come_from_a_file_that_is_what_its_name_says(tmp_path: Path) -> None:
    file = torchvision_file(tmp_path)
    found = pretrained.weights_file(file.name, DataConfig(root=str(tmp_path)))
    network = create_model("resnet18")
    pretrained.load_file(network, "resnet18", found)
    assert torch.equal(network.get_parameter("fc.weight"), torch.load(file, weights_only=True)["fc.weight"])
    with pytest.raises(UserError, match="does not fit"):
        pretrained.load_file(create_model("resnet34"), "resnet34", found)
    file.write_bytes(file.read_bytes() + b"0")
    with pytest.raises(UserError, match="damaged"):
        pretrained.load_file(network, "resnet18", found)


@pytest.mark.parametrize(("name", "message"), [("none.pth", "is not in"), ("../none.pth", "not a path")])
def test_missing_weights_are_one_line(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        pretrained.weights_file(name, DataConfig(root=str(tmp_path)))


def test_every_claim_has_a_test_or_a_reason() -> None:
    assert all(claim.test for claim in load_paper("resnet_paths").claims)


# figures ------------------------------------------------------------------------------------------------------------

SINGLES = {"test_error": 20.0, "undamaged_error": 15.0, "deleted": 2.0, "tau": 0.8, "classes": 10.0}
CURVES = (
    "deleted_error",
    "stage",
    "transition",
    "drawn_error",
    "drawn_tau",
    "path_norm",
    "path_share",
    "gradient_share",
)


@pytest.mark.parametrize(
    ("name", "panels"),
    [
        ("path_deletion", 4),
        ("path_deletion_many", 1),
        ("path_reordering", 1),
        ("path_gradients", 3),
        ("path_lengths", 2),
        ("path_deletion_imagenet", 1),
    ],
)
def test_every_path_experiment_draws_its_own_figure(name: str, panels: int) -> None:
    experiment = load_experiment(name, ["scale=smoke"])
    curves = {**dict.fromkeys(CURVES, (1.0, 2.0, 3.0)), "survivors": (1.0, 0.5, 0.2)}
    records = [record_of(run, SINGLES, curves) for run in experiment.runs()]
    findings = gather(experiment, experiment.runs(), records)
    assert has_own_figure(findings)
    figure = draw(findings)
    drawn = [axes for axes in figure.axes if axes.axison]
    assert len(drawn) == panels
    assert all(axes.lines or axes.patches for axes in drawn)
    assert figure_svg(findings) == figure_svg(findings)


def test_the_printed_error_stands_beside_ours() -> None:
    experiment = load_experiment("path_deletion_many", ["scale=smoke"])
    records = [record_of(run, SINGLES, {"drawn_error": [20.0, 30.0]}) for run in experiment.runs()]
    figure = draw(gather(experiment, experiment.runs(), records))
    marked = [line for line in figure.axes[0].lines if line.get_marker() == "D"]
    points = [np.asarray(line.get_xydata()).tolist() for line in marked]
    assert points == [[[2.0, 20.0]]]


def test_other_experiments_keep_their_figure() -> None:
    experiment = load_experiment("resnet_shortcuts", ["scale=smoke"])
    assert not has_own_figure(gather(experiment, experiment.runs(), []))
