"""Do the runs of an experiment that are not done yet."""

import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from replicate.errors import UserError
from replicate.experiments.experiment import Experiment, load_experiment
from replicate.experiments.run_config import Run
from replicate.runs.progress import Monitor
from replicate.runs.records import Record
from replicate.runs.store import RunStore
from replicate.sweep.execute import Job, State, job_of
from replicate.sweep.executors import Executor, Local, early, executor_of
from replicate.sweep.interruption import Interruption
from replicate.sweep.preflight import check_runs
from replicate.sweep.select import selected
from replicate.sweep.stall import Stall

BUSY_WAIT = 2.0  # seconds between looks at runs that another process is doing


@dataclass(frozen=True)
class Sweep:
    """What :func:`run_experiment` did."""

    experiment: Experiment
    runs: list[Run]
    records: list[Record]
    done_before: int
    failed: list[Run]


def run_experiment(name: str, overrides: Sequence[str] = (), quiet: bool = False) -> Sweep:
    """Do what is not done of experiment `name` under the command line's overrides; `quiet` shows no progress.

    Raises UserError, before anything is written, for whatever cannot be. A run that fails leaves its traceback in its
    folder and does not stop the others.
    """
    experiment = load_experiment(name, overrides)
    runs = selected(experiment, overrides)
    store = RunStore(experiment.runs_dir)
    records = {run.id: record for run in runs if (record := settled(store, run)) is not None}
    pending = [run for run in runs if run.id not in records]
    failed = do_runs([(experiment, run) for run in pending], store, quiet)
    records |= {run.id: record for run in pending if (record := store.read(run.id)) is not None}
    done_before = len(runs) - len(pending)
    return Sweep(experiment, runs, [records[run.id] for run in runs if run.id in records], done_before, failed)


def do_runs(
    planned: Sequence[tuple[Experiment, Run]], store: RunStore, quiet: bool = False, deadline: float | None = None
) -> list[Run]:
    """Do runs of one or several experiments, which share launcher and store; returns those that failed.

    None is begun after `deadline` (seconds since 1970). Raises UserError before anything is written.
    """
    if not planned:
        return []
    executor = executor_of(planned[0][0].launcher)
    jobs = [job_of(experiment, run, deadline) for experiment, run in planned]
    with early(executor, jobs):
        for experiment in dict.fromkeys(experiment for experiment, _ in planned):
            check_runs(experiment, [run for owner, run in planned if owner is experiment])
        store.prepare()
    with Interruption(store.root, workers=isinstance(executor, Local)) as interruption:
        try:
            with nullcontext() if quiet else Monitor(store, [run for _, run in planned]):
                return sweep_until_done(jobs, executor, store, interruption)
        except (KeyboardInterrupt, SystemExit):
            if not interruption.asked:
                raise
            done = sum(store.has(run.id) for _, run in planned)
            message = f"stopped: {done} of {len(planned)} runs are done; the same command goes on where they stopped"
            print(f"replicate: {message}", file=sys.stderr, flush=True)
            raise KeyboardInterrupt(message) from None


def settled(store: RunStore, run: Run) -> Record | None:
    """The whole record that the run left, or None; what a kill left beside it is removed."""
    record = store.read(run.id)
    if record is not None:
        store.tidy(run.id)
    return record


def sweep_until_done(pending: list[Job], executor: Executor, store: RunStore, interruption: Interruption) -> list[Run]:
    """Launch `pending`; runs that another process holds are waited for. Returns those that failed.

    Raises UserError when nothing changes any more, KeyboardInterrupt once everybody has stopped, when the user asked.
    """
    failed, stall = dict[str, Run](), Stall(store)
    while pending:
        results = launch_surviving(executor, store, pending, interruption)
        if interruption.asked:
            raise KeyboardInterrupt
        failed |= {job.run.id: job.run for job in pending if results.get(job.run.id) == "failed"}
        over = {run for run, state in results.items() if state in ("failed", "late")}
        pending = [job for job in pending if job.run.id not in over and not store.has(job.run.id)]
        if pending:
            stall.look(pending, results)
            time.sleep(BUSY_WAIT)
    return list(failed.values())


def launch_surviving(
    executor: Executor, store: RunStore, pending: Sequence[Job], interruption: Interruption
) -> dict[str, State]:
    """Launch; when a worker dies under the executor, say so and leave its runs to the next round.

    Raises UserError when no run was finished, so that a run that kills whoever does it cannot go round for ever.
    """
    try:
        return dict(executor(pending))
    except UserError:
        raise
    except Exception as error:  # each executor has its own kinds
        if interruption.asked:
            return {}
        lines = str(error).strip().splitlines()
        cause = f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
        if not any(store.has(job.run.id) for job in pending):
            raise UserError(f"the launcher failed and no run was finished ({cause}); the next call goes on") from error
        print(f"replicate: the launcher failed ({cause}); going on with what is left", file=sys.stderr, flush=True)
        return {job.run.id: "failed" for job in pending if store.trace_path(job.run.id).exists()}
