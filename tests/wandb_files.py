"""What stands in wandb's offline run files: blocks of 32 KiB as in LevelDB's log, of protocol buffers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2

FILE_HEADER, BLOCK, HEADER = 7, 32 * 1024, 7
FULL, LAST = 1, 4


def wandb_records(path: Path) -> Iterator[Any]:
    """The records of a .wandb file."""
    data, place, parts = path.read_bytes(), FILE_HEADER, b""
    while place + HEADER <= len(data):
        left = BLOCK - place % BLOCK
        if left < HEADER:
            place += left
            continue
        size, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        parts += data[place + HEADER : place + HEADER + size]
        place += HEADER + size
        if kind in (FULL, LAST):
            yield wandb_internal_pb2.Record.FromString(parts)  # type: ignore[attr-defined]
            parts = b""


def history(path: Path) -> list[dict[str, Any]]:
    """What was logged, step by step, without wandb's own keys."""
    steps = [r.history for r in wandb_records(path) if r.WhichOneof("record_type") == "history"]
    return [{k: v for k, v in read(step.item).items() if not k.startswith("_")} for step in steps]


def summary(path: Path) -> dict[str, Any]:
    """The summary's values, the last of each."""
    updates = [r.summary for r in wandb_records(path) if r.WhichOneof("record_type") == "summary"]
    return {key: value for update in updates for key, value in read(update.update).items()}


def opened(path: Path) -> Any:
    """The run's own record: name, group, tags, configuration."""
    return next(r.run for r in wandb_records(path) if r.WhichOneof("record_type") == "run")


def configuration(path: Path) -> dict[str, Any]:
    return read(opened(path).config.update)


def read(items: Any) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}
