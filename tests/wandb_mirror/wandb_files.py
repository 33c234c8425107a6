"""What stands in wandb's run files, as wandb's own terminal viewer reads them."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any


@cache
def wandb_records(path: Path) -> tuple[dict[str, Any], ...]:
    """The records of a .wandb file."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return tuple(json.loads(line) for line in done.stdout.splitlines())


def of_kind(path: Path, kind: str) -> list[dict[str, Any]]:
    return [record[kind] for record in wandb_records(path) if record["type"] == kind]


def history(path: Path) -> list[dict[str, Any]]:
    """What was logged, step by step, without wandb's own keys."""
    return [{k: v for k, v in step["item"].items() if not k.startswith("_")} for step in of_kind(path, "history")]


def summary(path: Path) -> dict[str, Any]:
    """The summary's values, the last of each."""
    return {key: value for update in of_kind(path, "summary") for key, value in update["update"].items()}


def opened(path: Path) -> dict[str, Any]:
    """The run's own record: name, group, tags, configuration."""
    return of_kind(path, "run")[0]


def configuration(path: Path) -> dict[str, Any]:
    updates = [opened(path).get("config", {}), *of_kind(path, "config")]
    return {key: value for update in updates for key, value in update.get("update", {}).items()}
