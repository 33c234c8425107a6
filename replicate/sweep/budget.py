"""An experiment within a budget of this machine's time: the planned runs always, further seeds while time is left."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from replicate.experiments.composition import is_sweep
from replicate.experiments.duration import spoken
from replicate.experiments.experiment import Experiment
from replicate.experiments.run_config import Run
from replicate.runs.committed import available_records
from replicate.runs.store import RunStore
from replicate.sweep.costs import CostBook
from replicate.sweep.executors import workers_of
from replicate.sweep.launch import Sweep, do_runs, run_experiment

if TYPE_CHECKING:
    from replicate.sweep.sequential import Step


def run_within_budget(name: str, overrides: Sequence[str], results: Path, quiet: bool = False) -> Sweep:
    """Do what is planned of an experiment, then go on with the seeds that its open claims need, as long as time lasts.

    The budget is the setting `budget`. A selection by variant= or seed= is done as it is. `quiet` shows no
    progress. Raises UserError.
    """
    began = time.time()
    sweep = run_experiment(name, overrides, quiet)
    experiment = sweep.experiment
    if experiment.budget is None or sweep.failed or any(map(is_sweep, overrides)):
        return sweep
    failed = extend(experiment, began + experiment.budget, results, quiet)
    return Sweep(experiment, sweep.runs, sweep.records, sweep.done_before, [*sweep.failed, *failed])


def extend(experiment: Experiment, deadline: float, results: Path, quiet: bool = False) -> list[Run]:
    """Further looks until every claim has its answer or the next look does not fit; returns runs that failed."""
    from replicate.report import findings_of  # here, since statistics are slow to import
    from replicate.sweep.sequential import next_step

    store, costs = RunStore(experiment.runs_dir), CostBook()
    while True:
        records = available_records(experiment, store, results)
        costs.learn(records)
        findings = findings_of(experiment, records)
        step = next_step(findings, {record.id for record in records})
        if step is None or not fits(step, costs, deadline):
            return []
        failed = do_runs([(experiment, run) for run in step.runs], store, quiet, deadline)
        if failed or time.time() > deadline:
            return failed


def fits(step: "Step", costs: CostBook, deadline: float) -> bool:
    """Whether the step can be done before the deadline; says what it would be either way."""
    seconds, left = step.seconds(costs, workers_of(step.experiment)), deadline - time.time()
    what = f"{len(step.claims)} claims are open; {step.seeds} seeds are {len(step.runs)} more runs, {spoken(seconds)}"
    if seconds > left:
        tell(f"{what}, and {spoken(max(left, 0))} of the budget are left: a larger budget= goes on from here")
        return False
    tell(f"{what} of the {spoken(left)} that are left")
    return True


def tell(text: str) -> None:
    print(f"replicate: {text}", file=sys.stderr, flush=True)
