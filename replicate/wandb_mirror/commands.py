"""The commands of the command line that speak to wandb. Each imports what it needs, when it runs."""

import sys
from pathlib import Path
from typing import Annotated

import typer

RESULTS = Path("results")

ExperimentOrAll = Annotated[str | None, typer.Argument(metavar="[EXP]", help="An experiment; all without one.")]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="e.g. scale=laptop")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the specification; ask no server.")]
Entity = Annotated[str, typer.Option(help="The wandb user or team that will own it.")]
RunsFolder = Annotated[str, typer.Argument(metavar="[RUNS_DIR]", help="The folder of runs.")]


def dashboard(
    name: ExperimentOrAll = None, overrides: Overrides = None, dry_run: DryRun = False, entity: Entity = ""
) -> None:
    """Build a wandb report of an experiment, or one of all papers: tables, verdicts, curves, published values."""
    from replicate.wandb_mirror.dashboard import dashboard_of
    from replicate.wandb_mirror.overview_board import overview_of

    if name is None:
        made = overview_of(RESULTS, entity, dry_run)
    else:
        made = dashboard_of(name, overrides or [], RESULTS, entity, dry_run)
    print(made, end="")
    if not made:
        raise typer.Exit(1)


def sync(runs_dir: RunsFolder = "runs") -> None:
    """Upload to wandb what was mirrored offline or did not reach its server, each run once."""
    from replicate.wandb_mirror.upload import offline_files, upload_waiting

    folder = Path(runs_dir.removeprefix("runs_dir="))
    waiting = len(offline_files(folder))
    done = upload_waiting(folder)
    say(f"{done} of {waiting} waiting runs uploaded")
    if done < waiting:
        raise typer.Exit(1)


def mirror(name: ExperimentOrAll = None, overrides: Overrides = None) -> None:
    """Send the records in results/ to wandb, of one experiment or of all; what is there already is not sent again."""
    from replicate.wandb_mirror.backfill import mirror_results

    sent = mirror_results(RESULTS, name, overrides or [])
    say(f"{sent.now} runs written to wandb, {sent.before} were before, {sent.failed} failed")
    if sent.failed:
        raise typer.Exit(1)


def say(text: str) -> None:
    print(f"replicate: {text}", file=sys.stderr)
