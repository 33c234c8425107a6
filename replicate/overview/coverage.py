"""The map of all tables: which experiment re-makes each, or why none does. Reads papers and experiment files alone."""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from replicate.experiments.catalogue import Entry, catalogue
from replicate.papers import Row, Table, load_paper, paper_ids
from replicate.papers.schema import WITHOUT_UNIT


@dataclass(frozen=True)
class TableState:
    """One table of one paper and who re-makes it.

    reason: why nobody does; an experiment beside it measures something else that stands there. left_out: row or column
    -> why it is not re-made. open_rows, open_columns: what is neither re-made by one of the experiments nor has a
    reason in the paper's file.
    """

    paper: str
    table: str
    locator: str
    experiments: tuple[str, ...]
    reason: str | None
    left_out: dict[str, str]
    open_rows: tuple[str, ...]
    open_columns: tuple[str, ...]

    @property
    def closed(self) -> bool:
        """Whether the table, every row and every column has an experiment or a reason."""
        return bool(self.experiments or self.reason) and not self.open_rows and not self.open_columns

    def as_dict(self) -> dict[str, Any]:
        """For `replicate list --tables --json`."""
        return asdict(self)


def table_states() -> list[TableState]:
    """The state of every table in replicate/papers, papers by name, tables as printed."""
    entries = catalogue()
    return [
        table_state(paper, name, table, [entry for entry in entries if (entry.paper, entry.table) == (paper, name)])
        for paper in paper_ids()
        for name, table in load_paper(paper).tables.items()
    ]


def table_state(paper: str, name: str, table: Table, entries: Collection[Entry]) -> TableState:
    """The state of one table whose experiments are `entries`."""
    rows = {row.variant: row.reference_only for row in table.rows if row.reference_only is not None}
    looked_for = [] if table.reference_only is not None else [row for row in table.rows if row.variant not in rows]
    return TableState(
        paper=paper,
        table=name,
        locator=table.locator,
        experiments=tuple(entry.name for entry in entries),
        reason=table.reference_only,
        left_out={**rows, **table.reference_columns},
        open_rows=unmade_rows(looked_for, entries),
        open_columns=unmeasured_columns(looked_for, table.reference_columns, entries),
    )


def unmade_rows(rows: Iterable[Row], entries: Iterable[Entry]) -> tuple[str, ...]:
    """Rows that no variant names; a difference needs both of its networks."""
    made = {row for entry in entries for row in entry.rows}
    return tuple(row.variant for row in rows if not set(row.difference or (row.variant,)) <= made)


def unmeasured_columns(rows: Iterable[Row], left_out: Collection[str], entries: Collection[Entry]) -> tuple[str, ...]:
    """Printed columns that no experiment measures. Without `metrics` an experiment measures by the columns' names.

    A rank is what claims test, not what a run measures.
    """
    if any(not entry.metrics for entry in entries):
        return ()
    measured = {column for entry in entries for column in entry.metrics}
    printed = dict.fromkeys(column for row in rows if row.difference is None for column in row.published)
    return tuple(column for column in printed if column not in {*measured, *left_out, *WITHOUT_UNIT})


def table_text(states: Iterable[TableState]) -> str:
    """A few lines a table: paper, table and place; its experiments or the reason; what is left out, and why."""
    return "\n".join(line for state in states for line in table_lines(state))


def table_lines(state: TableState) -> list[str]:
    reason = [f"reference only: {state.reason}"] if state.reason else []
    done_by = ", ".join([*state.experiments, *reason]) or "NO EXPERIMENT"
    lines = [f"{state.paper}/{state.table}  [{state.locator}]", f"    {done_by}"]
    lines += [f"    without {name}: {reason}" for name, reason in state.left_out.items()]
    if state.experiments and state.open_rows:
        lines.append(f"    OPEN ROWS: {', '.join(state.open_rows)}")
    if state.experiments and state.open_columns:
        lines.append(f"    OPEN COLUMNS: {', '.join(state.open_columns)}")
    return lines
