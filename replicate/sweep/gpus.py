"""A GPU of its own for each process that does runs on this machine; several small runs may share one.

A process takes a slot with its first run and keeps it until it ends: CUDA reads CUDA_VISIBLE_DEVICES once. The slots
are lock files in the machine's temporary folder, so that two sweeps at once share the GPUs, too, and the kernel gives
back those of a killed process. SLURM and Ray give their jobs one visible GPU themselves; then nothing is taken.
"""

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from replicate.experiments.run_config import MachineConfig

VISIBLE = "CUDA_VISIBLE_DEVICES"
DRIVERS = ("nvidia*", "nvhost*", "dxg", "kfd")  # NVIDIA's, those of its boards, of WSL, AMD's
WAIT = 2.0  # seconds between looks for a free GPU

held: list[FileLock] = []
"""The slot of this process; a lock is released when nothing refers to it any more."""


def gpus_of_run(machine: MachineConfig) -> list[str]:
    """The GPUs that runs on this machine may use, as CUDA names them; none where they run on the CPU."""
    if machine.accelerator == "cpu":
        return []
    named = os.environ.get(VISIBLE)
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip()]
    if sys.platform == "linux" and not any(any(Path("/dev").glob(driver)) for driver in DRIVERS):
        return []  # torch would say the same, and takes more than a second to import
    import torch

    return [str(index) for index in range(torch.cuda.device_count())]


def take_gpu(machine: MachineConfig, gpus: Sequence[str], slots: Path | None = None) -> str | None:
    """Make one of several `gpus` the only one that this process sees; waits until one is free. Returns its name.

    A process that has one already, or a choice of fewer than two, changes nothing. `slots`: where the lock files lie.
    """
    if held or len(gpus) < 2:
        return None
    folder = slots or Path(tempfile.gettempdir()) / f"replicate-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        for place in range(machine.runs_per_gpu):
            for gpu in gpus:
                lock = FileLock(folder / f"{gpu}-{place}.lock")
                try:
                    lock.acquire(timeout=0)
                except Timeout:
                    continue
                held.append(lock)
                os.environ[VISIBLE] = gpu
                return gpu
        time.sleep(WAIT)
