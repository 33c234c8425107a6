"""The command `replicate`: its commands by name, and what a mistake of the user ends in."""

import io
import os
import shutil
import sys
from typing import Annotated

import typer

from replicate.cli import before, doing, looking, whole, writing
from replicate.cli.arguments import HYDRAS, say
from replicate.errors import UserError
from replicate.wandb_mirror import commands

app = typer.Typer(
    name="replicate",
    help="Classic convolutional-network papers: the paper's table beside your own numbers, with an honest verdict.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"max_content_width": shutil.get_terminal_size().columns},
)


def version(asked: bool) -> None:
    if asked:
        from replicate.runs.provenance import versions

        print(f"replicate {versions()['replicate']}")
        raise typer.Exit


@app.callback()
def common(
    asked: Annotated[
        bool, typer.Option("--version", callback=version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of no command."""


app.command("list")(looking.list_experiments)
app.command(context_settings=HYDRAS)(looking.show)
app.command(context_settings=HYDRAS)(doing.run)
app.command(context_settings=HYDRAS)(doing.train)
app.command(context_settings=HYDRAS)(whole.suite)
app.command()(looking.cost)
app.command(context_settings=HYDRAS)(before.plan)
app.command(context_settings=HYDRAS)(writing.report)
app.command()(whole.smoke)
app.command()(looking.verdicts)
app.command("models")(looking.list_models)
app.command("recipes")(looking.list_recipes)
app.command("metrics")(looking.list_metrics)
app.command()(before.doctor)
app.command()(before.check)
app.command()(commands.dashboard)
app.command()(commands.sync)
app.command()(commands.mirror)
app.command()(whole.verify)
app.command()(writing.calibration)
app.command()(writing.site)
app.command()(writing.readme)
app.command("errata")(looking.list_errata)


def main() -> None:
    """Console entry: a user's mistake is one line and exit code 2, whoever found it; REPLICATE_DEBUG=1 shows where."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a sign still gets the line
    try:
        app()
    except UserError as error:
        say(str(error))
        sys.exit(2)
    except BrokenPipeError:  # the reader of a pipe has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get("REPLICATE_DEBUG"):
            raise
        text = str(error).strip().splitlines()
        say(f"{type(error).__name__}: {text[0] if text else 'no message'} (REPLICATE_DEBUG=1 shows where)")
        sys.exit(2)
