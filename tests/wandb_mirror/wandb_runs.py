"""Runs that tests mirror to a server, with little to import: most of these tests' time is that of new processes."""

import time
from pathlib import Path
from typing import Any

from replicate.experiments.run_config import Run
from replicate.runs.records import Record
from replicate.wandb_mirror import mirrored, session, tracking
from replicate.wandb_mirror.mirrored import Mirror
from tests.helpers.made_up import made_up_experiment, record_of

EPOCHS = [{"train_error": 50.0, "lr": 0.1, "validation_error": 55.0}, {"train_error": 25.0, "lr": 0.05}]
CHECKSUM = "c" * 64


def the_run(**settings: Any) -> tuple[Mirror, Run]:
    experiment = made_up_experiment(wandb="auto", **settings)
    return mirrored.mirror_of(experiment), experiment.run("32x4d", 2)


def trained_record(run: Run) -> Record:
    made = record_of(run, {"test_error": 20.0, "lost": None}, {"train_error": [50.0, 25.0]})
    return made.model_copy(update={"provenance": {**made.provenance, "data_checksum": CHECKSUM}})


def two_runs() -> list[Run]:
    run = the_run()[1]
    return [run.model_copy(update={"id": f"{run.id}{number}"}) for number in (1, 2)]


def mirror_two(folder: Path) -> None:
    """Two runs, one after the other, for a process of its own; says how long each took to begin."""
    session.FINISH = 2.0  # seconds, for a test
    tracking.provenance = lambda *_: {}  # type: ignore[assignment]  # else torch is imported
    session.settings_of()  # imports wandb
    for run in two_runs():
        began = time.monotonic()
        with tracking.make_tracker(the_run()[0], run, folder / run.id) as tracker:
            print(time.monotonic() - began)
            for epoch, values in enumerate(EPOCHS, start=1):
                tracker.log(epoch, values)
            tracker.finish(trained_record(run))
