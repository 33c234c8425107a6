"""The device of a training and what it can do: asked before a sweep begins, so that Lightning is not imported here."""

import torch

from replicate.errors import UserError, unknown
from replicate.experiments.recipe import Recipe
from replicate.experiments.run_config import TrainerConfig

ACCELERATORS = ("auto", "cpu", "gpu", "cuda")


def accelerator_device(accelerator: str) -> torch.device:
    """The device of images and network: the first GPU, or the CPU. Raises UserError for a GPU that is not there."""
    if accelerator not in ACCELERATORS:
        raise unknown("machine.accelerator", accelerator, ACCELERATORS)
    found = torch.cuda.is_available()
    if accelerator in ("gpu", "cuda") and not found:
        missing = "this machine has no GPU that torch can use (`replicate doctor`)"
        raise UserError(f"machine.accelerator={accelerator}: {missing}")
    return torch.device("cuda" if accelerator != "cpu" and found else "cpu")


def check_precision(precision: str, accelerator: str) -> None:
    """Raise UserError for a precision that this device does not have: Lightning would do another, silently."""
    if precision == "16-mixed" and accelerator_device(accelerator).type == "cpu":
        raise UserError("trainer.precision=16-mixed: a CPU trains in bf16-mixed or 32-true")


def check_gpus(devices: int, accelerator: str) -> None:
    """Raise UserError when this machine trains on GPUs and has fewer than `devices`."""
    if accelerator_device(accelerator).type == "cuda" and torch.cuda.device_count() < devices:
        raise UserError(f"trainer.devices={devices}: this machine has {torch.cuda.device_count()} GPUs")


def check_parts(recipe: Recipe, trainer: TrainerConfig) -> None:
    """Raise UserError when devices and accumulation do not divide the recipe's batch."""
    if recipe.batch_size % trainer.parts:
        ways = f"trainer.devices={trainer.devices or 1} and trainer.accumulate={trainer.accumulate}"
        raise UserError(
            f"a batch of {recipe.batch_size} cannot be cut into {trainer.parts} equal micro-batches: {ways}"
        )
