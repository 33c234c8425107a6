"""The first page of the design names the files of the spine, and they stay as few lines as it says."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
LINES = 7_000


def spine() -> list[Path]:
    """The files that the numbered list names: `room/`, then its modules, in backquotes; or a loose `module.py`."""
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    numbered = page[page.index("1. ") : page.index("What plugs in")]
    found, room = [], ""
    for name in re.findall(r"`([\w./]+)`", numbered):
        if name.endswith("/"):
            room = name
        else:
            found.append(ROOT / "replicate" / (name if name.endswith(".py") else f"{room}{name}.py"))
    return found


def test_the_spine_is_short_and_every_file_of_it_is_there() -> None:
    files = spine()
    assert len(files) == len(set(files)) > 50
    assert sum(path.read_text(encoding="utf-8").count("\n") for path in files) < LINES
