"""Study `convolution`: the statements of the source documents, and of single papers, that arithmetic decides."""

from replicate.errors import unknown
from replicate.experiments.run_config import RunConfig
from replicate.runs.records import singles
from replicate.runs.task import Outcome, Task
from replicate.statements.checks import checks_of, run_part
from replicate.studies.options import ConvolutionOptions

Config = RunConfig[ConvolutionOptions]


def check(config: Config) -> None:
    """Raises UserError for a part or claim that does not exist."""
    known = checks_of(config.options.part)
    for claim in config.options.claims:
        if claim not in known:
            raise unknown(f"claim of part {config.options.part}", claim, known)


def run(task: Task[Config]) -> Outcome:
    """One measurement for each figure, under its column's name.

    The run's seed draws tensors, which matter to no equality and no count.
    """
    options = task.run.config.options
    return Outcome(tuple(singles(run_part(options.part, task.run.seed, options.claims))))
