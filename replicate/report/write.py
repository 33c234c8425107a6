"""The folder results/: per experiment and scale its records and what follows from them, and the index of all."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from replicate.errors import UserError
from replicate.files import locked, write_atomic
from replicate.report.collected import compressed, csv_bytes, measurements_frame, verdicts_frame
from replicate.report.findings import Findings
from replicate.report.forest import forest
from replicate.report.index import index_markdown
from replicate.report.networks import networks
from replicate.report.table import markdown
from replicate.report.verdict_file import VERDICTS, VerdictFile, read_verdicts, verdict_file, verdict_paths
from replicate.runs.committed import RECORDS, read_records, records_file
from replicate.runs.records import Record
from replicate.verdicts import Verdict

RUNS, TABLE, FIGURE = "runs.csv", "table.md", "figure.svg"
INDEX, ALL_VERDICTS, ALL_MEASUREMENTS = "README.md", "verdicts.csv", "measurements.csv.gz"
LOCK = ".lock"
PACKAGES = ("torch", "torchvision")
HARDWARE = ("cpu", "gpu", "threads")


def write_results(findings: Findings, verdicts: Sequence[Verdict], folder: Path) -> None:
    """Write records.jsonl, from which the rest follows: runs.csv, table.md, verdicts.json, figure.svg unless counted.

    Each file is replaced whole; equal findings write equal bytes. Raises UserError when the folder cannot be written.
    """
    files = {
        RECORDS: records_file(findings.records),
        RUNS: csv_bytes(runs_frame(findings)),
        TABLE: markdown(findings, verdicts).encode(),
        VERDICTS: pretty(verdict_file(findings, verdicts)),
    }
    if not findings.counted:
        from replicate.report.figures.draw import figure_svg  # here, since matplotlib takes a second to import

        files[FIGURE] = figure_svg(findings)
    with results_lock(folder.parents[2]):
        write_files(folder, files)


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            write_atomic(folder / name, data)
    except OSError as error:
        raise UserError(f"cannot write the results to {folder}: {error.strerror}") from error


def write_index(results_dir: Path) -> None:
    """Write what `results_dir` says as a whole, from the folder of every experiment and scale in it.

    README.md, the index; verdicts.csv and measurements.csv.gz; forest.svg and networks.svg. A damaged verdicts.json
    costs its experiment's line in each, not the run of another experiment. Two writers take turns: the later one has
    seen what the earlier one wrote.
    """
    with results_lock(results_dir):
        found = list(readable_verdicts(results_dir))
        records = [(data, read_records(results_dir / data.folder / RECORDS)) for data in found]
        files = {
            INDEX: index_markdown(found).encode(),
            ALL_VERDICTS: csv_bytes(verdicts_frame(found)),
            ALL_MEASUREMENTS: compressed(csv_bytes(measurements_frame(records))),
        }
        write_files(results_dir, files | overview_figures(found, records))


def readable_verdicts(results_dir: Path) -> Iterator[VerdictFile]:
    """The verdicts.json of every experiment and scale; a damaged one is named and left out."""
    for path in verdict_paths(results_dir):
        try:
            yield read_verdicts(path)
        except UserError as error:
            print(f"replicate: {error}; it is left out of {results_dir / INDEX}", file=sys.stderr)


def overview_figures(
    found: Sequence[VerdictFile], records: Sequence[tuple[VerdictFile, Sequence[Record]]]
) -> dict[str, bytes]:
    """forest.svg and networks.svg, where there is anything to draw."""
    trees, (panels, alone) = forest(found), networks(records)
    if not trees.lines and not panels:
        return {}
    from replicate.report.figures.draw import overview_svgs  # here, since matplotlib takes a second to import

    return overview_svgs(trees, panels, alone)


@contextmanager
def results_lock(results_dir: Path) -> Iterator[None]:
    """Hold the lock of a results folder, which no lock of a run guards. Raises UserError where none can be written."""
    with ExitStack() as held:
        try:
            held.enter_context(locked(results_dir / LOCK))
        except OSError as error:
            raise UserError(f"cannot write the results to {results_dir}: {error.strerror}") from error
        yield


def runs_frame(findings: Findings) -> pd.DataFrame:
    """One line a run: its single-valued metrics under the names they were measured by, its cost and its provenance."""
    single = [{m.metric: m.value for m in r.measurements if m.index is None} for r in findings.records]
    metrics = sorted({metric for values in single for metric in values})
    rows = [
        {**identity(record), **{metric: values.get(metric) for metric in metrics}, **cost(record), **origin(record)}
        for record, values in zip(findings.records, single, strict=True)
    ]
    # objects, so that a missing count leaves the others whole numbers
    return pd.DataFrame(rows, dtype=object)


def identity(record: Record) -> dict[str, Any]:
    return {"id": record.id, "variant": record.variant, "seed": record.seed, "status": record.status}


def cost(record: Record) -> dict[str, Any]:
    return {
        "parameters": record.parameters,
        "multiply_adds": record.multiply_adds,
        "seconds": record.timing.seconds,
        "images_per_second": record.timing.images_per_second,
    }


def origin(record: Record) -> dict[str, Any]:
    """Where the run was done, as far as the record says."""
    provenance = record.provenance
    packages = provenance.get("packages") or {}
    return {
        "commit": provenance.get("commit"),
        "dirty": provenance.get("dirty"),
        "python": provenance.get("python"),
        **{name: packages.get(name) for name in PACKAGES},
        **{name: provenance.get(name) for name in HARDWARE},
    }


def pretty(data: VerdictFile) -> bytes:
    """verdicts.json: one verdict file as text."""
    content = data.model_dump(mode="json", exclude={} if data.numbers else {"numbers"})
    return (json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n").encode()
