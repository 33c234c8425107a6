"""Every private door into a library, with the version it was tried with and the reason why no public one does.

An upgrade of a library breaks this file or nothing.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import Tensor, nn
    from torch.utils._python_dispatch import TorchDispatchMode as TorchDispatchMode
    from torch.utils._pytree import tree_leaves as tree_leaves

# torch (2.14.1) -------------------------------------------------------------------------------------------------------

_TORCH = {
    # the tensors in what an operation returns; torch has no public pytree
    "tree_leaves": "torch.utils._pytree",
}


def __getattr__(name: str) -> Any:
    """Import torch's names when they are asked for: commands that need no torch import this module too."""
    if name == "TorchDispatchMode":
        return _dispatch_mode()
    if name not in _TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_TORCH[name]), name)


@cache
def _dispatch_mode() -> type:
    """Sees every operation of a forward pass; torch has no public name for it.

    By default torch imports its compiler, a second, to keep it out of a mode's code. Modes here are never compiled.
    """
    from torch.utils._python_dispatch import TorchDispatchMode

    class Mode(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own __init_subclass__
        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            return False

    return Mode


def writes_in_place(operation: Any) -> bool:
    """Whether an operation of torch.ops changes an argument. torch gives its schema no public name in Python."""
    return bool(operation._schema.is_mutable)


def replace_product(layer: "nn.Conv2d", product: Callable[..., "Tensor"]) -> None:
    """Let `product` stand in for what a convolution computes of its padded maps. torch has no hook there."""
    layer._conv_forward = product  # type: ignore[method-assign]


# Lightning (2.6.6) ----------------------------------------------------------------------------------------------------


def disable_lightning_signals(trainer: "pl.Trainer") -> None:
    """Let Lightning neither handle signals nor broadcast them: before every batch it would wait for all devices.

    The process of the run obeys signals for its devices' processes. Lightning has no option for either.
    """
    trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]
    trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None  # type: ignore[method-assign]


# wandb (0.28) and wandb-workspaces (0.4) ------------------------------------------------------------------------------


def report_specification(report: Any) -> dict[str, Any]:
    """What wandb-workspaces would send of a report: its title, its project and its specification as JSON.

    The library saves reports, but shows their specification nowhere.
    """
    model = report._to_model()
    spec = model.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {"title": model.display_name, "project": model.project.name, "spec": spec}
