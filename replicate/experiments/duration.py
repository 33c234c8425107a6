"""Times as a user writes and reads them."""

import re

from replicate.errors import UserError

UNITS = {"h": 3600.0, "m": 60.0, "min": 60.0, "s": 1.0}
PART = r"(\d+(?:\.\d+)?)\s*(h|min|m|s)"


def parse_duration(text: str) -> float:
    """Seconds of `30m`, `8h`, `1h30m`, `90s`. Raises UserError for anything else.

    >>> parse_duration("1h30m")
    5400.0
    """
    parts = re.findall(PART, text)
    if not parts or re.sub(rf"{PART}|\s", "", text):
        raise UserError(f"budget is a time like 30m, 8h or 1h30m, not '{text}'")
    return sum(float(number) * UNITS[unit] for number, unit in parts)


def spoken(seconds: float) -> str:
    """3 h 20 min, 12 min, 45 s: a time as a person says it.

    >>> spoken(12000), spoken(700), spoken(45)
    ('3 h 20 min', '12 min', '45 s')
    """
    if seconds < 60:
        return f"{round(seconds)} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
