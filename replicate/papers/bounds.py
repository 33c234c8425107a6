"""YAML of strangers: how large and deep it may be, and which signs its text may hold. What reads YAML begins here."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from replicate.errors import UserError

MOST_BYTES = 1 << 20
DEEPEST = 40  # blocks within blocks
MOST_ALIASES = 100
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

    An alias within a named block is refused: nine such blocks of nine aliases stand for a thousand million values.
    """
    named: list[bool] = []  # of each open block, whether it or one around it has an anchor
    aliases = 0
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            named.append(event.anchor is not None or (bool(named) and named[-1]))
            if len(named) > DEEPEST:
                raise ValueError(f"blocks within blocks, more than {DEEPEST}")
        elif isinstance(event, yaml.CollectionEndEvent):
            named.pop()
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
            if aliases > MOST_ALIASES or (named and named[-1]):
                raise ValueError("an alias within an alias" if named and named[-1] else f"{aliases} aliases")
        elif isinstance(event, yaml.ScalarEvent):
            check_signs(event.value)


def check_signs(text: str) -> None:
    """Raise ValueError for signs that a terminal obeys instead of showing them."""
    if text.isascii() and text.isprintable():
        return
    for sign in text:
        if (unicodedata.category(sign) == "Cc" and sign not in "\n\t") or sign in TURNING:
            raise ValueError(f"text has the control character U+{ord(sign):04X}")
