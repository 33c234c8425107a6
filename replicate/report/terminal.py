"""The report in a terminal: the table, the deviations and the verdicts, coloured where the terminal has colours."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from replicate.report.findings import Findings, VariantFindings
from replicate.report.table import (
    LEFT,
    count_lines,
    decimal_places,
    explanation,
    measured_cell,
    printed_size,
    sizes,
    without_empty_columns,
)
from replicate.report.verdict_words import basis
from replicate.report.wording import DASH, comparison, heading, published_cell, remarks, run_summary, short_count, title
from replicate.verdicts import Outcome, Verdict

COLOURS = {
    Outcome.HOLDS: "green",
    Outcome.EXACT: "green",
    Outcome.OPPOSITE: "red",
    Outcome.DIFFERS: "red",
    Outcome.SMALLER: "cyan",
    Outcome.PREMISE: "yellow",
    Outcome.UNDECIDED: "yellow",
    Outcome.NOT_RUN: "bright_black",
}
SHORT = {"parameters": "params", "multiply-adds": "mult-\nadds"}


def terminal(findings: Findings, verdicts: Sequence[Verdict]) -> RenderableType:
    """A renderable for rich; meant for 100 columns, wraps to fewer. Every colour is also said in words."""
    parts: list[RenderableType] = [
        Text(title(findings), style="bold"),
        Text(comparison(findings), style="" if findings.comparable else "yellow"),
        results(findings),
        *footnotes(findings),
        Text(run_summary(findings) + (explanation(findings) if findings.counted else ""), style="dim"),
    ]
    if findings.experiment.deviations:
        parts += [Text("\nDeviations from the paper", style="bold"), bullets(findings.experiment.deviations)]
    if verdicts:
        parts += [Text("\nAnswers", style="bold"), verdict_list(findings, verdicts)]
    return Group(*parts)


def results(findings: Findings) -> RichTable:
    """The cells of table.md, in fewer columns: a terminal has 80 to 100 characters."""
    frame = without_empty_columns(count_lines(findings) if findings.counted else compact_lines(findings))
    table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in frame.columns:
        table.add_column(name, justify="left" if name in LEFT else "right", overflow="fold", vertical="bottom")
    for row in frame.itertuples(index=False):
        table.add_row(*(Text(str(cell)) for cell in row))
    return table


def compact_lines(findings: Findings) -> list[dict[str, str]]:
    places = decimal_places(findings)
    return [compact_line(findings, line, places) for line in findings.variants]


def compact_line(findings: Findings, line: VariantFindings, places: Mapping[str, int]) -> dict[str, str]:
    """A variant without its published row's name, and with sizes to four digits beside the paper's."""
    cells = {"variant": line.variant}
    for column in findings.columns:
        name = heading(findings, column).replace(" ", "\n", 1)
        cells[f"{name}\npublished"] = published_cell(line, column)
        cells[f"{name}\nmean ± 95 % (n)"] = measured_cell(findings, line, column, places[column])
    for name, own in sizes(line).items():
        said = printed_size(findings, line, name)
        cells[SHORT[name]] = DASH if own is None else f"{short_count(own)}{'' if said == DASH else f' ({said})'}"
    return cells


def footnotes(findings: Findings) -> list[RenderableType]:
    """Which runs diverged or were not done, below the table."""
    said = [f"{line.variant}: {remarks(line)}" for line in findings.variants if remarks(line)]
    return [Text("; ".join(said), style="yellow")] if said else []


def bullets(items: Sequence[str]) -> RichTable:
    grid = RichTable.grid(padding=(0, 1))
    for item in items:
        grid.add_row("-", Text(item))
    return grid


def verdict_list(findings: Findings, verdicts: Sequence[Verdict]) -> RichTable:
    """The answer at the left; the claim and what was found beside it."""
    grid = RichTable.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column()
    for verdict in verdicts:
        answer = Text(findings.answer(verdict), style=f"bold {COLOURS[verdict.outcome]}")
        grid.add_row(answer, explained(verdict))
    return grid


def explained(verdict: Verdict) -> RenderableType:
    lines = [Text(verdict.statement, style="bold"), Text(verdict.detail), Text(basis(verdict), style="dim")]
    return Padding(Group(*(line for line in lines if line.plain)), (0, 0, 1, 0))
