"""What a study is given and what it returns."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from replicate.experiment import MachineConfig, Run
from replicate.progress import Progress
from replicate.records import Measurement, RunStore, Status
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
