"""Names to networks: a plain dict and a few functions."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

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
    """Make `builder` known to :func:`create_model` under the name of the function."""
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
    """The options that `name` still accepts, with their types and defaults. Raises UserError for an unknown name."""
    if name not in _ENTRIES:
        raise unknown("model", name, _ENTRIES)
    entry = _ENTRIES[name]
    try:
        signature = inspect.signature(entry.build, eval_str=True)
    except NameError:  # a user's file may import the types of its annotations for a type checker only
        signature = inspect.signature(entry.build)
    return {option: value for option, value in signature.parameters.items() if option not in entry.fixed}


def choices(annotation: Any) -> tuple[Any, ...]:
    """The values that a Literal type allows, None among them if the type is optional; () if other values may stand.

    >>> choices(Literal["max", "avg"] | None)
    ('max', 'avg', None)
    """
    if annotation is NoneType:
        return (None,)
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    if get_origin(annotation) not in (Union, UnionType):
        return ()
    arms = [choices(arm) for arm in get_args(annotation)]
    return tuple(value for arm in arms for value in arm) if all(arms) else ()


def check_choice(option: str, value: Any, annotation: Any) -> None:
    """Raise ValueError, with the nearest choice, unless `value` is one of those that a Literal type allows."""
    allowed = choices(annotation)
    if not allowed or value in allowed:
        return
    listed = ", ".join(map(str if isinstance(value, str) else repr, allowed))  # 1.0 is not "1.0"
    near = get_close_matches(str(value), map(str, allowed), n=1, cutoff=0.5) if isinstance(value, str) else []
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(f"{option} is one of {listed}, not {value!r}{hint}")


def create_model(name: str, **options: Any) -> nn.Module:
    """Build a registered network.

    Raises UserError for an unknown name, an unknown option, or a value the network cannot be built with (one that
    its Literal type does not list, a depth that is no 6n + 2, a channel count that the groups do not divide, ...).
    """
    accepted = model_options(name)
    for option in options:
        if option not in accepted:
            raise unknown(f"option of model {name}", option, accepted)
    entry = _ENTRIES[name]
    try:
        for option, value in options.items():
            check_choice(option, value, accepted[option].annotation)
        return entry.build(**entry.fixed, **options)
    except (ValueError, TypeError) as error:
        raise UserError(f"model {name}: {error}") from error
