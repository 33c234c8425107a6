"""`replicate show EXP --config`: what Hydra composes, variant by variant, as it decides a run's result and id."""

from collections.abc import Iterable

import yaml

from replicate.experiments.experiment import Experiment
from replicate.experiments.run_config import Run


def composed(experiment: Experiment, runs: Iterable[Run]) -> str:
    """One YAML document a variant, under the id of its first run. Raises UserError as running it would."""
    settings = {
        "scale": str(experiment.scale),
        "seeds": len(experiment.seeds),
        "runs_dir": str(experiment.runs_dir),
        "machine": experiment.machine.model_dump(),
        "launcher": experiment.launcher,
    }
    head = f"# {experiment.name}: how it is run, which is no part of a run's id\n{dumped(settings)}"
    first = {run.variant: run for run in reversed(list(runs))}
    return head + "".join(document(run) for run in reversed(first.values()))


def document(run: Run) -> str:
    """The configuration of one variant, recipe file and paper's recipe filled in."""
    row = f", published row {run.row}" if run.row else ""
    return f"---\n# {run.variant}{row}: {run.id}\n{dumped(run.config.model_dump(mode='json', exclude_none=True))}"


def dumped(data: object) -> str:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)
