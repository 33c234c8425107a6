"""replicate: classic convolutional-network papers, replicated with an honest verdict.

From Python: :func:`run`, :func:`results` and :func:`load_network`, which docs/python.md explains. They are imported
when they are asked for, so that `import replicate` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from replicate.api import Result, load_network, results, run

__version__ = "0.1.0"
__all__ = ["Result", "__version__", "load_network", "results", "run"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'replicate' has no attribute '{name}'")
    return getattr(import_module("replicate.api"), name)


def __dir__() -> list[str]:
    return __all__
