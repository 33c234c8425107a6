"""Do the runs of an experiment that are not done yet, through Hydra's sweep and launcher."""

import os
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode

from replicate.errors import UserError
from replicate.experiments.catalogue import find
from replicate.experiments.composition import experiment_words, own_words
from replicate.experiments.experiment import Experiment, load_experiment
from replicate.experiments.run_config import Run
from replicate.paths import conf_dir
from replicate.runs.progress import Monitor
from replicate.runs.records import Record
from replicate.runs.store import RunStore
from replicate.sweep.execute import SWEEP, run_job
from replicate.sweep.select import selected

BUSY_WAIT = 2.0  # seconds between looks at runs that another process is doing


@dataclass(frozen=True)
class Sweep:
    """What :func:`run_experiment` did."""

    experiment: Experiment
    runs: list[Run]
    records: list[Record]
    done_before: int
    failed: list[Run]


def run_experiment(name: str, words: Sequence[str] = (), quiet: bool = False) -> Sweep:
    """Do what is not done of experiment `name` under the command line's `key=value` words; `quiet` shows no progress.

    Raises UserError, before anything is written, for whatever cannot be. A run that fails leaves its traceback in its
    folder and does not stop the others.
    """
    from replicate.sweep.preflight import check_runs

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
    own = [*experiment_words(find(experiment.name)), *own_words(words)]
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
