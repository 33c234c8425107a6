"""Commands that do runs of the whole catalogue: within a budget, at smoke scale, committed ones again."""

import random
import re
from collections.abc import Sequence
from typing import Annotated

import typer

from replicate.cli.arguments import RESULTS, Overrides
from replicate.errors import UserError, unknown
from replicate.experiments.scale import Scale


def suite(overrides: Overrides = None) -> None:
    """Do the whole catalogue within budget=8h, the runs that bring most answers first.

    papers= and experiments= narrow it; other overrides hold for every experiment (scale=, runs_dir=, machine.workers=).
    """
    from replicate.experiments.duration import parse_duration
    from replicate.sweep.suite import run_suite, selected_entries

    named = dict(
        override.split("=", 1)
        for override in overrides or []
        if override.startswith(("budget=", "papers=", "experiments="))
    )
    rest = [override for override in overrides or [] if override.split("=")[0] not in named]
    scale = next((override.removeprefix("scale=") for override in rest if override.startswith("scale=")), "laptop")
    entries = selected_entries(listed(named.get("papers")), listed(named.get("experiments")), scale)
    answers = run_suite(entries, rest, parse_duration(named.get("budget", "8h")), RESULTS)
    print(", ".join(f"{count} {outcome}" for outcome, count in answers.most_common()))


def listed(text: str | None) -> list[str]:
    """`a,b` or `[a, b]` as names; none without text."""
    return [name for part in (text or "").strip("[]").split(",") if (name := part.strip())]


def smoke() -> None:
    """Run every experiment and variant for a few steps in a folder of its own; results/ stays as it is."""
    from replicate.sweep.smoke import smoke_all

    if smoke_all():
        raise typer.Exit(1)


def verify(
    name: Annotated[str | None, typer.Argument(metavar="[EXP]", help="An experiment; all without one.")] = None,
    chosen: Annotated[list[str] | None, typer.Argument(metavar="[n=3] [scale=S] [draw=N]")] = None,
) -> None:
    """Do committed runs again, taken at random, and compare: equal to the bit on the same kind of processor."""
    from replicate.experiments.catalogue import catalogue, find
    from replicate.sweep.redo import choose, verify_record

    settings = parsed([name, *(chosen or [])] if name is not None and "=" in name else chosen or [])
    entries = [find(name)] if name is not None and "=" not in name else catalogue()
    draw = int(settings.get("draw") or random.SystemRandom().randrange(10**6))
    drawn = choose(entries, RESULTS, settings.get("scale"), int(settings.get("n", "3")), draw)
    print(f"{len(drawn)} committed runs, draw={draw}", flush=True)
    differing = 0
    for record in drawn:
        found = verify_record(record)
        print(found.line(), flush=True)
        differing += bool(found.differences)
    if differing:
        raise typer.Exit(1)


def parsed(assignments: Sequence[str]) -> dict[str, str]:
    """`n=3 scale=exact draw=7` by key. Raises UserError for anything else."""
    named = dict(assignment.partition("=")[::2] for assignment in assignments)
    for key, value in named.items():
        if key not in ("n", "scale", "draw") or (key != "scale" and not re.fullmatch(r"[0-9]{1,9}", value)):
            raise UserError(
                f"'{key}={value}': verify takes n=3, scale=exact and draw=7, which takes the same runs again"
            )
    if int(named.get("n", "1")) == 0:
        raise UserError("n=0: at least one run is verified")
    if named.get("scale", Scale.EXACT) not in set(Scale):
        raise unknown("scale", named["scale"], Scale)
    return named
