"""The words that our configuration adds to OmegaConf's."""

import os
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from replicate.experiments.scale import SMALL
from replicate.paths import own_dir


def at(table: Mapping[str, Any], *, _root_: DictConfig) -> Any:
    """`${at:{smoke:11, laptop:20, paper:50}}`: the entry of the scale in force, null where it has none.

    `small` stands for smoke and laptop.
    """
    scale = str(_root_.scale)
    return table.get(scale, table.get("small") if scale in SMALL else None)


def keys(variants: Mapping[str, Any], *, _root_: DictConfig) -> str:
    """`${keys:${variants}}`: the variants of the scale in force as a sweep, comma-separated."""
    from replicate.experiments.experiment import variants_at

    return ",".join(variants_at(variants, str(_root_.scale)))


def cores(workers: int | None) -> int:
    """`${cores:${machine.workers}}`: that many processes, by default one per core that this process may use."""
    return workers or len(os.sched_getaffinity(0))


def own() -> list[str]:
    """`${own:}`: where Hydra looks for experiment files besides the suite's: the user's folder, if one is named."""
    folder = own_dir()
    return [] if folder is None else [folder.as_uri()]


def register_resolvers() -> None:
    """Make them known; called where the package's configuration is read, so every worker has them."""
    OmegaConf.register_new_resolver("at", at, replace=True)
    OmegaConf.register_new_resolver("keys", keys, replace=True)
    OmegaConf.register_new_resolver("cores", cores, replace=True)
    OmegaConf.register_new_resolver("own", own, replace=True)
