"""The table of an experiment: pure functions from findings to a frame of words, and that frame as Markdown."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from replicate.papers.facts import Value
from replicate.papers.printed import decimals
from replicate.papers.units import unit
from replicate.report.findings import Findings, VariantFindings
from replicate.report.numbers import numbers_frame, protocol_line
from replicate.report.verdict_words import verdict_sentence
from replicate.report.wording import (
    DASH,
    capital,
    comparison,
    decimals_of,
    estimate,
    heading,
    papers_statistic,
    printed,
    published_cell,
    remarks,
    run_summary,
    title,
    unit_of,
)
from replicate.verdicts import Verdict
from replicate.verdicts.exact import agrees_to_printed_digits

PRINTED_SIZES = {
    "parameters": ("params", "params_m", "params_k"),
    "multiply-adds": ("flops", "mult_adds", "gflops", "mflops"),
}
"""Columns in which the papers print what our records hold as `parameters` and `multiply_adds`."""

LEFT = (
    *("variant", "published row", "quantity", "result", "remarks"),
    *("experiment", "scale", "paper", "claim", "verdict"),
)
"""Columns of words, here and in the index; all others hold numbers and go to the right."""

AGREEMENTS = {"exact": "exact", "agrees": "agree to the printed digits", "differs": "differ"}
NOT_RUN, EXACT, AGREES = "not run", "exact", "agrees to the printed digits"


def table_frame(findings: Findings) -> pd.DataFrame:
    """The table as words, one line a variant (study count: one line for each printed number)."""
    if findings.counted:
        return without_empty_columns(count_lines(findings))
    places = decimal_places(findings)
    return without_empty_columns([train_line(findings, line, places) for line in findings.variants])


def decimal_places(findings: Findings) -> dict[str, int]:
    """Decimals for each column, the same all the way down."""
    samples = {c: [v.measured[c] for v in findings.variants if c in v.measured] for c in findings.columns}
    return {column: decimals_of(found, unit_of(findings, column)) for column, found in samples.items()}


def without_empty_columns(lines: Sequence[dict[str, str]]) -> pd.DataFrame:
    """Lines as a frame, less the columns that say nothing: no word in any cell, or the variant's name again."""
    frame = pd.DataFrame(lines)
    empty = [name for name in frame.columns if frame[name].isin(("", DASH)).all()]
    again = ["published row"] if "published row" in frame and frame["published row"].equals(frame["variant"]) else []
    return frame.drop(columns=[*empty, *again])


def train_line(findings: Findings, line: VariantFindings, places: Mapping[str, int]) -> dict[str, str]:
    """Published beside measured for each bound column, then the network's size beside the paper's."""
    cells = {"variant": line.variant, "published row": line.row or DASH}
    for column in findings.columns:
        name = heading(findings, column)
        cells[f"{name}, published"] = published_cell(line, column)
        cells[f"{name}, mean ± 95 % (n)"] = measured_cell(findings, line, column, places[column])
    for name, own in sizes(line).items():
        cells[name] = DASH if own is None else f"{own:,}"
        cells[f"{name}, published"] = printed_size(findings, line, name)
    return {**cells, "remarks": remarks(line)}


def sizes(line: VariantFindings) -> dict[str, int | None]:
    return {"parameters": line.parameters, "multiply-adds": line.multiply_adds}


def measured_cell(findings: Findings, line: VariantFindings, column: str, places: int) -> str:
    """The mean with its interval, or why there is none."""
    sample = line.measured.get(column)
    if sample is None:
        return NOT_RUN if line.missing == line.planned else DASH
    return estimate(sample, places, papers_statistic(findings, column, sample, places))


def printed_size(findings: Findings, line: VariantFindings, name: str) -> str:
    """The paper's parameters or multiply-adds of the row, with their unit, where its table prints them."""
    for column in PRINTED_SIZES[name]:
        if line.published.get(column) is not None and column not in findings.columns:
            return f"{printed(line.published[column])} {unit(unit_of(findings, column)).sign}".rstrip()
    return DASH


def count_lines(findings: Findings) -> list[dict[str, str]]:
    """One line for each printed or counted number."""
    return [
        count_line(findings, line, column)
        for line in findings.variants
        for column in findings.columns
        if line.published.get(column) is not None or column in line.measured
    ]


def count_line(findings: Findings, line: VariantFindings, column: str) -> dict[str, str]:
    sample, value = line.measured.get(column), line.published.get(column)
    return {
        "variant": line.variant,
        "published row": line.row or DASH,
        "quantity": heading(findings, column),
        "published": published_cell(line, column),
        "counted": NOT_RUN if sample is None else counted(sample.mean * unit(unit_of(findings, column)).size),
        "result": "" if sample is None else agreement(sample.mean, value),
    }


def counted(value: float) -> str:
    """All digits of a count. Dividing by the unit and multiplying again may have moved it by a rounding error."""
    return f"{round(value):,}" if math.isclose(value, round(value), rel_tol=1e-12) else f"{value:,}"


def agreement(value: float, published: Value) -> str:
    """`exact`, `agrees to the printed digits` or `differs by +12 (+0.05 %)`; nothing where no number is printed."""
    if published is None or isinstance(published, (bool, str)):
        return ""
    if value == published:
        return EXACT
    if agrees_to_printed_digits(value, published):
        return AGREES
    difference = value - published
    share = f" ({100 * difference / published:+.2g} %)" if published else ""
    return f"differs by {difference:+,.{decimals(published)}f}{share}"


def markdown(findings: Findings, verdicts: Sequence[Verdict]) -> str:
    """table.md: what was asked, the table, its deviations and the verdicts."""
    parts = [
        f"# {title(findings)}",
        capital(findings.table.about.rstrip(".")) + ".",
        f"**{comparison(findings)}**",
        markdown_table(table_frame(findings)),
        run_summary(findings) + explanation(findings),
        *([] if findings.counted else ["![Published and measured values, variant by variant](figure.svg)"]),
        *number_by_number(findings),
        *section("Deviations from the paper", findings.experiment.deviations),
        *section("Answers", [verdict_sentence(v, findings.answer(v)) for v in verdicts]),
    ]
    return without_html("\n\n".join(parts) + "\n")


def explanation(findings: Findings) -> str:
    """How many printed numbers agree, or what the ± of the table is."""
    if findings.counted:
        results = Counter(line["result"].split()[0] for line in count_lines(findings) if line["result"])
        said = ", ".join(f"{results[word]} {text}" for word, text in AGREEMENTS.items() if word in results)
        return f" Of {results.total()} printed numbers: {said}." if results else ""
    return " ± is the half-width of the 95 % t-interval of the mean over n runs; diverged runs count with their score."


def number_by_number(findings: Findings) -> list[str]:
    """At the paper's own scale each printed number beside ours, with how either was tested."""
    frame = numbers_frame(findings)
    return [] if frame.empty else ["## Number by number", protocol_line(findings), markdown_table(frame)]


def section(heading: str, items: Iterable[str]) -> list[str]:
    listed = "\n".join(f"- {item}" for item in items)
    return [f"## {heading}", listed] if listed else []


def markdown_table(frame: pd.DataFrame) -> str:
    """A frame of words as a Markdown table."""
    rules = ["---" if name in LEFT else "---:" for name in frame.columns]
    rows = [list(frame.columns), rules, *frame.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(escaped(str(cell)) for cell in row) + " |" for row in rows)


def escaped(cell: str) -> str:
    return " ".join(cell.replace("|", "\\|").split("\n"))


def without_html(text: str) -> str:
    """Markdown in which a tag is text: names and deviations come from files that others may have written."""
    return re.sub(r"<(?=[A-Za-z/!?])", r"\\<", text)
