"""The forest as a figure: measured effects with their intervals, the published ones, coloured by answer."""

import textwrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from replicate.report.figures.style import GRID, INK
from replicate.report.forest import WIDTH, Forest, ForestLine
from replicate.verdicts import Outcome

# Okabe and Ito's colours; the markers say the same to those who see none
LOOKS = {
    Outcome.HOLDS: ("#009E73", "o"),
    Outcome.OPPOSITE: ("#D55E00", "X"),
    Outcome.SMALLER: ("#0072B2", "s"),
    Outcome.PREMISE: ("#CC79A7", "^"),
    Outcome.UNDECIDED: ("#8a8a8a", "o"),
}
WORDS = 62  # characters of a claim on one line
LINES = 2  # of a claim
LINE, REST, BREADTH = 0.46, 1.5, 10.0  # inches: one claim, axis and legend, the figure
AXIS = "effect as a share of the level (%); to the right: as the paper claims"


def draw_forest(forest: Forest) -> Figure:
    """One line a claim, from the top; ends beyond the axis are arrows."""
    figure = Figure(figsize=(BREADTH, REST + LINE * len(forest.lines)), layout="constrained")
    axes = figure.subplots()
    for place, line in enumerate(forest.lines):
        draw_line(axes, forest, place, line)
    axes.set_xscale("asinh", linear_width=WIDTH)
    axes.set_xlim(-forest.end, forest.end)
    axes.set_xticks(forest.ticks, [f"{100 * tick:g}" for tick in forest.ticks])
    axes.minorticks_off()
    axes.set_ylim(len(forest.lines) - 0.4, -0.6)
    axes.set_yticks(range(len(forest.lines)), [label(line) for line in forest.lines], fontsize=8)
    for text, line in zip(axes.get_yticklabels(), forest.lines, strict=True):
        text.set_url(f"{line.data.folder}/table.md")
    axes.axvline(0, color=INK, linewidth=1)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel("\n".join([AXIS, *textwrap.wrap(forest.left_out, WORDS)]))
    figure.legend(handles=keys(forest), loc="outside upper center", ncols=6, frameon=False, fontsize=8)
    return figure


def label(line: ForestLine) -> str:
    """The claim on two lines at most, then whose it is and at which scale it was tried."""
    said = textwrap.wrap(line.answer.statement, WORDS, max_lines=LINES, placeholder=" …")
    return "\n".join([*said, f"{line.paper}, {line.data.scale} scale"])


def draw_line(axes: Axes, forest: Forest, place: int, line: ForestLine) -> None:
    """Interval, effect, the paper's effect, and the answer in words at the right."""
    colour, marker = LOOKS[line.answer.outcome]
    low, high = line.interval
    axes.plot([max(low, -forest.end), min(high, forest.end)], [place, place], color=colour, linewidth=2)
    for end, arrow in ((low, "<"), (high, ">")):
        if abs(end) > forest.end:
            axes.plot([max(-forest.end, min(forest.end, end))], [place], arrow, color=colour, clip_on=False)
    open_ = line.answer.outcome is Outcome.UNDECIDED
    axes.plot(
        [line.measured], [place], marker, color=colour, markerfacecolor="white" if open_ else colour, markersize=7
    )
    if line.published is not None:
        axes.plot([line.published], [place], "D", color=INK, markerfacecolor="none", markersize=6)
    axes.annotate(
        f"{line.answer.answer}\n{line.numbers}",
        (1.01, place),
        xycoords=axes.get_yaxis_transform(),
        va="center",
        fontsize=7,
        color=INK,
        annotation_clip=False,
    )


def keys(forest: Forest) -> list[Line2D]:
    """The legend: the answers that occur, and the paper's mark."""
    found = {line.answer.outcome: None for line in forest.lines}
    made = [
        Line2D(
            [], [], color=LOOKS[o][0], marker=LOOKS[o][1], markerfacecolor="white" if o is Outcome.UNDECIDED else None
        )
        for o in found
    ]
    for key, outcome in zip(made, found, strict=True):
        key.set_label(outcome.value if outcome is not Outcome.SMALLER else "smaller than asked")
    return [*made, Line2D([], [], color=INK, marker="D", markerfacecolor="none", linestyle="", label="published")]
