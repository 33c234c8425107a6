"""Of ten classes five guesses find half: the top-5 error says next to nothing, and the top-1 error stands for it."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from replicate.papers.claims import Cell, ClaimTest, OrderTest
from replicate.papers.schema import Claim
from replicate.papers.units import converted
from replicate.verdicts.evidence import Scene
from replicate.verdicts.frame import Sample, Values
from replicate.verdicts.quantities import unit_of

TOP1, TOP5, HALF = "test_error", "test_top5_error", 50.0  # percent


def coarse_columns(columns: Collection[str], scene: Scene) -> frozenset[str]:
    """Top-5 errors among `columns` where guessing gives half of them."""
    few = scene.chance.get(TOP5, 100.0) <= HALF
    return frozenset(c for c in columns if few and scene.measured.get(c, c).startswith(TOP5))


def top1_names(measured: Mapping[str, str]) -> dict[str, str]:
    """Published column of a top-5 error -> the name of the top-1 error that may stand for it."""
    found = {column: column.replace("top5", "top1") for column, m in measured.items() if m.startswith(TOP5)}
    return {column: name for column, name in found.items() if name != column}


def top1_metric(metric: str) -> str:
    """The top-1 error of the same reading as a top-5 error."""
    return metric.replace(TOP5, TOP1, 1)


def by_top1(claim: Claim, scene: Scene) -> tuple[Claim, Scene]:
    """A claim about top-5 errors alone as one about top-1 errors, and a scene that has them.

    Both unchanged where a row has no top-1 error, or where the claim names columns cell by cell.
    """
    columns = sorted({column for test in claim.test for column in test.columns_named()})
    names = {column: name for column, name in top1_names(scene.measured).items() if column in columns}
    crossing = any(cell.metric for test in claim.test for cell in test.cells())
    if crossing or names.keys() != {*columns}:
        return claim, scene
    added = {cell: sample for column, name in names.items() for cell, sample in _read(column, name, scene).items()}
    wanted = {Cell(cell.row, names[cell.metric]) for cell in scene.samples if cell.metric in names}
    if not wanted <= {*scene.samples, *added}:
        return claim, scene
    metrics = {name: top1_metric(scene.measured[column]) for column, name in names.items()}
    table = scene.table
    if table is not None:
        units = {name: unit_of(column, table) for column, name in names.items()} | dict(table.units)
        table = table.model_copy(update={"units": units})
    told = replace(scene, table=table, samples={**added, **scene.samples}, measured={**scene.measured, **metrics})
    return claim.model_copy(update={"test": tuple(_renamed(test, names) for test in claim.test)}), told


def _read(column: str, name: str, scene: Scene) -> dict[Cell, Sample]:
    """The top-1 errors as `column` would give them."""
    metric = top1_metric(scene.measured[column])
    unit = unit_of(column, scene.table)
    return {
        Cell(cell.row, name): replace(sample, values=_as_column(sample, name, unit))
        for cell, sample in scene.samples.items()
        if cell.metric == metric
    }


def _as_column(sample: Sample, name: str, unit: str) -> Values:
    values = converted(pd.Series(sample.values), name, TOP1, unit, counted=False)
    return np.asarray(values, dtype=np.float64)


def _renamed(test: ClaimTest, names: Mapping[str, str]) -> ClaimTest:
    fields = {"metric": tuple(names.get(column, column) for column in test.metric)}
    if isinstance(test, OrderTest):
        fields["columns"] = tuple(names.get(column, column) for column in test.columns)
    return test.model_copy(update=fields)
