"""What a study is given and what it returns."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from replicate.experiment import MachineConfig, Run
from replicate.progress import Progress
from replicate.records import Measurement, Record, RunStore, Status, Timing
from replicate.tracking import Tracker


@dataclass(frozen=True)
class Task:
    """A run to do, its folder in the store, and whom to tell about it."""

    run: Run
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
    from replicate.provenance import provenance

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
        provenance=provenance(task.machine, run.config.devices, outcome.data_checksum),
    )
