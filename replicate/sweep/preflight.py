"""What must hold before a sweep may begin, so that a bad input costs one line and no work."""

from collections.abc import Sequence
from importlib.util import find_spec
from shutil import which

from replicate.errors import UserError, unknown
from replicate.experiments.experiment import Experiment
from replicate.experiments.kinds import STUDIES
from replicate.experiments.run_config import Run
from replicate.runs.task import study_check
from replicate.sweep.executors import executor_of, processes


def check_runs(experiment: Experiment, runs: Sequence[Run]) -> None:
    """Every name is known, every network can be built, the data are there. Raises UserError."""
    check_paper(experiment, runs)
    check_metrics(experiment)
    check_settings(experiment)
    check_devices(experiment, runs)
    check_precisions(experiment, runs)
    check = study_check(experiment.settings.study)
    for config in {run.variant: run.config for run in runs}.values():
        check(config)


def check_metrics(experiment: Experiment) -> None:
    """The study measures what the experiment binds to the columns of its table."""
    study = experiment.settings.study
    for column, metric in experiment.settings.metrics.items():
        if STUDIES[study].metric(metric) is None:
            known = (known.name for known in STUDIES[study].metrics)
            raise unknown(f"metric of study {study} (metrics.{column})", metric, known)


def check_settings(experiment: Experiment) -> None:
    """Read each setting that is no part of a run, so that a wrong value is reported before the first run begins."""
    _ = experiment.wandb, experiment.runs_dir, experiment.budget
    check_launcher(str(experiment.launcher.get("kind")))
    if executor_of(experiment.launcher).here and experiment.machine.accelerator == "gpu":
        from replicate.training.device import accelerator_device  # here, since torch takes a second to import

        accelerator_device("gpu")


def check_launcher(kind: str) -> None:
    """The launcher's library and its queue are on this machine."""
    library = {"slurm": "submitit", "slurm_local": "submitit", "ray": "ray"}.get(kind)
    if library is not None and find_spec(library) is None:
        raise UserError(f"launcher={kind} needs {library}: pip install 'replicate[cluster]'")
    if kind == "slurm" and which("srun") is None:
        raise UserError("launcher=slurm: there is no srun here; launcher=slurm_local tries the same on one machine")


def check_devices(experiment: Experiment, runs: Sequence[Run]) -> None:
    """Several devices have a training to share, and each training has them to itself."""
    devices = max([experiment.devices, *(run.config.devices for run in runs)])
    if devices == 1:
        return
    asked, machine = f"trainer.devices={devices}", experiment.machine
    if any(run.config.trainer is None or run.config.recipe is None for run in runs):
        raise UserError(f"{asked}: study {experiment.settings.study} trains nothing here, and measures on one device")
    if machine.compile:
        raise UserError(f"{asked}: a compiled network is trained on one device only; set machine.compile=false")
    if not executor_of(experiment.launcher).here:
        return  # the machine that does the runs checks again
    from replicate.training.device import accelerator_device, check_gpus

    check_gpus(devices, machine.accelerator)
    if accelerator_device(machine.accelerator).type == "cuda" and processes(machine) != 1:
        raise UserError(f"{asked}: several runs at once would share them; set machine.workers=1")


def check_precisions(experiment: Experiment, runs: Sequence[Run]) -> None:
    """This machine has the accelerator and the precision that the trainings ask for."""
    asked = {run.config.trainer.precision for run in runs if run.config.trainer is not None}
    if asked and executor_of(experiment.launcher).here:
        from replicate.training.device import check_precision

        for precision in asked:
            check_precision(precision, experiment.machine.accelerator)


def check_paper(experiment: Experiment, runs: Sequence[Run]) -> None:
    """The table, its rows and claims exist in the paper's data."""
    settings = experiment.settings
    paper = experiment.paper
    if settings.table not in paper.tables:
        raise UserError(f"{experiment.name}: paper {settings.paper} has no table '{settings.table}'")
    rows = {row.variant for row in paper.tables[settings.table].rows}
    for run in runs:
        if run.row is not None and run.row not in rows:
            raise UserError(f"{experiment.name}: table {settings.table} has no row '{run.row}'")
    missing = set(settings.claims) - {claim.id for claim in paper.claims}
    if missing:
        raise UserError(f"{experiment.name}: paper {settings.paper} makes no claim '{min(missing)}'")
