"""The prior spread of the verdicts, fitted anew on the committed records."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from replicate.errors import UserError
from replicate.experiments.scale import Scale
from replicate.report.verdict_file import read_verdicts, verdict_paths
from replicate.runs.committed import RECORDS, read_records
from replicate.runs.provenance import git
from replicate.runs.records import Record
from replicate.verdicts.prior import Prior, fit_prior


def fitted_on(results: Path) -> Prior:
    """Fit the prior on the laptop records in `results`. Raises UserError where there are none."""
    rows = [row for path in verdict_paths(results) for row in _rows(path)]
    if not rows:
        raise UserError(f"there are no records of laptop scale in {results} to fit the spread on")
    frame = pd.DataFrame(rows).drop_duplicates(["run", "metric"])  # a run that two experiments share counts once
    return fit_prior(frame, _commit(results))


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    verdicts = read_verdicts(path)
    if verdicts.scale == Scale.LAPTOP:
        for record in read_records(path.parent / RECORDS):
            yield from _values(verdicts.experiment, record)


def _values(experiment: str, record: Record) -> Iterator[Mapping[str, Any]]:
    """The final values of a run: those without a place on a curve."""
    known = {"run": record.id, "experiment": experiment, "variant": record.variant, "seed": record.seed}
    known |= {"study": record.config["study"], "status": record.status}
    for measured in record.measurements:
        if measured.index is None and measured.value is not None:
            yield {**known, "metric": measured.metric, "value": measured.value}


def _commit(results: Path) -> str:
    """The commit whose records these are; nothing without git or outside of the checkout."""
    try:
        return git("log", "-1", "--format=%h", "--", str(results.resolve()))
    except (OSError, subprocess.SubprocessError):
        return ""
