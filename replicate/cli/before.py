"""Commands that say beforehand what doing would take."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from replicate.cli.arguments import RESULTS, AsJson, ExperimentName, Overrides, check_experiment, say, tell
from replicate.paths import OWN


def plan(
    name: ExperimentName,
    overrides: Overrides = None,
    scale: Annotated[str, typer.Option(help="smoke, laptop, paper or pretrained.")] = "laptop",
    power: Annotated[bool, typer.Option("--power", help="Effects that so many seeds see instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what an experiment will cost: runs, images, operations, disk, and time here and on named GPUs."""
    check_experiment(name)
    if power:
        from replicate.overview.seeds_needed import as_data, as_text, power_plan

        found = power_plan(name, [f"scale={scale}", *(overrides or [])], RESULTS)
        print(json.dumps(as_data(found), indent=2) if as_json else as_text(found))
        return
    from replicate.sweep.plan import make_plan

    made = make_plan(name, [f"scale={scale}", *(overrides or [])], RESULTS)
    print(json.dumps(made.as_dict(), indent=2) if as_json else made.as_text())


def doctor(
    runs_dir: Annotated[Path, typer.Option(help="The folder of runs whose disk is looked at.")] = Path("runs"),
    data_root: Annotated[Path | None, typer.Option(help="Where downloads and ImageNet lie.")] = None,
) -> None:
    """Say what this machine has: torch, devices, cores, bf16, memory, data sets, wandb, disk."""
    from replicate.sweep.doctor import examination

    for name, found in examination(runs_dir, data_root).items():
        tell(f"{name:12} {found}")


def check(
    folder: Annotated[Path, typer.Argument(help="An extension folder: papers/, models/, experiment/, ...")],
) -> None:
    """Say everything that is wrong with an extension folder, at once; nothing is run."""
    os.environ.pop(OWN, None)  # the suite is imported without a folder, which may be the broken one
    from replicate.sweep.extension_check import check_folder

    files, found = check_folder(folder)
    for line in found:
        say(line)
    if found:
        raise typer.Exit(2)
    print(f"{files} files in {folder}: nothing is wrong")
