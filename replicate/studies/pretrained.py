"""Networks with public weights from a file, or with none at all: what a study takes apart without training it."""

import hashlib
import re
from pathlib import Path

import torch
from torch import nn

from replicate.data.config import DataConfig
from replicate.errors import UserError
from replicate.experiments.run_config import DataRunConfig
from replicate.models.weights import load_reference, read_state, reference_names
from replicate.runs.task import Task
from replicate.studies.trained import LoadedNetwork, ready
from replicate.training.network import build_network, count_network

INITIALISATION = "he_fan_out"  # of a network without weights, whose numbers mean nothing but that it runs


def check_pretrained(config: DataRunConfig, weights: str | None) -> None:
    """The network can be built and the file of its weights is there. Raises UserError."""
    count_network(config.model, config.data)
    if weights is not None:
        weights_file(weights, config.data)


def pretrained(task: Task[DataRunConfig], weights: str | None) -> LoadedNetwork:
    """The task's network with a library's weights from the file called `weights`; None: as initialised."""
    config = task.run.config
    network = build_network(config.model, config.data, INITIALISATION, task.run.seed)
    if weights is not None:
        load_file(network, str(config.model["name"]), weights_file(weights, config.data))
    return ready(network, "finished", task)


def weights_file(name: str, data: DataConfig) -> Path:
    """Where the file lies: in data.root, or where torch keeps downloads. A run knows it by its name only.

    torchvision's names end in the first digits of the file's sha256, so that the name says which weights they are.
    """
    if Path(name).name != name:
        raise UserError(f"options.weights is the name of a file in data.root, not a path: '{name}'")
    folders = [Path(data.root).expanduser()] if data.root else []
    folders.append(Path(torch.hub.get_dir()) / "checkpoints")
    found = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if found is None:
        raise UserError(
            f"{name} is not in {' or '.join(map(str, folders))}: torchvision's model of that name downloads it there; "
            "of a network that only timm has, save the model's state_dict there"
        )
    return found


def library_of(model: str) -> str:
    """Whose parameters a network takes: torchvision's, or timm's where torchvision does not have it."""
    return "torchvision" if model in reference_names("torchvision") else "timm"


def load_file(network: nn.Module, model: str, path: Path) -> None:
    """Load the library's parameters. Raises UserError when the file is not what its name says, or does not fit."""
    digits = re.search(r"-([0-9a-f]{8,})\.\w+$", path.name)
    if digits and not hashlib.sha256(path.read_bytes()).hexdigest().startswith(digits[1]):
        raise UserError(f"{path} is damaged: its sha256 does not begin with {digits[1]}")
    state = read_state(path)
    try:
        load_reference(network, library_of(model), model, state)
    except UserError as error:
        raise UserError(f"{path.name} does not fit model {model}: {error}") from error
