"""What the files of an extension folder may not say: a configuration from a stranger is data, whatever it is made of.

Hydra lets a file add to any block by its package, its defaults list or a group of its name. So the files are not
searched for such ways: what they compose is compared with what the suite and the command line compose without them.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import GrammarParseError
from omegaconf.grammar_parser import parse

from replicate.errors import UserError
from replicate.papers.bounds import checked_text
from replicate.paths import conf_dir, own_dir

Compose = Callable[[Sequence[str]], DictConfig]

SAID_BY_THE_USER = ("launcher", "machine", "runs_dir", "wandb", "scale", "data.root", "data.download")
"""Settings that only the command line may change."""
FREE = {"overrides", "choices", "override_dirname", "config_sources", "searchpath", "cwd", "output_dir"}
"""Keys of Hydra's block that say what was asked for, and so differ from call to call."""
RESOLVERS = frozenset({"at"})
MOST_FILES = 1000
LONGEST = 80  # characters of a variant's name
NAME = re.compile(r"[\w(\[][\w .,:;/+=()\[\]%×·–-]*")
"""A variant's name is written on command lines and into tables, so it has no quotes, references or markup."""


def check_extension_files() -> None:
    """Every YAML file of the extension folder is within the bounds, before Hydra reads any. Raises UserError."""
    folder = own_dir()
    files = [] if folder is None else sorted(folder.rglob("*.y*ml"))
    if len(files) > MOST_FILES:
        raise UserError(f"{folder} has {len(files)} YAML files; {MOST_FILES} is the most")
    for path in files:
        stamp = path.stat()
        check_once(str(path), stamp.st_mtime_ns, stamp.st_size)


@cache
def check_once(path: str, changed: int, size: int) -> None:
    """Check the file as it was `changed`, of that size."""
    checked_text(Path(path))


def check_composed(config: DictConfig, overrides: Sequence[str], compose: Compose) -> None:
    """Raise UserError where files have set what only the command line's `overrides` may set.

    `config` has Hydra's block; `compose` composes without the extension folder.
    """
    check_references(config)
    if own_dir() is None:
        return
    said = tuple(one for one in overrides if one.lstrip("+").startswith((*SAID_BY_THE_USER, "data={")))
    alone = known(compose, (*said, *chosen_study(config)))
    here = comparable(config)
    for key in sorted(here.keys() | alone.keys()):
        if here.get(key) != alone.get(key):
            raise UserError(f"a file of the extension folder sets {key}: that is the command line's to say")


def chosen_study(config: DictConfig) -> Sequence[str]:
    """The suite's own study that a file chose: that counting needs no launcher is said by the suite."""
    name = config.hydra.runtime.choices.get("study")
    return [f"+study={name}"] if name and (conf_dir() / "study" / f"{name}.yaml").is_file() else []


@cache
def known(compose: Compose, said: tuple[str, ...]) -> Mapping[str, Any]:
    """What the suite and the command line alone compose."""
    return comparable(compose(["~experiment", *said]))


def comparable(config: DictConfig) -> dict[str, Any]:
    """Hydra's block and what only the user may say, flat, as it was written."""
    plain = OmegaConf.to_container(config, resolve=False)
    assert isinstance(plain, dict)
    found = dict(flat(plain.get("hydra"), "hydra"))
    choices = plain["hydra"]["runtime"]["choices"]
    found |= {f"hydra.choice.{group}": name for group, name in choices.items() if group.startswith("hydra/")}
    for key in SAID_BY_THE_USER:
        block, _, rest = key.partition(".")
        said = plain.get(block)
        found |= dict(flat(said.get(rest) if rest and isinstance(said, dict) else said, key))
    return found


def flat(value: Any, above: str) -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings by dotted key."""
    if not isinstance(value, dict) or not value:
        yield above, value
        return
    for key, below in value.items():
        if key not in FREE:
            yield from flat(below, f"{above}.{key}")


def check_references(config: DictConfig) -> None:
    """Raise UserError for a reference that asks the machine: its environment, its clock, Hydra.

    What is left are other settings of the same configuration and the suite's own resolver.
    """
    plain = OmegaConf.to_container(config, resolve=False)
    assert isinstance(plain, dict)
    plain.pop("hydra", None)  # compared as a whole
    for text in texts(plain):
        if "_target_" in text:
            raise UserError("_target_ names a class to import: a configuration is data")
        if "${" in text:
            check_reference(text)


def texts(value: Any) -> Iterator[str]:
    """Every string in nested containers, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, below in value.items():
            yield from texts(key)
            yield from texts(below)
    elif isinstance(value, (list, tuple)):
        for below in value:
            yield from texts(below)


@cache
def check_reference(text: str) -> None:
    """Raise UserError unless each resolver that the text calls is the suite's."""
    try:
        nodes: list[Any] = [parse(text)]
    except GrammarParseError as error:
        raise UserError(f"'{text}' is no reference: {str(error).splitlines()[0]}") from error
    while nodes:
        node = nodes.pop()
        if type(node).__name__ == "ResolverNameContext" and node.getText() not in RESOLVERS:
            raise UserError(f"'{text}' asks {node.getText()}: a file may refer to other settings and to the scale only")
        nodes += getattr(node, "children", None) or []


def check_variant(experiment: str, name: str) -> None:
    """Raise UserError for a variant whose name is a path, or no plain text."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise UserError(f"{experiment}: '{name}' is a path, not the name of a variant")
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        raise UserError(
            f"{experiment}: {name!r} is no plain name of a variant: letters, digits, spaces and .,:;/+=-()[]%"
        )
