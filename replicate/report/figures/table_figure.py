"""One figure an experiment and scale: what the paper printed beside what was measured, variant by variant."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from replicate.report.figures.style import (
    LINE,
    MARGIN,
    WIDTH,
    draw_measured,
    draw_published,
    drawn_columns,
    finish,
    prints,
    share_limits,
    titles,
)
from replicate.report.findings import Findings


def measured_alone(figure: Figure, findings: Findings, columns: Sequence[str]) -> Figure:
    """One panel a column: there is nothing to stand beside it."""
    for axes, column in zip(figure.subplots(len(columns), 1, squeeze=False)[:, 0], columns, strict=True):
        draw_measured(axes, findings, column)
        finish(axes, findings, column)
    figure.suptitle("\n".join(titles(findings)), fontsize=9, x=0.01, ha="left")
    return figure


def draw_table(findings: Findings) -> Figure:
    """One row of two panels for each column that the paper prints as numbers; of one where it prints none at all."""
    columns = drawn_columns(findings)
    height = len(columns) * (MARGIN + LINE * len(findings.variants)) + 0.3
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    if not any(prints(findings, column) for column in columns):
        return measured_alone(figure, findings, columns)
    panels = figure.subplots(len(columns), 2, sharey=True, squeeze=False)
    for column, (left, right) in zip(columns, panels, strict=True):
        draw_published(left, findings, column)
        draw_measured(right, findings, column)
        for axes in (left, right):
            finish(axes, findings, column)
        if findings.comparable:
            share_limits(left, right)
    for axes, text in zip(panels[0], titles(findings), strict=True):
        axes.set_title(text, fontsize=9, loc="left")
    return figure
