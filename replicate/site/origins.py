"""Every run of a result with its origin, and the configurations: what all variants share, and what sets them apart."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from replicate.report.findings import Findings
from replicate.report.wording import DASH
from replicate.report.write import runs_frame

MOST_RUNS = 300  # on the page; runs.csv has all
COMMIT = 10  # digits of a commit that are shown
Settings = dict[str, str]


def run_table(findings: Findings) -> pd.DataFrame:
    """runs.csv as words, less the columns in which nothing stands."""
    frame = runs_frame(findings).head(MOST_RUNS)
    words = pd.DataFrame({name: [word(value) for value in frame[name]] for name in frame.columns})
    words["commit"] = [
        f"{full[:COMMIT]}{'+' if dirty == 'yes' else ''}"
        for full, dirty in zip(words["commit"], words["dirty"], strict=True)
    ]
    shown = words.drop(columns="dirty")
    return shown.drop(columns=[name for name in shown.columns if shown[name].isin((DASH, "")).all()])


def word(value: Any) -> str:
    """A cell: whole numbers with all digits, others with six."""
    if value is None or value != value:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def configurations(findings: Findings) -> tuple[Settings, dict[str, Settings]]:
    """Settings that all variants share, and for each variant those that differ, as `model.depth` -> text."""
    found = {run.variant: dict(flattened(run.config.identity())) for run in findings.runs}
    keys = list(dict.fromkeys(key for settings in found.values() for key in settings))
    same = [key for key in keys if len({settings.get(key) for settings in found.values()}) == 1]
    first = next(iter(found.values()))
    own = {v: {k: s.get(k, DASH) for k in keys if k not in same} for v, s in found.items()}
    return {key: first[key] for key in same}, own


def flattened(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as dotted names with their values as text."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)


def environment(findings: Findings) -> list[tuple[str, str]]:
    """What was the same in every run's provenance: system, packages, data checksum."""
    told = [dict(flattened(record.provenance)) for record in findings.records]
    same = [key for key in told[0] if len({other.get(key) for other in told}) == 1] if told else []
    return [(key, told[0][key]) for key in same if told[0][key] != "null"]
