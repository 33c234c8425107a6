"""Load the parameters of torchvision's or timm's graph into ours, however the file wraps them.

Each family's file lists the rules that turn the reference's parameter names into ours.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from replicate.errors import UserError, unknown

Rule = tuple[str, str | Callable[[re.Match[str]], str]]
"""A regular expression and what replaces it; the rules of a family apply in order."""

_RULES: dict[tuple[str, str], Sequence[Rule]] = {}


WRAPPINGS = ("state_dict", "model_state_dict", "model", "network", "net")
"""Keys under which training scripts keep the state_dict."""
PREFIXES = ("module.", "_orig_mod.", "model.", "network.")
"""What DataParallel, torch.compile and wrappers put before every name."""
COUNTERS = ("total_ops", "total_params")
"""Buffers that a counting library leaves in a network."""


def read_state(path: Path) -> dict[str, Tensor]:
    """The state_dict in a file, without the usual wrappings. Raises UserError for a file that has none.

    Tensors alone are read: no code of the file runs.
    """
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises whatever its parts do
        told = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path.name} is no state_dict of tensors alone: {told}") from error
    state = unwrapped(content)
    if not state:
        raise UserError(f"{path.name} is no state_dict of tensors alone: it holds a {type(content).__name__}")
    return state


def unwrapped(content: Any) -> dict[str, Tensor]:
    """The tensors by name, without the mapping and the prefix around them; empty where there are none."""
    while isinstance(content, Mapping):
        inner = [key for key in WRAPPINGS if isinstance(content.get(key), Mapping)]
        if not inner:
            break
        content = content[inner[0]]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        return {}
    state = {str(name): value for name, value in content.items() if str(name).rpartition(".")[2] not in COUNTERS}
    while prefix := next((one for one in PREFIXES if state and all(name.startswith(one) for name in state)), ""):
        state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def misfit(model: nn.Module, state: Mapping[str, Tensor]) -> str:
    """The first entry in which `state` is not the model's, in words; empty if it fits."""
    ours = model.state_dict()
    for name, tensor in ours.items():
        if name not in state and not name.endswith("num_batches_tracked"):
            return f"it lacks {name}"
        if name in state and state[name].shape != tensor.shape:
            return f"{name} has the shape {tuple(state[name].shape)}, here {tuple(tensor.shape)}"
    more = next((name for name in state if name not in ours), None)
    return f"it has {more}, which the network lacks" if more else ""


def register_reference(library: str, names: Iterable[str], rules: Sequence[Rule]) -> None:
    """Declare that `library` also has the networks `names`, and how its parameter names become ours."""
    _RULES.update({(library, name): rules for name in names})


def reference_names(library: str) -> list[str]:
    """The networks whose `library` weights load into ours."""
    return sorted(name for known, name in _RULES if known == library)


def translate(state: Mapping[str, Tensor], rules: Sequence[Rule]) -> dict[str, Tensor]:
    """Rename every entry of a state_dict by `rules`."""

    def rename(name: str) -> str:
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        return name

    return {rename(name): tensor for name, tensor in state.items()}


def as_linear(model: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state in which filters of 1x1 are matrices, where the model has a linear layer in their place."""
    ours = model.state_dict()
    flat = {name: tensor.flatten(1) for name, tensor in state.items() if tensor.dim() == 4}
    return {
        **state,
        **{name: matrix for name, matrix in flat.items() if name in ours and matrix.shape == ours[name].shape},
    }


def load_reference(model: nn.Module, library: str, name: str, state: Mapping[str, Tensor]) -> None:
    """Load `library`'s state_dict of the network `name` into `model`; every parameter must have a counterpart.

    Raises UserError for a network that is not registered for the library, or with the first entry that does not fit.
    """
    if (library, name) not in _RULES:
        raise unknown(f"{library} network", name, reference_names(library))
    translated = as_linear(model, translate(state, _RULES[library, name]))
    if wrong := misfit(model, translated):
        raise UserError(f"weights of {library}'s {name}: {wrong}")
    model.load_state_dict(translated, strict=False)  # older files lack num_batches_tracked alone
