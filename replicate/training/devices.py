"""One training on several devices: a process for each device, started and watched by the process of the run.

The process of the run does not train. So it can end a device's process that no longer answers, whatever that waits
for. It alone uses store, progress and tracker, and it tests on one device once the others have ended.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any

import torch
import torch.distributed as dist
from pytorch_lightning.strategies import DDPStrategy
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from replicate.compat import disable_lightning_signals
from replicate.data.epochs import Share
from replicate.experiments.run_config import MachineConfig, Run, TrainingConfig
from replicate.runs.progress import Progress
from replicate.runs.store import CHECKPOINT, RunStore
from replicate.runs.task import Task, Tracker
from replicate.training.checkpoint import Checkpoint
from replicate.training.device import accelerator_device, check_gpus
from replicate.training.module import Classification
from replicate.training.preemption import SIGNALS, Preempted, Preemption
from replicate.training.trainer import make_trainer, prepare, quiet_lightning
from replicate.training.watch import Watch

ASK_EVERY = 10  # steps between the first device's broadcasts, each of which waits for all devices
PATIENCE = timedelta(hours=6)  # for which a device waits for another, which may validate; a dead one is seen at once
GRACE = 5.0  # seconds in which the other processes may end after the first one failed


class Relay(Tracker):
    """Sends progress and metrics from the first device's process to the process of the run."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe

    def report(self, progress: Progress) -> None:
        self.pipe.send(("report", progress))

    def log(self, step: int, values: Any) -> None:
        self.pipe.send(("log", step, values))


class Orders:
    """The first device decides for all when to save and whether to stop; alone, each would decide differently."""

    def __init__(self, checkpoint: Checkpoint, pipe: Connection) -> None:
        self.checkpoint, self.pipe = checkpoint, pipe

    def __call__(self, module: Classification, done: int) -> None:
        save, number = module.ends(done), 0
        if not save and done % ASK_EVERY == 0:
            save, number = module.trainer.strategy.broadcast(self.decide())
        if save:
            self.checkpoint.save(module)
        if number:
            raise Preempted(128 + number)

    def decide(self) -> tuple[bool, int]:
        """Whether to save, and the signal to stop on, or 0. Only the first device's pipe gets signals."""
        number = self.pipe.recv() if self.pipe.poll() else 0
        return number > 0 or self.checkpoint.due(), number


def ignore_signals() -> None:
    """Leave signals to the process of the run, which tells the first device."""
    for number in (*SIGNALS, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def end_with_parent() -> None:
    """End this process when its parent ends, even if that is killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def train_rank(
    rank: int, run: Run[TrainingConfig], machine: MachineConfig, store: RunStore, port: int, pipe: Connection
) -> None:
    """Run the process of device `rank`. Its exit code is 0, or 128 + the signal on which it stopped."""
    end_with_parent()
    ignore_signals()
    try:
        train_share(rank, Task(run, machine, store, Relay(pipe).report, Relay(pipe)), port, pipe)
    except Exception:
        with suppress(OSError):
            pipe.send(("fail", rank, time.time(), traceback.format_exc()))
        sys.exit(1)


def train_share(rank: int, task: Task[TrainingConfig], port: int, pipe: Connection) -> None:
    """Train on every N-th micro-batch, beginning with `rank`, where N is the number of devices."""
    config = task.run.config
    devices = config.devices
    torch.set_num_threads(task.machine.threads)
    device = join_group(rank, devices, port, accelerator_device(task.machine.accelerator).type)
    watch = Watch(task, config.recipe.batch_size)
    orders = Orders(Checkpoint(task.folder, task.machine.checkpoint_seconds), pipe)
    share = Share(config.trainer.parts, devices, rank)
    training = prepare(task, share, device, (orders,) if rank else (watch, orders))
    with quiet_lightning():
        trainer = make_trainer(task, config.trainer, strategy=make_strategy(), devices=devices)
        disable_lightning_signals(trainer)
        training.run(trainer, task)
    if rank == 0:
        pipe.send(("finish", watch.speed()))
    dist.destroy_process_group()


def make_strategy() -> DDPStrategy:
    """DDP that averages gradients and nothing else.

    Every device draws the same weights or reads the same checkpoint, so none has to be sent. Each device has its
    running statistics, of which the first device's are kept, as DDP does by default: training never reads them, and
    averages would make a resumed run differ in roundings. Each device also has its sums of the epoch. Stochastic depth
    leaves out other blocks on each device, so some parameters are unused.
    """
    return DDPStrategy(broadcast_buffers=False, init_sync=False, find_unused_parameters=True)


def join_group(rank: int, devices: int, port: int, kind: str) -> torch.device:
    """Join the group of processes at `port`; returns the device of this one."""
    os.environ["LOCAL_RANK"] = str(rank)  # where Lightning's environment looks
    device = torch.device(kind, rank) if kind == "cuda" else torch.device(kind)
    if kind == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group(
        "nccl" if kind == "cuda" else "gloo",
        store=TCPStore("127.0.0.1", port, is_master=False),
        rank=rank,
        world_size=devices,
        timeout=PATIENCE,
        device_id=device if kind == "cuda" else None,
    )
    return device


def train_on_devices(task: Task) -> float | None:
    """Train `task` on its devices and leave the last checkpoint; returns the images/s of all devices together.

    Raises RuntimeError when a device's process fails or dies, Preempted on a signal.
    """
    devices = task.run.config.devices
    check_gpus(devices, task.machine.accelerator)
    team = Team(task, devices)
    with RelayedPreemption(team, task) as preemption:
        try:
            team.start()
            team.listen()
        finally:
            team.end()
        if preemption.noted is not None and {128 + preemption.noted, -preemption.noted} & set(team.codes()):
            preemption.obey(preemption.noted)
        team.check()
    return team.speed


class Team:
    """The devices' processes, for the process of the run."""

    def __init__(self, task: Task, devices: int) -> None:
        self.task = task
        self.meeting = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        self.failures: list[tuple[float, int, str]] = []
        self.speed: float | None = None
        self.dead: list[int] = []
        ends = [multiprocessing.Pipe() for _ in range(devices)]
        self.pipes, self.others = [ours for ours, _ in ends], [theirs for _, theirs in ends]
        self.ranks: list[SpawnProcess] = []

    def start(self) -> None:
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # otherwise DDP warns that no parameter was unused
        given = (self.task.run, self.task.machine, self.task.store, self.meeting.port)
        for rank, pipe in enumerate(self.others):
            process = multiprocessing.get_context("spawn").Process(target=train_rank, args=(rank, *given, pipe))
            process.start()
            self.ranks.append(process)
            pipe.close()

    def listen(self) -> None:
        """Receive the devices' messages until all have ended or one has failed."""
        while (alive := [rank.sentinel for rank in self.ranks if rank.is_alive()]) and not any(self.codes()):
            wait([*self.pipes, *alive])
            self.drain_pipes()

    def drain_pipes(self) -> None:
        """Handle each message that has come: its first item names a method of this class."""
        for pipe in list(self.pipes):
            try:
                while pipe.poll():
                    name, *values = pipe.recv()
                    getattr(self, name)(*values)
            except (EOFError, OSError):
                self.pipes.remove(pipe)

    def report(self, progress: Progress) -> None:
        self.task.report(progress)

    def log(self, step: int, values: Any) -> None:
        self.task.tracker.log(step, values)

    def finish(self, speed: float | None) -> None:
        self.speed = speed

    def fail(self, rank: int, when: float, trace: str) -> None:
        self.failures.append((when, rank, trace))

    def codes(self) -> list[int]:
        """Exit codes of the processes that have ended; negative if a signal ended them."""
        return [rank.exitcode for rank in self.ranks if rank.exitcode is not None]

    def end(self) -> None:
        """End every process, after their last messages."""
        deadline = time.monotonic() + (GRACE if any(self.codes()) else 0)
        for rank in self.ranks:
            rank.join(max(0, deadline - time.monotonic()))
        self.drain_pipes()
        self.dead = [place for place, rank in enumerate(self.ranks) if (rank.exitcode or 0) < 0]
        for rank in self.ranks:
            rank.kill()
            rank.join()

    def check(self) -> None:
        """Raise RuntimeError that names the device which failed first; the others failed because of it."""
        count = len(self.ranks)
        for rank in self.dead:
            name = signal.Signals(-(self.ranks[rank].exitcode or 0)).name
            raise RuntimeError(f"the process of device {rank} of {count} was ended by {name}")
        for _, rank, trace in sorted(self.failures):
            last = trace.strip().splitlines()[-1]
            raise RuntimeError(f"device {rank} of {count} failed: {last}") from RuntimeError(trace)
        if any(self.codes()):
            raise RuntimeError(f"the processes of {count} devices ended with exit codes {self.codes()}")


class RelayedPreemption(Preemption):
    """Sends a signal to the first device; then all devices save at one step and stop."""

    def __init__(self, team: Team, task: Task) -> None:
        super().__init__(task.folder / CHECKPOINT)
        self.first_device = team.pipes[0]

    def note(self, number: int, frame: FrameType | None) -> None:
        if self.noted is None:
            with suppress(OSError):  # it has ended
                self.first_device.send(number)
        super().note(number, frame)
