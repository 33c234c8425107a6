"""The resolver that our configuration adds to OmegaConf's."""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from replicate.experiments.scale import SMALL


def at(table: Mapping[str, Any], *, _root_: DictConfig) -> Any:
    """`${at:{smoke:11, laptop:20, paper:50}}`: the entry of the scale in force, null where it has none.

    `small` stands for smoke and laptop.
    """
    scale = str(_root_.scale)
    return table.get(scale, table.get("small") if scale in SMALL else None)


def register_resolvers() -> None:
    """Make it known; called where the package's configuration is read, so that every process has it."""
    OmegaConf.register_new_resolver("at", at, replace=True)
