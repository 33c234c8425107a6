"""The folder results/: per experiment and scale its records and what follows from them, and the index of all."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from replicate.errors import UserError
from replicate.files import canonical, write_atomic
from replicate.report.collected import compressed, csv_bytes, measurements_frame, verdicts_frame
from replicate.report.findings import Findings
from replicate.report.forest import forest
from replicate.report.index import index_markdown
from replicate.report.networks import networks
from replicate.report.table import markdown
from replicate.report.verdict_file import VERDICTS, VerdictFile, all_verdicts, verdict_file
from replicate.runs.records import Record
from replicate.verdicts import Verdict

RECORDS, RUNS, TABLE, FIGURE = "records.jsonl", "runs.csv", "table.md", "figure.svg"
INDEX, ALL_VERDICTS, ALL_MEASUREMENTS = "README.md", "verdicts.csv", "measurements.csv.gz"
PACKAGES = ("torch", "torchvision")
HARDWARE = ("cpu", "gpu", "threads")


def result_folder(results_dir: Path, paper: str, experiment: str, scale: str) -> Path:
    """Where the results of one experiment at one scale lie."""
    return results_dir / paper / experiment / scale


def write_results(findings: Findings, verdicts: Sequence[Verdict], folder: Path) -> None:
    """Write records.jsonl, from which the rest follows: runs.csv, table.md, verdicts.json, figure.svg unless counted.

    Each file is replaced whole; equal findings write equal bytes. Raises UserError when the folder cannot be written.
    """
    files = {
        RECORDS: "".join(f"{canonical(record.model_dump(mode='json'))}\n" for record in findings.records).encode(),
        RUNS: csv_bytes(runs_frame(findings)),
        TABLE: markdown(findings, verdicts).encode(),
        VERDICTS: pretty(verdict_file(findings, verdicts)),
    }
    if not findings.counted:
        from replicate.report.figures.draw import figure_svg  # here, since matplotlib takes a second to import

        files[FIGURE] = figure_svg(findings)
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

    README.md, the index; verdicts.csv and measurements.csv.gz; forest.svg and networks.svg. Raises UserError for a
    damaged file.
    """
    found = list(all_verdicts(results_dir))
    records = [(data, read_records(results_dir / data.folder / RECORDS)) for data in found]
    files = {
        INDEX: index_markdown(found).encode(),
        ALL_VERDICTS: csv_bytes(verdicts_frame(found)),
        ALL_MEASUREMENTS: compressed(csv_bytes(measurements_frame(records))),
    }
    write_files(results_dir, files | overview_figures(found, records))


def overview_figures(
    found: Sequence[VerdictFile], records: Sequence[tuple[VerdictFile, Sequence[Record]]]
) -> dict[str, bytes]:
    """forest.svg and networks.svg, where there is anything to draw."""
    trees, (panels, alone) = forest(found), networks(records)
    if not trees.lines and not panels:
        return {}
    from replicate.report.figures.draw import overview_svgs  # here, since matplotlib takes a second to import

    return overview_svgs(trees, panels, alone)


def read_records(path: Path) -> list[Record]:
    """The records of a records.jsonl, none if there is no such file. Raises UserError for a damaged line."""
    records = []
    for number, line in enumerate(path.read_bytes().splitlines() if path.exists() else (), start=1):
        try:
            records.append(Record.model_validate_json(line))
        except ValidationError as error:
            raise UserError(f"{path}, line {number}, is no record ({str(error).splitlines()[0]})") from error
    return records


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
    told = record.provenance
    packages = told.get("packages") or {}
    return {
        "commit": told.get("commit"),
        "dirty": told.get("dirty"),
        "python": told.get("python"),
        **{name: packages.get(name) for name in PACKAGES},
        **{name: told.get(name) for name in HARDWARE},
    }


def pretty(data: VerdictFile) -> bytes:
    """verdicts.json: one verdict file as text."""
    content = data.model_dump(mode="json", exclude={} if data.numbers else {"numbers"})
    return (json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n").encode()
