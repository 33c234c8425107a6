"""`replicate doctor`: what this machine has of what runs need."""

import os
import platform
import shutil
from pathlib import Path

from replicate.data.config import DataConfig
from replicate.data.names import SHAPES
from replicate.paths import OWN, conf_dir, own_dir
from replicate.runs.provenance import cpu_name, versions
from replicate.sweep.executors import cores

DOWNLOADED = ("mnist", "fashion_mnist", "cifar10", "cifar100", "svhn")
"""Public sets whose files a run may download, each under a folder of data.root."""


def examination(runs_dir: Path, data_root: Path | None) -> dict[str, str]:
    """What is examined -> what was found, in a line."""
    return {
        "replicate": f"{versions()['replicate']}, Python {platform.python_version()}, {platform.system()}",
        "torch": ", ".join(f"{name} {version}" for name, version in versions().items() if name != "replicate"),
        "processor": f"{cpu_name()}, {cores(None)} cores, {memory()}; {reduced_precision()}",
        "GPU": gpus(),
        "configuration": f"{conf_dir()}" + (f" and {OWN}={own}" if (own := own_dir()) else ""),
        "data": data(data_root),
        "wandb": wandb_state(),
        "disk": disk(runs_dir),
    }


def memory() -> str:
    """The machine's memory."""
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB of memory"


def reduced_precision() -> str:
    """Whether the processor has units for bfloat16."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return "whether it has bf16 units is not known"
    found = [name for name in ("amx_bf16", "avx512_bf16", "bf16") if name in flags]
    return f"bf16 units ({found[0]}): trainer.precision=bf16-mixed" if found else "no bf16 units"


def gpus() -> str:
    """The GPUs that torch sees."""
    import torch

    if not torch.cuda.is_available():
        return f"none that torch {torch.__version__} sees: runs use the CPU"
    names = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    precision = "bf16" if torch.cuda.is_bf16_supported() else "no bf16"
    return ", ".join(f"{gpu.name} ({gpu.total_memory / 1e9:.0f} GB)" for gpu in names) + f"; {precision}"


def data(root: Path | None) -> str:
    """Which data sets are there; nothing is downloaded."""
    from replicate.data.public import data_folder

    folder = data_folder(DataConfig(name="cifar10", root=None if root is None else str(root)))
    names = [path.name for path in sorted(folder.iterdir())] if folder.is_dir() else []
    there = f"{folder} has {', '.join(names)}" if names else f"nothing downloaded in {folder}"
    return f"bundled images of Fashion-MNIST; {there} (of {', '.join(sorted(SHAPES.keys() & DOWNLOADED))}, imagenet)"


def wandb_state() -> str:
    """What wandb=auto would do."""
    if os.environ.get("WANDB_MODE"):
        return f"WANDB_MODE={os.environ['WANDB_MODE']}"
    from replicate.wandb_mirror.session import has_login

    return "logged in: runs are mirrored" if has_login() else "no login: runs are mirrored offline, into their folders"


def disk(runs_dir: Path) -> str:
    """Free space where runs would be kept."""
    place = runs_dir.absolute()
    while not place.exists():
        place = place.parent
    usage = shutil.disk_usage(place)
    writable = "" if os.access(place, os.W_OK) else ", which cannot be written"
    return f"{usage.free / 1e9:.0f} GB free for {runs_dir.absolute()}{writable}"
