"""One run of a sweep, in the process that an executor gives it."""

import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Literal

from replicate.experiments.experiment import Experiment
from replicate.experiments.run_config import MachineConfig, Run
from replicate.runs.progress import ProgressWriter
from replicate.runs.records import Record
from replicate.runs.store import RunStore
from replicate.runs.task import Task, load_study, record_of
from replicate.sweep.gpus import gpus_of_run, take_gpu
from replicate.sweep.interruption import stop_file
from replicate.wandb_mirror.tracking import Mirror, make_tracker, mirror_of

SWEEP = "REPLICATE_SWEEP"  # in the environment of workers on this machine: the process of their sweep
SWEEP_GONE = threading.Event()
STOPPED = threading.Event()  # the user has stopped the sweep of this worker
AT_WORK = threading.Event()  # a run is being done
GRACE = 30.0  # seconds that a worker has to save its run when its sweep is gone

State = Literal["done", "busy", "failed", "late", "stopped"]
Done = tuple[str, State]
"""A run's id and what became of it.

busy: another process is at it; late: the time for it was over; stopped: the user stopped the sweep.
"""


@dataclass(frozen=True)
class Job:
    """A run with what its process needs besides: where the store is, the machine's switches, what its mirror shows.

    deadline: seconds since 1970 after which the run is not begun any more.
    """

    run: Run
    runs_dir: Path
    machine: MachineConfig
    mirror: Mirror
    deadline: float | None = None


def job_of(experiment: Experiment, run: Run, deadline: float | None = None) -> Job:
    """The run as an executor hands it on; the store's path holds in any working folder."""
    return Job(run, experiment.runs_dir.absolute(), experiment.machine, mirror_of(experiment), deadline)


def execute(job: Job) -> Done:
    """Do the job's run unless it is done or another process is at it. A failure leaves its traceback in the store."""
    end_with_sweep(job.runs_dir)
    if STOPPED.is_set():
        return job.run.id, "stopped"
    if job.deadline is not None and time.time() > job.deadline:
        return job.run.id, "late"
    AT_WORK.set()
    try:
        return job.run.id, attempt(job)
    except SystemExit as leaving:
        if STOPPED.is_set():
            return job.run.id, "stopped"
        if SWEEP_GONE.is_set():  # nobody is left whom the worker could tell
            os._exit(leaving.code if isinstance(leaving.code, int) else 1)
        raise
    finally:
        AT_WORK.clear()


def attempt(job: Job) -> State:
    """Claim the run, measure it and write its record."""
    run, store = job.run, RunStore(job.runs_dir)
    try:
        with store.claim(run.id) as mine:
            if not mine:
                return "busy"
            if store.read(run.id) is None:
                store.trace_path(run.id).unlink(missing_ok=True)
                store.write(measure(job, store))
        return "done"
    except Exception:
        with suppress(OSError):  # the disk may be what failed
            store.trace_path(run.id).write_text(traceback.format_exc(), encoding="utf-8")
        print(f"replicate: {run.variant} seed {run.seed} failed: {last_line()}", file=sys.stderr, flush=True)
        return "failed"


def last_line() -> str:
    """The last line of the traceback: what was raised."""
    return traceback.format_exc().strip().splitlines()[-1]


def measure(job: Job, store: RunStore) -> Record:
    """Run the study and put what it found beside where and how it was found."""
    import torch

    take_gpu(job.machine, gpus_of_run(job.machine) if job.run.config.devices == 1 else [])
    torch.set_num_threads(job.machine.threads)
    run, folder, started = job.run, store.folder(job.run.id), time.monotonic()
    with make_tracker(job.mirror, run, folder) as tracker:
        task = Task(run, job.machine, store, ProgressWriter(folder), tracker)
        record = record_of(task, load_study(run.config.study)(task), time.monotonic() - started)
        tracker.finish(record)
    return record


@cache
def end_with_sweep(runs_dir: Path) -> None:
    """In a worker that a sweep on this machine started: end when the sweep does, even if that was killed.

    Otherwise its workers would go on with runs that nobody waits for. A training that gets the signal saves and leaves.
    Ctrl-C in the terminal is the sweep's affair: it leaves a file in `runs_dir`.
    """
    sweep = os.getppid()
    if os.environ.get(SWEEP) != str(sweep):
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, leave)

    def watch() -> None:
        told = False
        while os.getppid() == sweep:
            time.sleep(1)
            asked = stop_file(runs_dir, sweep).exists()
            if asked and not told:
                STOPPED.set()
                os.kill(os.getpid(), signal.SIGTERM)
            elif told and not asked:
                STOPPED.clear()  # the next sweep of the same process may use this worker again
            told = asked
        SWEEP_GONE.set()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(128 + signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def leave(number: int, frame: FrameType | None) -> None:
    """SIGTERM in a worker: out of the run it is doing; at once where it is doing none, unless its sweep still asks."""
    if AT_WORK.is_set():
        raise SystemExit(128 + number)
    if not STOPPED.is_set():
        os._exit(128 + number)
