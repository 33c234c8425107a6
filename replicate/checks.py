"""What must hold before a sweep may begin, so that a bad input costs one line and no work."""

from collections.abc import Sequence

from replicate.errors import UserError
from replicate.experiment import Experiment, Run
from replicate.papers import load_paper
from replicate.studies import study_check


def check_runs(experiment: Experiment, runs: Sequence[Run]) -> None:
    """Every name is known, every network can be built, the data are there. Raises UserError."""
    check_paper(experiment, runs)
    check_settings(experiment)
    check = study_check(experiment.settings.study)
    for config in {run.variant: run.config for run in runs}.values():
        check(config)


def check_settings(experiment: Experiment) -> None:
    """Read each setting that is no part of a run, so that a wrong value is told before the first run begins.

    Several devices to one training would multiply the recipe's batch and divide its batch statistics.
    """
    _ = experiment.wandb, experiment.runs_dir
    if experiment.machine.devices > 1:
        raise UserError(
            f"machine.devices={experiment.machine.devices}: a training uses one device, so that its batch stays the "
            "recipe's; trainer.accumulate makes the batch fit, launcher=ray or slurm gives each run a device of its own"
        )


def check_paper(experiment: Experiment, runs: Sequence[Run]) -> None:
    """The table, its rows and claims exist in the paper's data."""
    settings = experiment.settings
    paper = load_paper(settings.paper)
    if settings.table not in paper.tables:
        raise UserError(f"{experiment.name}: paper {settings.paper} has no table '{settings.table}'")
    rows = {row.variant for row in paper.tables[settings.table].rows}
    for run in runs:
        if run.row is not None and run.row not in rows:
            raise UserError(f"{experiment.name}: table {settings.table} has no row '{run.row}'")
    missing = set(settings.claims) - {claim.id for claim in paper.claims}
    if missing:
        raise UserError(f"{experiment.name}: paper {settings.paper} makes no claim '{min(missing)}'")
