"""The one exception that means "the user asked for something that cannot be": one clear line, exit code 2."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """A bad input. The message is one line that names the input and the way out."""


def unknown(kind: str, name: str, choices: Iterable[str]) -> UserError:
    """The error for a name that is not among `choices`, with the nearest names first.

    >>> str(unknown("scale", "laptpo", ["smoke", "laptop"]))
    "unknown scale 'laptpo'; did you mean laptop? Known: laptop, smoke"
    """
    known = sorted(choices)
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else "."
    comma = "; " if any("," in choice for choice in known) else ", "
    listing = comma.join(known) if len(known) <= 24 else f"{comma.join(known[:24])}{comma}... ({len(known)} in all)"
    return UserError(f"unknown {kind} '{name}'{hint} Known: {listing}")
