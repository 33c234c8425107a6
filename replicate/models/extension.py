"""Networks from the user's extension folder, registered like those of the suite."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from replicate.errors import UserError
from replicate.paths import own_files


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
