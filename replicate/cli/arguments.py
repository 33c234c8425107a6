"""Arguments and options that several commands take, what the shell completes, and how a command speaks."""

import shutil
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from replicate.errors import UserError

RESULTS = Path("results")
HYDRAS = {"ignore_unknown_options": True}
"""Settings of commands that take overrides: `-m` and `--cfg job` reach them and get the right answer."""


def experiments(incomplete: str) -> list[str]:
    """Experiments whose names begin so."""
    from replicate.paths import experiment_files

    return [name for name in experiment_files() if name.startswith(incomplete)]


def papers(incomplete: str) -> list[str]:
    """Papers whose ids begin so."""
    from replicate.paths import data_files

    return [name for name in data_files("papers") if name.startswith(incomplete)]


def models(incomplete: str) -> list[str]:
    """Networks whose names begin so."""
    from replicate.models import model_names

    return [name for name in model_names() if name.startswith(incomplete)]


def overrides(context: typer.Context, incomplete: str) -> list[str]:
    """Settings, and the values of those whose values are names: variants, models, recipes, data sets, scales."""
    key, sign, value = incomplete.partition("=")
    if sign:
        return [f"{key}={name}" for name in values(context, key, value) if name.startswith(value)]
    from replicate.experiments.overrides import SWEPT, settings

    return [f"{name}=" for name in (*settings(), *SWEPT) if name.startswith(key)]


def values(context: typer.Context, key: str, begun: str) -> Iterator[str]:
    """What may follow `key=`, as far as it has names."""
    from replicate.experiments.catalogue import find
    from replicate.experiments.scale import Scale
    from replicate.paths import data_files

    if key == "variant" and context.params.get("name"):
        yield from find(context.params["name"]).variants
    elif key == "scale":
        yield from map(str, Scale)
    elif key == "model.name":
        yield from models(begun)
    elif key == "recipe.name":
        yield from data_files("recipe")
    elif key in ("data", "study", "regime"):
        yield from data_files(key)


AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
ExperimentName = Annotated[
    str,
    typer.Argument(metavar="EXP", help="An experiment, as `replicate list` names them.", autocompletion=experiments),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="e.g. scale=smoke seed=0", autocompletion=overrides),
]
ModelName = Annotated[str, typer.Argument(help="A network, as `replicate models` names them.", autocompletion=models)]
OfPaper = Annotated[str | None, typer.Option("--paper", help="Of this paper alone.", autocompletion=papers)]


def say(text: str) -> None:
    """One line on stderr: output that somebody may pipe stays clean."""
    print(f"replicate: {text}", file=sys.stderr)


def tell(text: str) -> None:
    """Print text; in a terminal lines that are wider than it go on below, indented. There is no pager."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        text = "\n".join(folded for line in text.splitlines() for folded in wrapped(line, width))
    print(text)


def wrapped(line: str, width: int) -> list[str]:
    """The line in as many as it needs, the later ones indented by two blanks more."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.wrap(line, max(width, 40), subsequent_indent=indent, break_on_hyphens=False) or [""]


def check_experiment(name: str) -> None:
    """Raises UserError for an experiment that is not there, before anything heavy is imported."""
    from replicate.experiments.catalogue import find

    find(name)


def check_paper(paper: str | None) -> None:
    """Raises UserError for a paper that the suite does not have."""
    from replicate.errors import unknown
    from replicate.paths import data_files

    if paper is not None and paper not in (known := data_files("papers")):
        raise unknown("paper", paper, known)


def nothing_left(rows: object, what: str) -> None:
    """Raises UserError where a filter has left nothing."""
    if not rows:
        raise UserError(f"no {what} is left: the filters fit none")
