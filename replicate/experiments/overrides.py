"""The command line's KEY=VALUE overrides: refused in one line where they would be swallowed or mean nothing.

What an override may name is what conf/config.yaml has; a plus sign before it makes no difference. Blocks whose keys the
network or the study knows (model, options) take any key here and are checked where those are known.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import yaml

from replicate.errors import UserError, unknown
from replicate.paths import conf_dir, data_files

FREE_BLOCKS = ("model", "options")
"""Blocks whose keys the network or the study knows, not config.yaml."""
GROUPS = ("launcher", "data", "study", "regime")
"""Folders of conf/ from which `group=name` takes a whole block."""
SWEPT = ("variant", "seed")

SAID_ELSEWHERE = {
    "trainer.max_epochs": "recipe.epochs",
    "max_epochs": "recipe.epochs",
    "epochs": "recipe.epochs",
    "trainer.max_steps": "recipe.iterations",
    "lr": "recipe.lr",
    "learning_rate": "recipe.lr",
    "optimizer": "recipe.optimizer",
    "optimizer.lr": "recipe.lr",
    "batch_size": "recipe.batch_size",
    "data.batch_size": "recipe.batch_size",
    "momentum": "recipe.momentum",
    "weight_decay": "recipe.weight_decay",
    "dataset": "data.name",
    "gpus": "trainer.devices",
    "devices": "trainer.devices",
    "trainer.gpus": "trainer.devices",
    "trainer.accelerator": "machine.accelerator",
    "accelerator": "machine.accelerator",
    "device": "machine.accelerator",
    "precision": "trainer.precision",
    "workers": "machine.workers",
    "num_workers": "machine.loader_workers",
    "data.num_workers": "machine.loader_workers",
    "compile": "machine.compile",
    "variants": "variant",
    "logger": "wandb",
    "output_dir": "runs_dir",
    "hydra.run.dir": "runs_dir",
    "hydra.sweep.dir": "runs_dir",
    "partition": "launcher.partition",
}
"""What other suites call it -> what it is called here."""

BY_NAME = {"recipe": "recipe.name", "model": "model.name"}
"""Blocks that are no group: their entries go by a key of their own."""


def check_overrides(overrides: Sequence[str]) -> None:
    """Refuse every override that names no setting; of two for one setting the later counts. Raises UserError."""
    keys = [check_override(override) for override in overrides]
    if "recipe.epochs" in keys and "recipe.iterations" in keys:
        raise UserError("recipe.epochs and recipe.iterations: a training has one length, give one of the two")


def check_override(override: str) -> str:
    """The key of one override. Raises UserError for one that this suite does not have."""
    if override in ("-m", "--multirun") or override.startswith("--cfg"):
        shown = "`replicate show EXP --config` shows what is used"
        raise UserError(f"'{override}' is Hydra's: all variants and seeds run anyway; {shown}")
    if override.startswith("-"):
        raise UserError(f"no such option: {override}")
    key, sign, value = override.partition("=")
    bare = key.lstrip("+")
    if not sign or not bare:
        raise UserError(f"'{override}' is not of the form key=value")
    if key.startswith("~"):
        raise UserError(f"'{override}': nothing can be deleted; set it to null")
    if "${" in value:
        raise UserError(f"'{override}': an override is a plain value, not a reference")
    check_key(bare, value, override)
    return bare


def check_key(key: str, value: str, override: str) -> None:
    """Raises UserError for a key that config.yaml does not have."""
    if key in SAID_ELSEWHERE:
        raise UserError(f"'{override}': here that is {SAID_ELSEWHERE[key]}={value}")
    if key in BY_NAME and not value.startswith("{"):
        raise UserError(f"'{override}': here that is {BY_NAME[key]}={value}")
    if key.split(".")[0] == "hydra":
        raise UserError(
            f"'{override}': Hydra only composes; resources are settings of the launcher (launcher.partition=P)"
        )
    if key == "data" and value not in data_files("data") and not value.startswith("{"):
        raise UserError(f"'{override}': here that is data.name={value}")
    if is_block(key) and not value.startswith("{") and (key not in GROUPS or value in ("null", "")):
        raise UserError(f"'{override}': {key} is a block of settings: {key}.NAME=VALUE sets one")
    if key in SWEPT or key.split(".")[0] in FREE_BLOCKS or key.startswith(("launcher.", "metrics.")):
        return
    if key not in settings():
        raise unknown("setting", key, [*settings(), *SWEPT])


def is_block(key: str) -> bool:
    """Whether the key stands for several settings, which a single value cannot replace."""
    return key in (*FREE_BLOCKS, "metrics", "launcher") or any(name.startswith(f"{key}.") for name in settings())


@cache
def settings() -> dict[str, None]:
    """Every key that config.yaml has, with dots, and the groups."""
    body = yaml.safe_load((conf_dir() / "config.yaml").read_text(encoding="utf-8"))
    body.pop("defaults")
    return dict.fromkeys([*GROUPS, *dotted(body)])


def dotted(body: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """The keys of nested mappings, with dots."""
    for key, value in body.items():
        yield f"{above}{key}"
        if isinstance(value, dict):
            yield from dotted(value, f"{above}{key}.")
