"""Who does the runs of a sweep: this process, processes of this machine (joblib), SLURM (submitit) or Ray.

Hydra composes once, in the process that launches; an executor gets finished jobs, which can be pickled, and hands each
to :func:`replicate.sweep.execute.execute`. `launcher=` chooses one, and its resources are the settings of that group.
"""

import os
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PrivateAttr, TypeAdapter, ValidationError

from replicate.errors import UserError, first_line
from replicate.experiments.experiment import Experiment
from replicate.experiments.kinds import STUDIES
from replicate.experiments.run_config import Block, MachineConfig
from replicate.sweep.execute import SWEEP, Done, Job, end_with_sweep, execute
from replicate.sweep.gpus import gpus_of_run

BATCH_LOGS = ".sweeps"  # in the runs folder: what submitit keeps of its jobs


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


class Slurm(Block):
    """A job array, one job a run, through submitit. All nodes see the same runs folder.

    Before the time limit, and on preemption, a run checkpoints and its job is queued again, `requeues` times at most.
    `extra` are further options of sbatch by their names there. slurm_local: submitit's own executor on this machine.
    """

    kind: Literal["slurm", "slurm_local"]
    minutes: int = Field(240, ge=1)
    partition: str | None = None
    account: str | None = None
    gpus: int = Field(0, ge=0)
    cpus: int | None = Field(None, ge=1)
    memory_gb: float | None = Field(None, gt=0)
    at_once: int | None = Field(None, ge=1)
    requeues: int = Field(100, ge=0)
    signal_seconds: int = Field(120, ge=0)
    extra: dict[str, Any] = Field(default_factory=dict)

    @property
    def here(self) -> bool:
        """Whether the runs are done on this machine."""
        return self.kind == "slurm_local"

    def __call__(self, jobs: Sequence[Job]) -> list[Done]:
        import submitit

        folder = jobs[0].runs_dir / BATCH_LOGS
        cluster = self.kind.removeprefix("slurm_")
        requeues = {"slurm_max_num_timeout": self.requeues} if cluster == "slurm" else {}
        executor = submitit.AutoExecutor(folder=folder, cluster=cluster, **requeues)
        executor.update_parameters(**self._resources(jobs[0], cluster))
        return [submitted.result() for submitted in executor.map_array(Requeued(), jobs)]

    def _resources(self, job: Job, cluster: str) -> dict[str, Any]:
        asked: dict[str, Any] = {
            "timeout_min": self.minutes,
            "gpus_per_node": self.gpus or None,
            "cpus_per_task": self.cpus or job.machine.threads + job.machine.loader_workers,
            "mem_gb": self.memory_gb,
        }
        if cluster == "slurm":
            asked |= {
                "slurm_partition": self.partition,
                "slurm_account": self.account,
                "slurm_array_parallelism": self.at_once,
                "slurm_signal_delay_s": self.signal_seconds,
                "slurm_additional_parameters": self.extra or None,
            }
        return {name: value for name, value in asked.items() if value is not None}


class Requeued:
    """The task of a batch job; submitit asks `checkpoint` what to queue when the job must leave before its end."""

    def __call__(self, job: Job) -> Done:
        return execute(job)

    def checkpoint(self, job: Job) -> Any:
        import submitit

        return submitit.helpers.DelayedSubmission(self, job)


class Ray(Block):
    """A task a run on a Ray cluster, by default one on this machine; `address: auto` joins the one it belongs to.

    Ray starts a lost task again elsewhere, `retries` times at most, and the run resumes from its checkpoint. `runtime`
    are further arguments of ray.init.
    """

    kind: Literal["ray"]
    address: str | None = None
    gpus: float = Field(0, ge=0)
    cpus: int | None = Field(None, ge=1)
    retries: int = Field(3, ge=0)
    runtime: dict[str, Any] = Field(default_factory=dict)
    here: ClassVar[bool] = False

    def __call__(self, jobs: Sequence[Job]) -> list[Done]:
        import ray

        if not ray.is_initialized():
            ray.init(address=self.address, include_dashboard=False, log_to_driver=True, **self.runtime)
        cpus = self.cpus or jobs[0].machine.threads
        resources: Any = ray.remote(num_cpus=cpus, num_gpus=self.gpus, max_retries=self.retries)
        task = resources(in_folder)
        done: list[Done] = ray.get([task.remote(Path.cwd(), job) for job in jobs])
        return done


def in_folder(folder: Path, job: Job) -> Done:
    """Do the job in the folder of the user who launched it: paths of data may be relative."""
    os.chdir(folder)
    return execute(job)


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
