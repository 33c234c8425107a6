"""Arguments and options that several commands take, and the line that a command says besides its output."""

import sys
from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
ExperimentName = Annotated[str, typer.Argument(metavar="EXP", help="An experiment, as `replicate list` names them.")]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="e.g. scale=smoke seed=0")]
RESULTS = Path("results")


def say(text: str) -> None:
    """One line on stderr: output that somebody may pipe stays clean."""
    print(f"replicate: {text}", file=sys.stderr)
