"""Who does the runs of a sweep: this process, processes of this machine (joblib), or a cluster (cluster.py).

Hydra composes once, in the process that launches; an executor gets finished jobs, which can be pickled, and hands each
to :func:`replicate.sweep.execute.execute`. `launcher=` chooses one, and its resources are the settings of that group.
"""

import os
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PrivateAttr, TypeAdapter, ValidationError

from replicate.errors import UserError, first_line
from replicate.experiments.experiment import Experiment
from replicate.experiments.kinds import STUDIES
from replicate.experiments.run_config import Block, MachineConfig
from replicate.sweep.cluster import Ray, Slurm
from replicate.sweep.execute import SWEEP, Done, Job, end_with_sweep, execute
from replicate.sweep.gpus import gpus_of_run


class Inline(Block):
    """One run after another in this process: for counting, for debugging, for one GPU."""

    kind: Literal["inline"]
    here: ClassVar[bool] = True

    def __call__(self, jobs: Sequence[Job]) -> list[Done]:
        return [execute(job) for job in jobs]


class Local(Block):
    """One process per core of this machine, or `machine.workers` of them, through joblib."""

    kind: Literal["local"]
    here: ClassVar[bool] = True

    _early: Generator[None] | None = PrivateAttr(None)

    def start(self, jobs: Sequence[Job]) -> None:
        """Start the processes, which import what the jobs need, and return at once."""
        from joblib import Parallel, delayed

        count = self._count(jobs)
        if count > 1:  # joblib does all in this process otherwise
            os.environ[SWEEP] = str(os.getpid())
            each = Parallel(n_jobs=count, return_as="generator_unordered")
            self._early = each(delayed(prepare)(jobs[0]) for _ in range(count))

    def stop(self) -> None:
        """End processes that were started for nothing."""
        if self._early is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # joblib finds it a waste
                self._early.close()

    def __call__(self, jobs: Sequence[Job]) -> list[Done]:
        from joblib import Parallel, delayed

        for _ in self._early or ():
            pass  # they go on as the processes that joblib keeps
        os.environ[SWEEP] = str(os.getpid())
        done: list[Done] = Parallel(n_jobs=self._count(jobs))(delayed(execute)(job) for job in jobs)
        return done

    @staticmethod
    def _count(jobs: Sequence[Job]) -> int:
        return min(processes(jobs[0].machine), len(jobs))


def prepare(job: Job) -> None:
    """In a new process of the sweep: import what does the job, of which Lightning takes seconds."""
    end_with_sweep(job.runs_dir)
    import_module(STUDIES[job.run.config.study].module)
    if STUDIES[job.run.config.study].trains:
        import_module("replicate.training.fit")


Executor = Annotated[Inline | Local | Slurm | Ray, Field(discriminator="kind")]


def executor_of(settings: dict[str, Any]) -> Inline | Local | Slurm | Ray:
    """The executor that the composed group `launcher` describes. Raises UserError for a setting that it lacks."""
    try:
        executor: Inline | Local | Slurm | Ray = TypeAdapter(Executor).validate_python(settings)
    except ValidationError as error:
        raise UserError(f"launcher.{first_line(error).removeprefix(str(settings.get('kind')) + '.')}") from error
    return executor


@contextmanager
def early(executor: Executor, jobs: Sequence[Job]) -> Iterator[None]:
    """Local processes start while the sweep is still being checked, and end if it is refused."""
    if not isinstance(executor, Local):
        yield
        return
    with suppress(Exception):  # the launch itself will fail in the same way, and says so
        executor.start(jobs)
    try:
        yield
    except BaseException:
        executor.stop()
        raise


def cores(workers: int | None) -> int:
    """That many processes; by default one per core that this process may use."""
    return workers or len(os.sched_getaffinity(0))


def processes(machine: MachineConfig) -> int:
    """How many runs are done at a time: `machine.workers`, else one for each place on a GPU, else one per core."""
    return machine.workers or machine.runs_per_gpu * len(gpus_of_run(machine)) or cores(None)


def workers_of(experiment: Experiment) -> int:
    """How many runs of the experiment are done at a time on this machine."""
    return 1 if experiment.launcher.get("kind") == "inline" else processes(experiment.machine)
