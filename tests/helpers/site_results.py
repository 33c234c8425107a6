"""Results for tests of the site: plans of real experiments, invented measurements."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from replicate.experiments.experiment import load_experiment
from replicate.experiments.run_config import Run
from replicate.runs.records import Record
from tests.helpers.made_up import record_of
from tests.helpers.reported import report


def write_made_up_results(folder: Path) -> Path:
    """A trained table, one with a diverged run, and a counted table with one number that differs."""
    for name, measure in (
        ("resnext_cardinality", trained),
        ("resnet_shortcuts", diverging),
        ("alexnet_parameters", counted),
    ):
        experiment = load_experiment(name)
        report(experiment, measure(experiment.runs()), folder)
    return folder


def trained(runs: Sequence[Run]) -> list[Record]:
    """Errors that fall by 0.8 points from variant to variant, with learning curves."""
    places = {name: place for place, name in enumerate(dict.fromkeys(run.variant for run in runs))}
    noise = np.random.default_rng(0).normal(0, 0.3, len(runs)).tolist()
    return [one_training(run, 15 - 0.8 * places[run.variant] + e) for run, e in zip(runs, noise, strict=True)]


def one_training(run: Run, error: float) -> Record:
    curve = [error + 20, error + 6, error + 1, error - 1]
    values = {"test_error": error, "test_top5_error": error / 5, "train_error": curve[-1], "classes": 10.0}
    return record_of(run, values, {"train_error": curve, "train_loss": [value / 20 for value in curve]})


def diverging(runs: Sequence[Run]) -> list[Record]:
    """As above, but the first run came to nothing."""
    failed = {"test_error": None, "test_top5_error": None, "classes": 10.0}
    return [record_of(runs[0], failed, status="diverged"), *trained(runs)[1:]]


def counted(runs: Sequence[Run]) -> list[Record]:
    """A first fully connected layer that holds most of the parameters."""
    return [record_of(run, {"ungrouped": 37_752_832.0 if run.variant == "fc6" else 62_378_344.0}) for run in runs]
