"""Names to networks: a plain dict and a few functions."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import nn

from replicate.errors import UserError, unknown

Builder = TypeVar("Builder", bound=Callable[..., nn.Module])


@dataclass(frozen=True)
class Entry:
    """A network builder and the options that its name fixes (depth=50 for resnet50)."""

    build: Callable[..., nn.Module]
    fixed: Mapping[str, Any]


_ENTRIES: dict[str, Entry] = {}


def _add(name: str, entry: Entry) -> None:
    if name in _ENTRIES:
        raise ValueError(f"two models are called {name}")
    _ENTRIES[name] = entry


def register(builder: Builder) -> Builder:
    """Make `builder` known to :func:`create_model` under its own function name."""
    _add(builder.__name__, Entry(builder, {}))
    return builder


def register_variants(builder: Callable[..., nn.Module], variants: Mapping[str, Mapping[str, Any]]) -> None:
    """Register names that are `builder` with some options fixed: {"resnet50": {"depth": 50}}."""
    for name, fixed in variants.items():
        _add(name, Entry(builder, fixed))


def model_names() -> list[str]:
    """Every registered name, sorted."""
    return sorted(_ENTRIES)


def model_options(name: str) -> dict[str, inspect.Parameter]:
    """The options that `name` still accepts, with their defaults. Raises UserError for an unknown name."""
    if name not in _ENTRIES:
        raise unknown("model", name, _ENTRIES)
    entry = _ENTRIES[name]
    parameters = inspect.signature(entry.build).parameters
    return {option: value for option, value in parameters.items() if option not in entry.fixed}


def create_model(name: str, **options: Any) -> nn.Module:
    """Build a registered network.

    Raises UserError for an unknown name, an unknown option, or a value the network cannot be built with
    (a depth that is no 6n + 2, a channel count that the groups do not divide, ...).
    """
    accepted = model_options(name)
    for option in options:
        if option not in accepted:
            raise unknown(f"option of model {name}", option, accepted)
    entry = _ENTRIES[name]
    try:
        return entry.build(**entry.fixed, **options)
    except (ValueError, TypeError) as error:
        raise UserError(f"model {name}: {error}") from error
