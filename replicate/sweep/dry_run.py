"""`replicate run EXP --dry-run`: what would be done, written and decided; nothing is touched."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from replicate.experiments.composition import is_sweep
from replicate.experiments.duration import spoken
from replicate.experiments.experiment import Experiment, load_experiment
from replicate.experiments.run_config import Run
from replicate.overview.seeds_needed import as_text, power_plan
from replicate.report.publish import as_declared
from replicate.runs.committed import available_records, folder_of
from replicate.runs.store import RunStore
from replicate.sweep.plan import plan_of
from replicate.sweep.preflight import check_runs
from replicate.sweep.select import selected


def foreseen(name: str, overrides: Sequence[str], results: Path) -> str:
    """The runs with their ids, what they take, where they go. Raises UserError as running would."""
    experiment = load_experiment(name, overrides)
    runs = selected(experiment, overrides)
    check_runs(experiment, runs)
    store = RunStore(experiment.runs_dir)
    done = store.finished()
    lines = [*run_lines(runs, done), *where(experiment, overrides, results)]
    pending = [run for run in runs if run.id not in done]
    if pending:
        lines.append(plan_of(experiment, pending, available_records(experiment, store, results)).as_text())
    if experiment.budget is not None and not any(map(is_sweep, overrides)):
        lines.append(f"then, where claims are open, further seeds within budget={spoken(experiment.budget)}")
    if experiment.scale.judged and experiment.settings.claims:
        lines += ["what it can decide:", as_text(power_plan(name, list(overrides), results))]
    return "\n".join(lines)


def run_lines(runs: Sequence[Run], done: set[str]) -> Iterator[str]:
    """A line a run."""
    known = sum(run.id in done for run in runs)
    yield f"{len(runs)} runs: {known} are done, {len(runs) - known} to do"
    for run in runs:
        yield f"  {'done ' if run.id in done else 'to do'}  {run.id}  {run.variant} seed {run.seed}"


def where(experiment: Experiment, overrides: Sequence[str], results: Path) -> Iterator[str]:
    """Where records, weights and the outcome would be written."""
    yield f"runs in           {experiment.runs_dir.absolute()}"
    if not experiment.scale.judged:
        yield "results           none: smoke scale judges nothing"
    elif not as_declared(overrides):
        yield "results           none: overrides differ from the experiment's file"
    else:
        yield f"results in        {folder_of(experiment, results).absolute()}, once every run is done"
