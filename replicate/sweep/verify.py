"""The command `replicate verify`. It imports what it needs when it runs."""

import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from replicate.errors import UserError

RESULTS = Path("results")


def verify(
    name: Annotated[str | None, typer.Argument(metavar="[EXP]", help="An experiment; all without one.")] = None,
    words: Annotated[list[str] | None, typer.Argument(metavar="[n=3] [scale=S] [draw=N]")] = None,
) -> None:
    """Do committed runs again, taken at random, and compare: equal to the bit on the same kind of processor."""
    from replicate.experiments.catalogue import catalogue, find
    from replicate.sweep.redo import choose, verify_record

    asked = [name, *(words or [])] if name is not None and "=" in name else words or []
    settings = parsed(asked)
    entries = [find(name)] if name is not None and "=" not in name else catalogue()
    draw = int(settings.get("draw") or random.SystemRandom().randrange(10**6))
    chosen = choose(entries, RESULTS, settings.get("scale"), int(settings.get("n", "3")), draw)
    print(f"{len(chosen)} committed runs, draw={draw}", flush=True)
    differing = 0
    for record in chosen:
        found = verify_record(record)
        print(found.line(), flush=True)
        differing += bool(found.differences)
    if differing:
        raise typer.Exit(1)


def parsed(words: Sequence[str]) -> dict[str, str]:
    """`n=3 scale=exact draw=7` by key. Raises UserError for anything else."""
    named = dict(word.partition("=")[::2] for word in words)
    for key, value in named.items():
        if key not in ("n", "scale", "draw") or (key != "scale" and not re.fullmatch(r"[0-9]{1,9}", value)):
            raise UserError(
                f"'{key}={value}': verify takes n=3, scale=exact and draw=7, which takes the same runs again"
            )
    return named
