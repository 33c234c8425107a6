"""Printed numbers against measured ones: equal, or equal to the digits that were printed."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from replicate.papers.claims import Cell, ExactTest
from replicate.papers.printed import decimals, is_number
from replicate.papers.schema import Row, Table
from replicate.verdicts.evidence import NOT_MEASURED, Evidence, Scene, State

SHOWN = 4  # differences named in a sentence


def agrees_to_printed_digits(value: float, printed: float) -> bool:
    """Whether `value`, rounded to as many decimals as `printed` shows, is `printed`; a tie may be rounded either way.

    >>> agrees_to_printed_digits(25.557032, 25.6), agrees_to_printed_digits(25.557032, 25.5)
    (True, False)
    """
    half_a_digit = 0.5 * 10.0 ** -decimals(printed)
    rounding = 1e-9 * half_a_digit + 1e-12 * abs(printed)
    return abs(value - printed) <= half_a_digit + rounding


def weigh_exact(test: ExactTest, scene: Scene) -> Evidence:
    """Compare every published number that `test` speaks of with the one measured; effect: the largest difference."""
    label = ", ".join(test.metric) or "every printed number"
    blank = Evidence(label, counted=True)
    published = [(cell, value) for cell, value in _published(test, scene.table) if cell in scene.samples]
    if not published:
        return replace(blank, reason=NOT_MEASURED + label)
    cells = tuple(cell for cell, _ in published)
    blank = replace(blank, cells=cells, runs=frozenset(run for cell in cells for run in scene.samples[cell].runs))
    unequal = [cell.row for cell in cells if len(np.unique(scene.samples[cell].values)) != 1]
    if unequal:
        return replace(blank, reason=f"{unequal[0]} does not measure the same in every run")
    triples = [(cell, printed, float(scene.samples[cell].values[0])) for cell, printed in published]
    return _compared(blank, scene.table, triples)


def _published(test: ExactTest, table: Table | None) -> Iterator[tuple[Cell, float]]:
    if test.values:
        yield from ((Cell(row, metric), value) for metric in test.metric for row, value in test.values.items())
        return
    rows = table.params() if table else {}
    for row in table.rows if table else ():
        if row.variant in rows and row.variant in (test.rows or rows):
            yield from ((Cell(row.variant, column), value) for column, value in _numbers(row, test.metric))


def _numbers(row: Row, columns: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    for column, value in row.published.items():
        if column in (columns or row.published) and is_number(value):
            yield column, value


def _compared(blank: Evidence, table: Table | None, triples: list[tuple[Cell, float, float]]) -> Evidence:
    off = [t for t in triples if not agrees_to_printed_digits(t[2], t[1])]
    cell, printed, value = max(off or triples, key=lambda t: abs(t[2] - t[1]) / max(abs(t[1]), 1e-12))
    differences = "; ".join(f"{c.row} ({c.metric}) measures {v:.10g} where {p} is printed" for c, p, v in off[:SHOWN])
    more = f" and {len(off) - SHOWN} more" if len(off) > SHOWN else ""
    numbers = "number differs" if len(off) == 1 and len(triples) == 1 else "numbers differ"
    finding = f"{len(off)} of {len(triples)} printed {numbers}: {differences}{more}" if off else ""
    agreed = "The measured number agrees" if len(triples) == 1 else f"All {len(triples)} measured numbers agree"
    return replace(
        blank,
        state=State.OPPOSITE if off else State.HOLDS,
        effect=value - printed,
        low=value - printed,
        high=value - printed,
        unit=table.units.get(cell.metric or "", "") if table else "",
        finding=finding or f"{agreed} with the print",
    )
