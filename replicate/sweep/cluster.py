"""Executors of a cluster: a SLURM queue (submitit), a Ray cluster. Their resources are settings of the launcher."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from replicate.experiments.run_config import Block
from replicate.sweep.execute import Done, Job, execute

BATCH_LOGS = ".sweeps"  # in the runs folder: what submitit keeps of its jobs


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
