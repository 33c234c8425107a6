"""One figure an experiment and scale: what the paper printed beside what was measured, variant by variant."""

from matplotlib.figure import Figure

from replicate.report.figures.style import (
    LINE,
    MARGIN,
    WIDTH,
    draw_measured,
    draw_published,
    drawn_columns,
    finish,
    share_limits,
    titles,
)
from replicate.report.findings import Findings


def draw_table(findings: Findings) -> Figure:
    """One row of two panels for each column that the paper prints as numbers."""
    columns = drawn_columns(findings)
    height = len(columns) * (MARGIN + LINE * len(findings.variants)) + 0.3
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
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
