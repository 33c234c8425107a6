"""Commands that say beforehand what doing would take."""

import json
from typing import Annotated

import typer

from replicate.cli.arguments import RESULTS, AsJson, ExperimentName, Overrides


def plan(
    name: ExperimentName,
    overrides: Overrides = None,
    scale: Annotated[str, typer.Option(help="smoke, laptop, paper or pretrained.")] = "laptop",
    power: Annotated[bool, typer.Option("--power", help="Effects that so many seeds see instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what an experiment will cost: runs, images, operations, disk, and time here and on named GPUs."""
    if power:
        from replicate.overview.seeds_needed import as_data, as_text, power_plan

        found = power_plan(name, [f"scale={scale}", *(overrides or [])], RESULTS)
        print(json.dumps(as_data(found), indent=2) if as_json else as_text(found))
        return
    from replicate.sweep.plan import make_plan

    made = make_plan(name, [f"scale={scale}", *(overrides or [])])
    print(json.dumps(made.as_dict(), indent=2) if as_json else made.as_text())
