"""Networks from the user's extension folder or an import that the user names, registered like those of the suite."""

import inspect
import os
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from torch import nn

from replicate.errors import UserError
from replicate.models.registry import model_names, register_variants
from replicate.paths import own_files

NAMED = "REPLICATE_MODEL"
"""The environment variable with `module:function`, by which processes get the network that the command line named."""
GIVEN = ("in_channels", "num_classes")
"""What the data say of a network; a function of the user's need not take both."""


_loaded: set[str] = set()


def load_named_model() -> None:
    """Import the function or class that the variable names and register it, once. Raises UserError if it cannot be."""
    named = os.environ.get(NAMED)
    if not named or named in _loaded:
        return
    module, _, name = named.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        build = getattr(import_module(module), name)
    except Exception as error:  # the user's module may raise anything
        raise UserError(f"model={named}: {type(error).__name__}: {error}") from error
    if name in model_names():
        raise UserError(f"model={named}: the suite has a network of this name; give yours another")
    if not callable(build):
        raise UserError(f"model={named} is no function or class that gives a network")
    register_variants(with_data_options(build), {name: {}})
    _loaded.add(named)


def with_data_options(build: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    """The builder under a signature that has `in_channels` and `num_classes`, which it gets only if it takes them."""
    taken = inspect.signature(build).parameters

    def built(**options: object) -> nn.Module:
        return build(**{key: value for key, value in options.items() if key in taken})

    more = [inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY) for key in GIVEN if key not in taken]
    built.__signature__ = inspect.Signature([*taken.values(), *more])  # type: ignore[attr-defined]
    return built


def load_own_models() -> None:
    """Import every file of models/ in the extension folder. Raises UserError for one that cannot be imported."""
    for name, path in own_files("models", ".py").items():
        load_file(f"replicate_own_models.{name}", path)


def load_file(name: str, path: Path) -> None:
    """Import `path` as the module `name`, so that pickles find its classes under that name."""
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UserError(f"{path}: {type(error).__name__}: {error}") from error
