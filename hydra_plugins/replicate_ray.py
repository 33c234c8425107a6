"""launcher=ray: each run is a task of a Ray cluster, which starts a lost one again elsewhere; it resumes.

hydra-ray-launcher 1.2.2 asks for cloudpickle < 3, which joblib no longer accepts, and for Amazon's boto3; 1.4 needs a
Hydra that is not released. Hydra looks for launchers in this package only.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


@dataclass
class RayLauncherConf:
    """What conf/launcher/ray.yaml may set; see :class:`RayLauncher`."""

    _target_: str = "hydra_plugins.replicate_ray.RayLauncher"
    init: dict[str, Any] = field(default_factory=dict)
    remote: dict[str, Any] = field(default_factory=dict)


ConfigStore.instance().store(group="hydra/launcher", name="replicate_ray", node=RayLauncherConf, provider="replicate")


class RayLauncher(Launcher):
    """`init` are arguments of ray.init (address: auto joins a cluster), `remote` those of ray.remote for each run."""

    def __init__(self, init: DictConfig, remote: DictConfig) -> None:
        self.init: Any = OmegaConf.to_container(init, resolve=True)
        self.remote: Any = OmegaConf.to_container(remote, resolve=True)
        self.given: tuple[HydraContext, DictConfig, TaskFunction]

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.given = (hydra_context, config, task_function)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """One task a job; what they share is sent to a machine once."""
        import ray  # here, since Hydra imports this file to see what launchers there are

        setup_globals()
        if not ray.is_initialized():
            ray.init(**self.init)
        task = ray.remote(**self.remote)(do)
        shared = ray.put((*self.given, Singleton.get_state(), os.getcwd()))
        jobs = enumerate(job_overrides, initial_job_idx)
        tasks = [task.remote(number, list(overrides), shared) for number, overrides in jobs]
        return [ray.get(one) for one in tasks]


def do(number: int, overrides: list[str], shared: tuple[Any, ...]) -> JobReturn:
    """Hydra's job in a worker of Ray, in the folder of the person who launched it: the store's path may be relative."""
    from hydra_plugins.hydra_joblib_launcher._core import execute_job

    context, config, function, state, folder = shared
    os.chdir(folder)
    done: JobReturn = execute_job(number, overrides, context, config, function, state)
    return done
