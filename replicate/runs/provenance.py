"""Where and with what a run was done."""

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from replicate.experiments.run_config import MachineConfig
from replicate.paths import PACKAGE

PACKAGES = ("replicate", "torch", "torchvision", "pytorch-lightning", "numpy", "hydra-core")


def provenance(
    machine: MachineConfig, devices: int, data_checksum: str | None, precision: str | None = None
) -> dict[str, Any]:
    """Commit, versions, hardware and switches, as used and not as asked for. Holds no host name, user or path."""
    gpu = gpu_name(machine.accelerator)
    return {
        **commit(),
        "python": platform.python_version(),
        "packages": versions(),
        "os": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_name(),
        "gpu": gpu,
        "devices": devices,
        **machine.model_dump(exclude={"workers", "runs_per_gpu", "loader_workers", "checkpoint_seconds"}),
        "accelerator": "cpu" if gpu is None else "cuda",
        **({} if precision is None else {"precision": precision}),
        "data_checksum": data_checksum,
    }


@cache
def commit() -> dict[str, Any]:
    """The git commit of the code and whether files of the package or configuration differ from it."""
    try:
        head = git("rev-parse", "HEAD")
        changed = git("status", "--porcelain", "--", "replicate", "conf")
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}
    return {"commit": head, "dirty": bool(changed)}


def git(*words: str) -> str:
    command = ["git", "-C", str(PACKAGE.parent), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()


@cache
def versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


@cache
def cpu_name() -> str:
    """The processor's own name, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def gpu_name(accelerator: str) -> str | None:
    """The name of the GPU a run uses, None on a CPU."""
    import torch

    return torch.cuda.get_device_name() if accelerator != "cpu" and torch.cuda.is_available() else None
