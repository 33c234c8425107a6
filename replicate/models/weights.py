"""Load the parameters of torchvision's or timm's graph into ours.

Each family's file lists the rules that turn the reference's parameter names into ours.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from torch import Tensor, nn

from replicate.errors import unknown

Rule = tuple[str, str | Callable[[re.Match[str]], str]]
"""A regular expression and what replaces it; the rules of a family apply in order."""

_RULES: dict[tuple[str, str], Sequence[Rule]] = {}


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


def load_reference(model: nn.Module, library: str, name: str, state: Mapping[str, Tensor]) -> None:
    """Load `library`'s state_dict of the network `name` into `model`; every parameter must have a counterpart.

    Raises UserError for a network that is not registered for the library, RuntimeError when shapes disagree.
    """
    if (library, name) not in _RULES:
        raise unknown(f"{library} network", name, reference_names(library))
    model.load_state_dict(translate(state, _RULES[library, name]))
