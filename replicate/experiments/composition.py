"""Hydra's composition of an experiment, and the command line's overrides on it."""

from collections.abc import Sequence

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from replicate.errors import UserError
from replicate.experiments.catalogue import Entry
from replicate.experiments.guard import check_composed, check_extension_files
from replicate.experiments.overrides import FREE_BLOCKS
from replicate.paths import conf_dir, own_dir

BLOCKS = ("model", "data", "recipe", "trainer", "options")
"""The parts of a configuration that a variant may override and that decide a run's result."""


def experiment_words(entry: Entry) -> list[str]:
    """The overrides that make Hydra compose an experiment."""
    return [f"experiment={entry.paper}/{entry.name}", f"paper={entry.paper}"]


def hydra_overrides(overrides: Sequence[str]) -> list[str]:
    """The overrides without those that narrow the sweep; free blocks take new keys without a plus sign."""
    bare = [override.lstrip("+") for override in overrides if not is_sweep(override)]
    free = tuple(f"{block}." for block in (*FREE_BLOCKS, "metrics"))
    return [f"++{override}" if override.startswith(free) else override for override in bare]


def is_sweep(override: str) -> bool:
    return override.split("=")[0] in ("variant", "seed")


def compose_config(overrides: Sequence[str]) -> DictConfig:
    """Hydra's composition without its own block. Raises UserError, also for files that say more than they may."""
    check_extension_files()
    config = composed([*user_folder(), *overrides])
    check_composed(config, overrides, composed)
    with read_write(config), open_dict(config):
        del config["hydra"]
    return config


def composed(overrides: Sequence[str]) -> DictConfig:
    """Hydra's composition, its errors in one line."""
    try:
        with initialize_config_dir(str(conf_dir().absolute()), version_base="1.3"):
            return compose("config", list(overrides), return_hydra_config=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(one_line(error)) from error


def user_folder() -> list[str]:
    """Where Hydra looks for experiment files besides the suite's: the extension folder, if one is named."""
    folder = own_dir()
    return [] if folder is None else [f"hydra.searchpath=[{folder.as_uri()}]"]


def one_line(error: Exception) -> str:
    """Hydra's message without its advice on its own internals, on one line."""
    cause = error.__cause__ if error.__cause__ is not None and "struct" in str(error.__cause__) else None
    lines = [line.strip() for line in f"{error}".splitlines() if line.strip()]
    detail = f" ({str(cause).splitlines()[0]})" if cause else ""
    return " ".join(lines[:2]) + detail


def opened(config: DictConfig) -> DictConfig:
    """A copy in which variants may add keys to the free blocks; elsewhere an unknown key stays an error.

    Without the variants: each is merged with all that is here, so a thousand would carry a thousand each.
    """
    copy: DictConfig = config.copy()
    with open_dict(copy):
        del copy["variants"]
    for block in FREE_BLOCKS:
        OmegaConf.set_struct(copy[block], False)
    return copy


def apply_overrides(config: DictConfig, overrides: Sequence[str]) -> None:
    """Write the command line's overrides of blocks over whatever a variant said."""
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        key = override.key_or_group
        if key.split(".")[0] in BLOCKS and not override.is_sweep_override():
            if override.is_delete():
                raise UserError(f"'{override.input_line}': blocks of a variant cannot be deleted; set them to null")
            if key in BLOCKS and isinstance(override.value(), str):
                continue  # data=cifar10 is a preset, which Hydra has composed
            OmegaConf.update(config, key, override.value(), force_add=True)
