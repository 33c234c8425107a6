"""python -m benchmarks.faults: the campaign, its table on stdout and, when it is a whole one, in docs/faults.md."""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.faults.campaign import Line, campaign
from benchmarks.faults.kinds import KINDS, shortened
from replicate.files import write_atomic

EACH, RARE = 6, 3
PAGE = Path("docs/faults.md")
BEGIN, END = "<!-- begin table: make faults -->", "<!-- end table -->"
HEAD = "| fault | injected | lost | different | doubled | unclear |\n|---|---|---|---|---|---|"
COLUMNS = ("lost", "different", "doubled", "unclear")


def row(name: str, lines: Sequence[Line]) -> str:
    injected = sum(len(line.judgements) for line in lines)
    counts = [sum(line.count(column) for line in lines) for column in COLUMNS]
    return f"| {' | '.join([name, str(injected), *map(str, counts)])} |"


def table(lines: Sequence[Line]) -> str:
    return "\n".join([HEAD, *(row(line.kind, [line]) for line in lines), row("**all**", lines)])


def fill(page: Path, text: str) -> None:
    """Put `text` between the marks of `page`."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    write_atomic(page, f"{before}{BEGIN}\n{text}\n{END}{after}".encode())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--each", type=int, default=EACH, help="faults of every kind; fewer write no page")
    parser.add_argument("--rare", type=int, default=RARE, help="at most so many of the slow kinds; fewer write no page")
    parser.add_argument("--only", default="", help="kinds whose name holds this; writes no page")
    parser.add_argument("--short", action="store_true", help="one kind of each sort; writes no page")
    asked = parser.parse_args(arguments)
    kinds = [kind for kind in (shortened(KINDS) if asked.short else KINDS) if asked.only in kind.name]
    began = time.monotonic()
    lines = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        for line in campaign(Path(folder), asked.each, asked.rare, kinds):
            lines.append(line)
            print(row(line.kind, [line]), f"{time.monotonic() - began:.0f} s", flush=True)
    print(table(lines))
    if asked.each >= EACH and asked.rare >= RARE and not asked.only and not asked.short:
        fill(PAGE, table(lines))
    sys.exit(any(line.count(column) for line in lines for column in COLUMNS))


if __name__ == "__main__":
    main()
