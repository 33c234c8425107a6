"""Do the runs of an experiment that are not done yet, through Hydra's sweep and launcher."""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig

from replicate.composition import is_sweep, own_words
from replicate.errors import UserError, unknown
from replicate.experiment import Experiment, Run, load_experiment
from replicate.paths import conf_dir
from replicate.progress import Monitor, ProgressWriter
from replicate.records import Record, RunStore
from replicate.studies import load_study

BUSY_WAIT = 2.0  # seconds between looks at runs that another process is doing
SWEEP = "REPLICATE_SWEEP"  # in the environment of workers on this machine: the process of their sweep
SWEEP_GONE = threading.Event()
GRACE = 30.0  # seconds that a worker has to save its run when its sweep is gone


@dataclass(frozen=True)
class Sweep:
    """What :func:`run_experiment` did."""

    experiment: Experiment
    runs: list[Run]
    records: list[Record]
    done_before: int
    failed: list[Run]


def selected(experiment: Experiment, words: Sequence[str]) -> list[Run]:
    """The runs that `variant=` and `seed=` among the command line's words leave, or all."""
    chosen = dict(chosen_values(word, experiment.variants) for word in words if is_sweep(word))
    seeds = [whole_number(value) for value in chosen["seed"]] if "seed" in chosen else None
    for variant in chosen.get("variant", []):
        if variant not in experiment.variants:
            raise unknown(f"variant of {experiment.name} at {experiment.scale} scale", variant, experiment.variants)
    return experiment.runs(chosen.get("variant"), seeds)


def chosen_values(word: str, variants: Iterable[str]) -> tuple[str, list[str]]:
    """`variant=a,b`, `seed=range(3)`, `variant=[a, b]` as key and values.

    A variant whose name has commas or parentheses, which are Hydra's grammar, may be given as it is.
    """
    key, _, text = word.partition("=")
    if text in variants:
        return key, [text]
    override = OverridesParser.create().parse_override(word)
    given: Any = list(override.sweep_iterator()) if override.is_sweep_override() else override.value()
    values = given if isinstance(given, list) else [given]
    return key, [one.text if isinstance(one, QuotedString) else str(one) for one in values]


def whole_number(text: str) -> int:
    if not text.isdecimal():
        raise UserError(f"seed is a whole number of at least 0, not {text}")
    return int(text)


def run_experiment(name: str, words: Sequence[str] = (), quiet: bool = False) -> Sweep:
    """Do what is not done of experiment `name` under the command line's `key=value` words; `quiet` shows no progress.

    Raises UserError, before anything is written, for whatever cannot be. A run that fails leaves its traceback in its
    folder and does not stop the others.
    """
    from replicate.checks import check_runs

    experiment = load_experiment(name, words)
    runs = selected(experiment, words)
    store = RunStore(experiment.runs_dir)
    records = {run.id: record for run in runs if (record := settled(store, run)) is not None}
    pending = [run for run in runs if run.id not in records]
    done_before = len(runs) - len(pending)
    failed: list[Run] = []
    if pending:
        check_runs(experiment, pending)
        store.prepare()
        with nullcontext() if quiet else Monitor(store, pending):
            failed = sweep_until_done(experiment, words, store, pending)
    records |= {run.id: record for run in pending if (record := store.read(run.id)) is not None}
    return Sweep(experiment, runs, [records[run.id] for run in runs if run.id in records], done_before, failed)


def settled(store: RunStore, run: Run) -> Record | None:
    """The whole record that the run left, or None; what a kill left beside it is removed."""
    record = store.read(run.id)
    if record is not None:
        store.tidy(run.id)
    return record


def sweep_until_done(experiment: Experiment, words: Sequence[str], store: RunStore, pending: list[Run]) -> list[Run]:
    """Launch `pending`; runs that another process holds are waited for. Returns those that failed."""
    failed: dict[str, Run] = {}
    while pending:
        results = launch_surviving(experiment, words, store, pending)
        failed |= {run.id: run for run in pending if results.get(run.id) == "failed"}
        pending = [run for run in pending if run.id not in failed and not store.has(run.id)]
        if pending:
            time.sleep(BUSY_WAIT)
    return list(failed.values())


def launch_surviving(
    experiment: Experiment, words: Sequence[str], store: RunStore, pending: Sequence[Run]
) -> dict[str, str]:
    """Launch; when a worker dies under the launcher, say so and leave its runs to the next round.

    Raises UserError when no run was finished, so that a run that kills whoever does it cannot go round for ever.
    """
    try:
        return launch(experiment, words, pending)
    except UserError:
        raise
    except Exception as error:  # each launcher has its own kinds
        told = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}"
        if not any(store.has(run.id) for run in pending):
            raise UserError(f"the launcher failed and no run was finished ({told}); the next call goes on") from error
        print(f"replicate: the launcher failed ({told}); going on with what is left", file=sys.stderr, flush=True)
        return {run.id: "failed" for run in pending if store.trace_path(run.id).exists()}


def launch(experiment: Experiment, words: Sequence[str], pending: Sequence[Run]) -> dict[str, str]:
    """Hand `pending` to Hydra's launcher. Returns what became of each run id: done, busy or failed.

    Hydra's own sweep of the same file would start a job for every run, also for the ten thousand that are done.
    """
    own = [f"experiment={experiment.name}", *own_words(words)]
    jobs = [[*own, f"variant='{run.variant}'", f"seed={run.seed}"] for run in pending]
    with initialize_config_dir(str(conf_dir().absolute()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        config = loader.load_configuration("config", own, RunMode.MULTIRUN)
        HydraConfig.instance().set_config(config)
        context = HydraContext(config_loader=loader, callbacks=Callbacks())  # none that a configuration may name
        launcher = Plugins.instance().instantiate_launcher(context, run_job, config)
        os.environ[SWEEP] = str(os.getpid())
        results = launcher.launch(jobs, initial_job_idx=0)
    return dict(result.return_value for result in results)


def run_job(config: DictConfig) -> tuple[str, str]:
    """Hydra's task: one composed configuration to one run. Returns (run id, done | busy | failed)."""
    end_with_sweep()
    context = HydraConfig.get()
    choices: Any = context.runtime.choices
    experiment = Experiment(str(choices.experiment), config, own_words(context.overrides.task))
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

    from replicate.studies.base import Task, record_of
    from replicate.tracking import make_tracker

    torch.set_num_threads(experiment.machine.threads)
    started = time.monotonic()
    with make_tracker(experiment, run, store.folder(run.id)) as tracker:
        task = Task(run, experiment.machine, store, ProgressWriter(store.folder(run.id)), tracker)
        outcome = load_study(run.config.study)(task)
        record = record_of(task, outcome, time.monotonic() - started)
        tracker.finish(record)
    return record
