"""Run a topic of the convolution studies without a store."""

from pathlib import Path
from typing import Any

from replicate.experiments.run_config import MachineConfig, Run, RunConfig
from replicate.runs.records import Measurement
from replicate.runs.store import RunStore
from replicate.runs.task import Task, Tracker, load_study


def task(study: str, options: dict[str, Any], seed: int = 0) -> tuple[Measurement, ...]:
    """The measurements of one run with these options, on the CPU."""
    config = RunConfig(study=study, options=options)
    run = Run(id="x-s0", experiment="x", scale="smoke", variant="x", seed=seed, row=None, config=config)
    machine = MachineConfig(accelerator="cpu")
    return load_study(study)(Task(run, machine, RunStore(Path("unused")), lambda _: None, Tracker())).measurements
