"""The one exception that means "the user asked for something that cannot be": one clear line, exit code 2."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but the tab and the end of a line
UNKNOWN_SETTING = "unknown_setting"  # a type of pydantic's errors; its context has the key


class UserError(Exception):
    """A bad input. The message is one line that names the input and the way out.

    Names come from files of others too, so signs that a terminal would obey are written out.
    """

    def __str__(self) -> str:
        return CONTROL.sub(lambda sign: f"\\x{ord(sign[0]):02x}", super().__str__())


def unknown(kind: str, name: str, choices: Iterable[str]) -> UserError:
    """The error for a name that is not among `choices`, with the nearest names first.

    >>> str(unknown("scale", "laptpo", ["smoke", "laptop"]))
    "unknown scale 'laptpo'; did you mean laptop? Known: laptop, smoke"
    """
    known = sorted(choices)
    if not known:
        return UserError(f"unknown {kind} '{name}': there is none")
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else "."
    comma = "; " if any("," in choice for choice in known) else ", "
    listing = comma.join(known) if len(known) <= 24 else f"{comma.join(known[:24])}{comma}... ({len(known)} in all)"
    return UserError(f"unknown {kind} '{name}'{hint} Known: {listing}")


def first_line(error: ValueError, block: str = "") -> str:
    """A validation error as one line: the setting, of `block` if one is named, and what is wrong with it.

    Any other ValueError is its own message.
    """
    problems = getattr(error, "errors", None)
    if problems is None:
        return str(error)
    first = problems(include_url=False)[0]
    key = [first["ctx"]["key"]] if first["type"] == UNKNOWN_SETTING else []
    place = ".".join(map(str, [*filter(None, [block]), *first["loc"], *key]))
    told = first["type"] == "missing" or isinstance(first["input"], (dict, list))
    given = "" if told else f" (got {first['input']!r})"
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{place}: {message}{given}" if place else message
