"""The networks, one file per paper. Python code builds one by :func:`create_model`."""

from importlib import import_module
from pkgutil import iter_modules

from replicate.models.extension import load_named_model, load_own_models
from replicate.models.registry import create_model, model_names, model_options

for _file in iter_modules(__path__):  # a file in this folder registers its networks by being imported
    import_module(f"{__name__}.{_file.name}")
load_own_models()
load_named_model()

__all__ = ["create_model", "model_names", "model_options"]
