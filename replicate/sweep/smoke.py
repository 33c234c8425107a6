"""Every experiment and variant at smoke scale, in a folder that is gone afterwards."""

import tempfile
import time
from dataclasses import dataclass

from joblib import Parallel, delayed

from replicate.experiments.catalogue import catalogue
from replicate.experiments.scale import Scale
from replicate.sweep.executors import cores
from replicate.sweep.launch import run_experiment


@dataclass(frozen=True)
class Smoked:
    """How one experiment went: `problem` in one line if it could not even begin."""

    name: str
    runs: int
    failed: int
    seconds: float
    problem: str = ""

    def line(self) -> str:
        state = self.problem or (f"{self.failed} FAILED" if self.failed else "ok")
        return f"{self.name:28} {self.runs:3} runs  {self.seconds:5.1f} s  {state}"


def smoke_all(workers: int | None = None) -> int:
    """Run them all, an experiment to a process and a process to a core; a line each. How many runs failed.

    Not the runs of one experiment side by side: composing and checking it takes as long as its runs.
    """
    names = [entry.name for entry in catalogue() if {Scale.SMOKE, Scale.EXACT} & {*entry.scales}]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        each = Parallel(n_jobs=cores(workers), return_as="generator")
        for done in each(delayed(smoke)(name, folder) for name in names):
            failed += done.failed
            print(done.line(), flush=True)
    return failed


def smoke(name: str, folder: str) -> Smoked:
    """One experiment, its runs one after the other in this process."""
    began = time.monotonic()
    overrides = ["scale=smoke", "launcher=inline", f"runs_dir={folder}", "wandb=disabled"]
    try:
        sweep = run_experiment(name, overrides, quiet=True)
    except Exception as error:  # one experiment that cannot begin leaves the others theirs
        return Smoked(name, 0, 1, time.monotonic() - began, f"{type(error).__name__}: {error}".splitlines()[0])
    return Smoked(name, len(sweep.runs), len(sweep.failed), time.monotonic() - began)
