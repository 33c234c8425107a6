"""One run of a sweep, in the process that a launcher gives it."""

import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from functools import cache
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from replicate.experiments.composition import own_words
from replicate.experiments.experiment import Experiment
from replicate.experiments.run_config import Run
from replicate.runs.progress import ProgressWriter
from replicate.runs.records import Record
from replicate.runs.store import RunStore
from replicate.runs.task import load_study

SWEEP = "REPLICATE_SWEEP"  # in the environment of workers on this machine: the process of their sweep
SWEEP_GONE = threading.Event()
GRACE = 30.0  # seconds that a worker has to save its run when its sweep is gone


def run_job(config: DictConfig) -> tuple[str, str]:
    """Hydra's task: one composed configuration to one run. Returns (run id, done | busy | failed)."""
    end_with_sweep()
    context = HydraConfig.get()
    choices: Any = context.runtime.choices
    experiment = Experiment(str(choices.experiment).partition("/")[2], config, own_words(context.overrides.task))
    run = experiment.run(str(config.variant), int(config.seed))
    try:
        return run.id, execute(experiment, run)
    except SystemExit as leaving:
        if SWEEP_GONE.is_set():  # there is nobody whom the worker could tell
            os._exit(leaving.code if isinstance(leaving.code, int) else 1)
        raise


@cache
def end_with_sweep() -> None:
    """In a worker that a sweep on this machine started: end when the sweep does, even if that was killed.

    Else its workers would go on with runs that nobody waits for. A training that gets the signal saves and leaves.
    """
    sweep = os.getppid()
    if os.environ.get(SWEEP) != str(sweep):
        return

    def watch() -> None:
        while os.getppid() == sweep:
            time.sleep(1)
        SWEEP_GONE.set()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(128 + signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def execute(experiment: Experiment, run: Run) -> str:
    """Do `run` unless it is done or another process is at it."""
    store = RunStore(experiment.runs_dir)
    try:
        with store.claim(run.id) as mine:
            if not mine:
                return "busy"
            if store.read(run.id) is None:
                store.trace_path(run.id).unlink(missing_ok=True)
                store.write(measure(experiment, run, store))
        return "done"
    except Exception:
        with suppress(OSError):  # the disk may be what failed
            store.trace_path(run.id).write_text(traceback.format_exc())
        print(f"replicate: {run.variant} seed {run.seed} failed: {last_line()}", file=sys.stderr, flush=True)
        return "failed"


def last_line() -> str:
    return traceback.format_exc().strip().splitlines()[-1]


def measure(experiment: Experiment, run: Run, store: RunStore) -> Record:
    """Run the study and put what it found beside where and how it was found."""
    import torch

    from replicate.runs.task import Task, record_of
    from replicate.wandb_mirror.tracking import make_tracker

    torch.set_num_threads(experiment.machine.threads)
    started = time.monotonic()
    with make_tracker(experiment, run, store.folder(run.id)) as tracker:
        task = Task(run, experiment.machine, store, ProgressWriter(store.folder(run.id)), tracker)
        outcome = load_study(run.config.study)(task)
        record = record_of(task, outcome, time.monotonic() - started)
        tracker.finish(record)
    return record
