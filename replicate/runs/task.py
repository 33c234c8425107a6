"""What a study is given and what it returns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Generic

from replicate.experiments.kinds import STUDIES
from replicate.experiments.run_config import ConfigT, MachineConfig, Run, RunConfig
from replicate.runs.progress import Progress
from replicate.runs.records import Measurement, Record, Status, Timing
from replicate.runs.store import RunStore


class Tracker:
    """Tracks nothing; what a run gets when wandb is disabled, absent or failing."""

    def log(self, step: int, values: Mapping[str, float | None]) -> None:
        """Values of one epoch."""

    def finish(self, record: Record) -> None:
        """The finished run's single values."""

    def close(self) -> None:
        """Nothing more will come."""


@dataclass(frozen=True)
class Task(Generic[ConfigT]):
    """A run to do, its folder in the store, and who is told about it."""

    run: Run[ConfigT]
    machine: MachineConfig
    store: RunStore
    report: Callable[[Progress], None]
    tracker: Tracker

    @property
    def folder(self) -> Path:
        return self.store.folder(self.run.id)


@dataclass(frozen=True)
class Outcome:
    """What a study found. Measurements are tidy: a curve is one measurement for each index."""

    measurements: tuple[Measurement, ...]
    status: Status = "finished"
    parameters: int | None = None
    multiply_adds: int | None = None
    images_per_second: float | None = None
    data_checksum: str | None = None


def record_of(task: Task, outcome: Outcome, seconds: float) -> Record:
    """What a finished run leaves: what was found, beside where and how it was found."""
    from replicate.runs.provenance import provenance

    run = task.run
    return Record(
        id=run.id,
        experiment=run.experiment,
        scale=run.scale,
        variant=run.variant,
        seed=run.seed,
        status=outcome.status,
        config=run.config.identity(),
        measurements=outcome.measurements,
        parameters=outcome.parameters,
        multiply_adds=outcome.multiply_adds,
        timing=Timing(seconds=seconds, images_per_second=outcome.images_per_second),
        provenance=provenance(
            task.machine,
            run.config.devices,
            outcome.data_checksum,
            None if run.config.trainer is None else run.config.trainer.precision,
        ),
    )


def study_check(name: str) -> Callable[[RunConfig], None]:
    """What the study refuses before the sweep begins, beyond wrong options. Raises UserError."""
    function: Callable[[RunConfig], None] = getattr(import_module(STUDIES[name].module), "check", lambda config: None)
    return function


def load_study(name: str) -> Callable[[Task], Outcome]:
    """The function that does a run of the study `name`."""
    function: Callable[[Task], Outcome] = import_module(STUDIES[name].module).run
    return function
