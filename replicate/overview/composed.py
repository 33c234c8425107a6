"""`replicate show EXP --config`: what Hydra composes, variant by variant, as it decides a run's result and id."""

from collections.abc import Sequence

import yaml

from replicate.experiments.experiment import load_experiment
from replicate.experiments.run_config import Run


def composed(name: str, words: Sequence[str]) -> str:
    """One YAML document a variant, under its run's id for seed 0; `variant=` and `seed=` do not narrow it.

    Raises UserError as running it would.
    """
    experiment = load_experiment(name, words)
    settings = {
        "scale": str(experiment.scale),
        "seeds": len(experiment.seeds),
        "runs_dir": str(experiment.runs_dir),
        "machine": experiment.machine.model_dump(),
        "launcher": experiment.launcher,
    }
    head = f"# {name}: how it is run, which is no part of a run's id\n{dumped(settings)}"
    return head + "".join(document(experiment.run(variant, 0)) for variant in experiment.variants)


def document(run: Run) -> str:
    """The configuration of one variant, recipe file and paper's recipe filled in."""
    row = f", published row {run.row}" if run.row else ""
    return f"---\n# {run.variant}{row}: {run.id}\n{dumped(run.config.model_dump(mode='json', exclude_none=True))}"


def dumped(data: object) -> str:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)
