"""Study `evaluate` of networks trained here: nothing is trained twice; what makes no sense is refused."""

from pathlib import Path
from typing import Any

import pytest

from replicate.errors import UserError
from replicate.experiments.experiment import load_experiment
from replicate.experiments.run_config import RunConfig, read_options
from replicate.models import create_model
from replicate.runs.records import Record
from replicate.runs.store import RunStore
from replicate.studies import evaluate
from replicate.studies.trained import training_run
from replicate.sweep.execute import execute, job_of
from replicate.sweep.launch import run_experiment
from replicate.training.network import network_options

QUICK = ["scale=smoke", "runs_dir=runs", "wandb=disabled", "machine.workers=1"]


def value(record: Record, metric: str) -> float:
    found = record.value(metric)
    assert found is not None
    return found


def test_whole_images_give_the_error_of_training_and_nothing_is_trained_twice(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = load_experiment("train_test_resolution", QUICK)
    run = experiment.run("test 224", 0)
    assert execute(job_of(experiment, run))[1] == "done"
    store = RunStore(experiment.runs_dir)
    trained, tested = store.read(training_run(run).id), store.read(run.id)
    assert trained is not None
    assert tested is not None
    assert value(tested, "test_error") == value(trained, "test_error")
    assert value(tested, "test_loss") == pytest.approx(value(trained, "test_loss"), rel=1e-5)
    monkeypatch.setattr("replicate.training.fit.fit", lambda task: pytest.fail("trained again"))
    assert execute(job_of(experiment, experiment.run("test 320", 0)))[1] == "done"


def test_runs_of_an_ensemble_share_no_network(workdir: Path) -> None:
    sweep = run_experiment("ensembles", [*QUICK, "seed=0,1", "variant='several models 1 crop'"], quiet=True)
    assert not sweep.failed
    trained = sorted(path.name for path in Path("runs").glob("train-*"))
    assert [name.rsplit("-", 1)[1] for name in trained] == ["s0", "s1", "s2", "s3"]
    one = load_experiment("ensembles", QUICK).run("1 model 1 crop", 0).config
    size = RunConfig.model_validate({**one.model_dump(), "study": "evaluate"})
    name, options = network_options(size.model, size.data)
    parameters = sum(p.numel() for p in create_model(name, **options).parameters())
    assert sweep.records[0].parameters == 2 * parameters


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocols": []}, "protocols"),
        ({"protocols": [{"scales": [16]}]}, "either crops"),
        ({"protocols": [{"scales": [16], "dense": True, "crops": "grid", "crop": 8}]}, "either crops"),
        ({"protocols": [{"scales": [16], "crops": "grid"}]}, "either crops"),
        ({"protocols": [{"scales": [16, 20], "crops": "grid", "crop": 18}]}, "crops of 18 pixels do not fit"),
        ({"protocols": [{"scales": [16], "dense": True}], "averages": "max"}, "averages"),
    ],
)
def test_protocols_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_options("evaluate", options)


def test_networks_must_come_from_one_place() -> None:
    run = load_experiment("train_test_resolution", [*QUICK, "options.weights=some.pth"]).run("test 224", 0)
    with pytest.raises(UserError, match=r"one of options\.weights, options\.untrained and recipe\.name"):
        evaluate.check(run.config)


def test_training_without_a_recipe_is_refused() -> None:
    with pytest.raises(UserError, match=r"recipe\.name is missing"):
        load_experiment("resnet_shortcuts", ["scale=smoke", "recipe.name=null"]).run("A", 0)
