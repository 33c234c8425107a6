"""Complete by construction: every published table, row and column is re-made or says why it is not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from replicate.errors import UserError
from replicate.experiments.catalogue import Entry, catalogue
from replicate.overview.coverage import TableState, table_state, table_states, table_text
from replicate.papers import Table, load_paper
from tests.helpers.small_paper import SMALL, changed, read


@pytest.mark.parametrize("state", table_states(), ids=lambda state: f"{state.paper}:{state.table}")
def test_every_table_has_an_experiment_or_a_reason(state: TableState) -> None:
    assert state.experiments or state.reason, "write an experiment, or reference_only with the reason"
    assert not state.open_rows, "neither a variant nor reference_only with a reason"
    assert not state.open_columns, "neither in the metrics of an experiment nor in reference_columns with a reason"
    assert state.closed


@pytest.mark.parametrize("entry", catalogue(), ids=lambda entry: entry.name)
def test_no_variant_is_a_row_that_is_called_reference_only(entry: Entry) -> None:
    table = load_paper(entry.paper).tables[entry.table]
    assert not {row.variant for row in table.rows if row.reference_only or table.reference_only} & entry.rows


def test_every_row_that_a_variant_names_is_printed() -> None:
    """At any scale; smoke runs are checked as they are done, and few run the others."""
    for entry in catalogue():
        named = {body.row for body in entry.variants.values() if body and body.row}
        assert named <= {row.variant for row in load_paper(entry.paper).tables[entry.table].rows}, entry.name


# the map of a small table ---------------------------------------------------------------------------------------------


def small_table(tmp_path: Path, **fields: object) -> Table:
    """Rows a, b and a difference of both, with errors; `fields` replace those of the table."""
    rows = [
        {"variant": "a", "published": {"test_error": 9.0}},
        {"variant": "b", "published": {"test_error": 8.0}},
        {"variant": "gain of b", "difference": ["a", "b"], "published": {"test_error": 1.0}},
    ]
    table = {**SMALL["tables"]["errors"], "rows": rows, **fields}
    return read(tmp_path, {**changed(["tables", "errors"], table), "claims": []}).tables["errors"]


def entry(variants: dict[str, object], metrics: dict[str, str]) -> Entry:
    said = {"question": "what?", "cost": {}, "expected": "anything"}
    return Entry.model_validate(
        {"name": "x", "paper": "small", "table": "errors", "variants": variants, "metrics": metrics, **said}
    )


MEASURED = {"test_error": "test_error"}


@pytest.mark.parametrize(
    ("variants", "metrics", "rows", "columns"),
    [
        ({"a": {}, "second": {"row": "b"}}, MEASURED, (), ()),
        ({"a": {}}, MEASURED, ("b", "gain of b"), ()),
        ({"a": None, "b": None}, {"params": "parameters"}, (), ("test_error",)),
        ({"a": None, "b": None}, {}, (), ()),
    ],
)
def test_what_is_neither_re_made_nor_explained_is_open(
    tmp_path: Path,
    variants: dict[str, object],
    metrics: dict[str, str],
    rows: tuple[str, ...],
    columns: tuple[str, ...],
) -> None:
    state = table_state("small", "errors", small_table(tmp_path), [entry(variants, metrics)])
    assert (state.open_rows, state.open_columns) == (rows, columns)
    assert state.closed == (not rows and not columns)
    assert ("OPEN" in table_text([state])) == (not state.closed)


def test_a_table_without_experiment_is_open_until_it_has_a_reason(tmp_path: Path) -> None:
    without = table_state("small", "errors", small_table(tmp_path), [])
    assert not without.closed
    assert "NO EXPERIMENT" in table_text([without])
    explained = table_state("small", "errors", small_table(tmp_path, reference_only="private data"), [])
    assert explained.closed
    assert "reference only: private data" in table_text([explained])


def test_a_reason_closes_a_row_and_a_column(tmp_path: Path) -> None:
    rows = [
        {"variant": "a", "published": {"test_error": 9.0, "seconds": 3}},
        {"variant": "theirs", "published": {"test_error": 1.0}, "reference_only": "another system's number"},
    ]
    units = {"test_error": "percent", "seconds": "s"}
    table = small_table(tmp_path, rows=rows, units=units, reference_columns={"seconds": "another machine"})
    state = table_state("small", "errors", table, [entry({"a": None}, MEASURED)])
    assert state.closed
    assert "without theirs: another system's number" in table_text([state])
    assert "without seconds: another machine" in table_text([state])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"reference_columns": {"speed": "another machine"}}, "'speed', which is no column"),
        ({"reference_only": "short"}, "at least 10 characters"),
        (
            {
                "reference_only": "private data",
                "rows": [{"variant": "a", "published": {}, "reference_only": "private data"}],
            },
            "row 'a' needs no reason",
        ),
    ],
)
def test_a_reason_that_makes_no_sense_is_refused(tmp_path: Path, fields: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        small_table(tmp_path, **fields)


def test_the_command_prints_the_map(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "replicate.cli", "list", "--tables"]
    as_text, as_json = (
        subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for words in (command, [*command, "--json"])
    )
    states = json.loads(as_json)
    assert [(state["paper"], state["table"]) for state in states] == [(s.paper, s.table) for s in table_states()]
    assert as_text.rstrip("\n") == table_text(table_states())
