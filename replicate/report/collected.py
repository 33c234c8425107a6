"""Every answer and every measurement of results/, each in one file with one set of columns."""

import gzip
from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from typing import Any

import pandas as pd

from replicate.experiments.catalogue import Entry, find
from replicate.papers import Table, load_paper
from replicate.papers.printed import is_number
from replicate.paths import experiment_files
from replicate.report.findings import bound, tidy
from replicate.report.verdict_file import VerdictFile
from replicate.runs.records import Record

DIGITS = 6  # significant, of every number that is not whole
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""

PLACE = ("experiment", "scale", "paper")
ANSWER = (
    *("claim", "statement", "kind", "trained", "outcome", "answer", "effect", "low", "high", "unit"),
    *("relative", "relative_low", "relative_high", "published_relative", "p", "n", "seeds", "smallest", "margin"),
    *("hold", "total", "partly", "detail"),
)
MEASURED = ("variant", "row", "seed", "status", "metric", "index", "value", "unit", "published")


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """A frame as CSV that no spreadsheet runs: numbers to six digits, whole ones to all, formulas as text."""
    texts = pd.DataFrame({name: [cell(value) for value in frame[name]] for name in frame.columns}, dtype=object)
    return texts.to_csv(index=False, lineterminator="\n").encode()


def cell(value: Any) -> str:
    """A value as its cell says it; nothing for what is not there."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else value
    if value is None or value != value:
        return ""
    if isinstance(value, Real) and not isinstance(value, bool):
        number = float(value)
        return f"{number:.0f}" if number.is_integer() else f"{number:.{DIGITS}g}"
    return str(value)


def compressed(data: bytes) -> bytes:
    """The bytes as gzip, without the time at which that was done."""
    return gzip.compress(data, mtime=0)


def verdicts_frame(found: Sequence[VerdictFile]) -> pd.DataFrame:
    """One line an answer: where it was found, the claim, and every number that it rests on."""
    lines = [
        [data.experiment, data.scale.value, data.paper, *(getattr(answer, name) for name in ANSWER)]
        for data in found
        for answer in data.verdicts
    ]
    return pd.DataFrame(lines, columns=[*PLACE, *ANSWER], dtype=object)


def measurements_frame(found: Sequence[tuple[VerdictFile, Sequence[Record]]]) -> pd.DataFrame:
    """One line a number of each record, curves with their index, beside the number that the paper prints in its place.

    What stands for a published column has the column's name and unit; the rest is as it was measured.
    """
    parts = [frame for data, records in found for frame in measured(data, records)]
    columns = [*PLACE, *MEASURED]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def measured(data: VerdictFile, records: Sequence[Record]) -> Iterator[pd.DataFrame]:
    """The lines of one experiment at one scale, as its file names its columns and rows; none without records."""
    entry = find(data.experiment) if data.experiment in experiment_files() else None
    rows, narrowed = bindings(entry)
    frame = tidy([(rows.get(record.variant), record) for record in records])
    table = load_paper(data.paper).tables.get(data.table)
    if entry is not None and table is not None:
        frame = bound(frame, entry, table, narrowed)
    if not frame.empty:
        place = dict(zip(PLACE, (data.experiment, data.scale.value, data.paper), strict=True))
        yield frame.astype(object).assign(**place, **beside(frame, table))


def bindings(entry: Entry | None) -> tuple[dict[str, str | None], dict[str, tuple[str, ...]]]:
    """Variant -> its published row, and variant -> the only columns that it measures, where its file names some."""
    variants = {name: body for name, body in entry.variants.items() if body} if entry else {}
    return (
        {name: body.row for name, body in variants.items()},
        {name: body.columns for name, body in variants.items() if body.columns},
    )


def beside(frame: pd.DataFrame, table: Table | None) -> Mapping[str, list[Any]]:
    """The column's unit and the published number of each line of the frame."""
    units = table.units if table else {}
    printed = {
        (row.variant, column): value
        for row in (table.rows if table else ())
        for column, value in row.published.items()
        if is_number(value)
    }
    pairs = zip(frame["row"], frame["metric"], strict=True)
    return {"unit": [units.get(metric) for metric in frame["metric"]], "published": [printed.get(at) for at in pairs]}
