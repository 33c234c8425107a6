"""One call of `replicate run` in a process of its own, forked from one that has imported everything already."""

import copy
import ctypes
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack, chdir, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.faults.hooks import Hook

LIMIT = 600.0  # seconds after which a sitting counts as hanging, also where many share the processors
CAPABILITY_VERSION, DAC_OVERRIDE = 0x20080522, 1  # linux/capability.h
EXPERIMENT = "resnet_shortcuts"
WARM = (
    "matplotlib.backends.backend_svg",
    "replicate.cli",
    "replicate.sweep.launch",
    "replicate.report.figures.table_figure",
    "replicate.studies.train",
    "replicate.training.fit",
    "replicate.training.preemption",
)


class Hanging(Exception):
    """A sitting did not end."""


@dataclass
class Sitting:
    """A running command; `code` is its exit code, minus the number of the signal that ended it."""

    process: int
    began: float
    code: int | None = None

    def running(self) -> bool:
        if self.code is None:
            ended, status = os.waitpid(self.process, os.WNOHANG)
            if ended:
                self.code = os.waitstatus_to_exitcode(status)
                self.end_group()
        return self.code is None

    def wait(self, limit: float = LIMIT) -> int:
        """The exit code. Raises Hanging."""
        while self.running():
            if time.monotonic() - self.began > limit:
                self.end_group()
                os.waitpid(self.process, 0)
                raise Hanging
            time.sleep(0.005)
        assert self.code is not None
        return self.code

    def wait_until(self, reached: Callable[[], bool]) -> bool:
        """Whether `reached` came true while the command ran."""
        while self.running():
            if reached():
                return True
            time.sleep(0.001)
        return False

    def signal(self, number: int) -> bool:
        """Send the command's process a signal; whether it was still running."""
        if not self.running():
            return False
        os.kill(self.process, number)
        return True

    def end_group(self) -> None:
        """End what the command started and left behind."""
        with suppress(ProcessLookupError):
            os.killpg(self.process, signal.SIGKILL)


def warm() -> None:
    """Import what a sitting needs and let it remember configurations: composing one takes longer than the training.

    Nothing is trained here: torch's backward pass does not survive a fork.
    """
    import torch

    from replicate.experiments import experiment
    from replicate.runs.provenance import commit

    for module in WARM:
        import_module(module)
    torch.set_num_threads(1)
    commit()
    remember(experiment, "compose_config", lambda overrides: repr(overrides))
    remember(experiment.Experiment, "run", lambda experiment, *rest: repr((experiment._overrides, rest)))


def remember(owner: Any, name: str, key: Callable[..., str]) -> None:
    """Let the method answer equal questions with copies of its first answer, in this process and its forks."""
    method, known = getattr(owner, name), {}

    def remembered(*given: Any, **named: Any) -> Any:
        question = key(*given, **named)
        if question not in known:
            known[question] = method(*given, **named)
        return copy.deepcopy(known[question])

    setattr(owner, name, remembered)


def rehearse(words: Sequence[str]) -> None:
    """Go through the command without doing its runs, in a folder that is thrown away, to remember what it composes."""
    from replicate.sweep import executors
    from replicate.sweep.execute import execute

    setattr(executors, "execute", lambda job: (job.run.id, "failed"))  # noqa: B010 - the name that executors call
    with ExitStack() as away:
        nowhere = away.enter_context(open(os.devnull, "w"))
        away.enter_context(chdir(away.enter_context(tempfile.TemporaryDirectory())))
        away.enter_context(redirect_stdout(nowhere))
        away.enter_context(redirect_stderr(nowhere))
        command(words, ())
    setattr(executors, "execute", execute)  # noqa: B010


def start(words: Sequence[str], folder: Path, hooks: Sequence[Hook]) -> Sitting:
    """`replicate run WORDS` in `folder`, its output appended to `folder`/output."""
    process = os.fork()
    if process:
        return Sitting(process, time.monotonic())
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # SIGQUIT would leave gigabytes
        redirect(folder / "output")
        os.chdir(folder)
        give_up_override()
        code = command(words, hooks)
    except BaseException:
        traceback.print_exc()
        code = 70
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def give_up_override() -> None:
    """Let read-only folders be read-only for root, too (capset(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice
    if libc.capget(header, sets) == 0:
        sets[0] &= ~(1 << DAC_OVERRIDE)
        libc.capset(header, sets)


def redirect(output: Path) -> None:
    descriptor = os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)


def command(words: Sequence[str], hooks: Sequence[Hook]) -> int:
    """What the console script does, and its exit code."""
    from replicate import cli
    from replicate.sweep import launch

    launch.BUSY_WAIT = 0.05
    for hook in hooks:
        hook()
    sys.argv = ["replicate", "run", *words]
    try:
        cli.main()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    return 0
