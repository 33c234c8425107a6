"""YAML of strangers: how large and deep it may be, and which signs its text may hold. What reads YAML begins here."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from replicate.errors import UserError

MOST_BYTES = 1 << 20
DEEPEST = 40  # blocks within blocks
MOST_VALUES = 100_000  # with each alias as what it stands for
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser is about ten times as fast; PyYAML built without it has the same interface in Python."""
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Signs that turn the direction of text, so that it reads otherwise than it is."""


def load_yaml(path: Path, loader: Any = LOADER) -> Any:
    """The content of a YAML file. Raises UserError, in one line, for one that is no plain YAML within the bounds."""
    text = checked_text(path)
    try:
        return yaml.load(text, Loader=loader)  # a SafeLoader, which makes no objects
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UserError(f"{path.name}: {' '.join(str(error).split())}") from error


def checked_text(path: Path) -> str:
    """The text of a YAML file whose structure is within the bounds. Raises UserError."""
    try:
        data = path.read_bytes()
        if len(data) > MOST_BYTES:
            raise UserError(f"{path.name}: a file of {len(data):,} bytes; {MOST_BYTES:,} is the most")
        text = data.decode()
        check_events(yaml.parse(text, Loader=LOADER))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path.name}: {' '.join(str(error).split())}") from error
    return text


def check_events(events: Iterator[yaml.Event]) -> None:
    """Raise ValueError for what would grow beyond all bounds when it is read, or is more than text.

    Each alias counts as the values that it stands for: nine blocks of nine aliases of the last one are a thousand
    million values.
    """
    sizes: dict[str, int] = {}  # values of each named block
    blocks = [Block(None)]
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            blocks.append(Block(event.anchor))
            if len(blocks) > DEEPEST:
                raise ValueError(f"blocks within blocks, more than {DEEPEST}")
        elif isinstance(event, yaml.CollectionEndEvent):
            ended = blocks.pop()
            blocks[-1].add(ended.values, ended.anchor, sizes)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise ValueError(f"*{event.anchor} stands for no block before it, or for one within itself")
            blocks[-1].add(sizes[event.anchor])
        elif isinstance(event, yaml.ScalarEvent):
            check_signs(event.value)
            blocks[-1].add(1, event.anchor, sizes)


@dataclass
class Block:
    """A block that is open: its name and the values in it so far."""

    anchor: str | None
    values: int = 1

    def add(self, count: int, anchor: str | None = None, sizes: dict[str, int] | None = None) -> None:
        """Count values, which are those of `anchor`. Raises ValueError beyond the bound."""
        self.values += count
        if self.values > MOST_VALUES:
            raise ValueError(f"its aliases stand for more than {MOST_VALUES:,} values")
        if anchor is not None and sizes is not None:
            sizes[anchor] = count


def check_signs(text: str) -> None:
    """Raise ValueError for signs that a terminal obeys instead of showing them."""
    if text.isascii() and text.isprintable():
        return
    for sign in text:
        if (unicodedata.category(sign) == "Cc" and sign not in "\n\t") or sign in TURNING:
            raise ValueError(f"text has the control character U+{ord(sign):04X}")
