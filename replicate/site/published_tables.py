"""The published tables of a paper, row by row, with what our experiments measured in the same cell beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

from replicate.papers import Paper, Row, Table
from replicate.papers.facts import Value
from replicate.papers.units import unit
from replicate.report.findings import VariantFindings
from replicate.report.table import count_line, decimal_places, measured_cell
from replicate.report.wording import DASH, printed
from replicate.site.content import Content, Result
from replicate.verdicts.quantities import spoken

MOST_COLUMNS = 12  # printed columns side by side; a wider table is listed, one printed number a line


@dataclass(frozen=True)
class Column:
    """One column on the page. `result` is None for what the paper prints; `words`: it holds no numbers."""

    name: str
    heading: str
    result: Result | None = None
    words: bool = False


@dataclass(frozen=True)
class PrintedTable:
    """One published table. `measuring`: experiments that re-make it, with results or not yet."""

    key: str
    table: Table
    columns: Sequence[Column]
    lines: Sequence[Sequence[str]]
    measuring: Sequence[str]


def printed_tables(content: Content, paper: Paper) -> list[PrintedTable]:
    """Every table of the paper, in its order."""
    return [printed_table(content, paper, key, table) for key, table in paper.tables.items()]


def printed_table(content: Content, paper: Paper, key: str, table: Table) -> PrintedTable:
    entries = [entry for entry in content.entries_of(paper) if entry.table == key]
    results = [result for entry in entries for result in content.results_of(entry)]
    names = column_names(table)
    columns, lines = listed(table, names, results) if len(names) > MOST_COLUMNS else laid_out(table, names, results)
    return PrintedTable(key, table, columns, lines, [entry.name for entry in entries])


def column_names(table: Table) -> list[str]:
    """Columns that any row prints, in the order in which the table names them."""
    used = {name for row in table.rows for name in row.published}
    return [*(name for name in table.units if name in used), *sorted(used - set(table.units))]


Laid = tuple[list[Column], list[list[str]]]


def laid_out(table: Table, names: Sequence[str], results: Sequence[Result]) -> Laid:
    """The table as the paper has it: after each column one for each result that measures it."""
    columns = [column for name in names for column in beside(table, name, results)]
    lines = [[row.variant, *(cell(row, column) for column in columns)] for row in table.rows]
    return [Column("", "row", words=True), *columns], lines


def listed(table: Table, names: Sequence[str], results: Sequence[Result]) -> Laid:
    """One printed number a line: its row and quantity, then one column for each result."""
    pairs = [(row, name) for row in table.rows for name in names if row.published.get(name) is not None]
    lines = [
        [row.variant, titled(table, name), printed_value(row, name), *(cell(row, Column(name, "", r)) for r in results)]
        for row, name in pairs
    ]
    head = [Column("", "row", words=True), Column("", "quantity", words=True), Column("", "published")]
    return [*head, *(Column("", f"{result.scale} scale", result) for result in results)], lines


def beside(table: Table, name: str, results: Sequence[Result]) -> list[Column]:
    """The published column, then one for each result that measures it."""
    own = Column(name, titled(table, name))
    return [own, *(Column(name, f"{r.scale} scale", r) for r in results if name in r.findings.columns)]


def titled(table: Table, name: str) -> str:
    """A column's name with its unit."""
    sign = unit(table.units.get(name, "count")).sign
    return f"{spoken(name)} ({sign})" if sign else spoken(name)


def cell(row: Row, column: Column) -> str:
    if column.result is None:
        return printed_value(row, column.name)
    if column.name not in column.result.findings.columns:
        return DASH
    found = [line for line in column.result.findings.variants if line.row == row.variant]
    return "; ".join(measured(column.result, line, column.name) for line in found) or DASH


def printed_value(row: Row, name: str) -> str:
    value: Value = row.published.get(name)
    return "fail" if value is None and row.published.get("fail") is True else printed(value)


def measured(result: Result, line: VariantFindings, column: str) -> str:
    """The cell of the experiment's own table, so that both pages say the same."""
    findings = result.findings
    if findings.counted:
        counted = count_line(findings, line, column)
        return f"{counted['counted']} {counted['result']}".strip()
    return measured_cell(findings, line, column, decimal_places(findings)[column])
