"""Measured numbers against depth, width or whatever one number sets variants apart: one line a family of networks."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator

from replicate.experiments.kinds import STUDIES
from replicate.papers.printed import is_number
from replicate.report.figures.style import GRID, INK, prints, titles
from replicate.report.findings import Findings
from replicate.report.ladders import Family, LadderOfNetworks, ladders
from replicate.report.wording import heading, unit_of

# Okabe and Ito's colours with markers and dashes, one of each a family
LOOKS = (
    *(("#0072B2", "o", "-"), ("#D55E00", "s", "--"), ("#009E73", "^", "-."), ("#CC79A7", "D", ":")),
    *(("#E69F00", "v", "-"), ("#56B4E9", "P", "--"), ("#222222", "X", "-.")),
)
WIDTH, HEIGHT, MOST = 4.2, 3.4, 3  # inches of one panel; panels side by side
SPAN = 3  # times that values must span for a logarithmic axis
CURVE = "train_error"


def ladder_figure(findings: Findings) -> Callable[[Findings], Figure] | None:
    """What draws an experiment whose variants stand on ladders; None for every other experiment."""
    found = ladders(findings) if findings.records else []
    return partial(draw_ladders, found=found) if found and drawings(findings, found) else None


Drawing = Callable[[Axes], None]


def draw_ladders(findings: Findings, found: Sequence[LadderOfNetworks]) -> Figure:
    """A panel for each ladder and column, one for what the paper prints of it, and one of the curves of training."""
    todo = drawings(findings, found)
    across = len(todo) // 2 if len(todo) == MOST + 1 else min(MOST, len(todo))
    rows = -(-len(todo) // across)
    figure = Figure(figsize=(WIDTH * across, HEIGHT * rows + 0.6), layout="constrained")
    grid = [axes for row in figure.subplots(rows, across, squeeze=False) for axes in row]
    for axes, drawing in zip(grid, todo, strict=False):
        drawing(axes)
        axes.grid(color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
    for axes in grid[len(todo) :]:
        axes.set_axis_off()
    published, measured = (title.splitlines()[0].rstrip(", ") for title in titles(findings))
    figure.suptitle(f"{published}; {measured}", fontsize=9, x=0.01, ha="left")
    return figure


def drawings(findings: Findings, found: Sequence[LadderOfNetworks]) -> list[Drawing]:
    """What is drawn into which panel, in order."""
    todo: list[Drawing] = []
    for ladder in found:
        for column in findings.columns:
            if prints(findings, column):
                todo.append(partial(draw_column, findings=findings, ladder=ladder, column=column, published=True))
            if any(points(family, column)[1].any() for family in ladder.families):
                todo.append(partial(draw_column, findings=findings, ladder=ladder, column=column, published=False))
    curves = findings.frame[(findings.frame["metric"] == CURVE) & findings.frame["index"].notna()]
    if STUDIES[findings.experiment.settings.study].trains and curves["index"].nunique() > 1:
        todo.append(partial(draw_curves, findings=findings, ladder=found[0]))
    return todo


Column: TypeAlias = np.ndarray[tuple[int], np.dtype[np.float64]]
Points = tuple[Column, ...]
Values: TypeAlias = Column | Sequence[float]


def points(family: Family, column: str, published: bool = False) -> Points:
    """Numbers of the ladder, values and half-widths of their intervals (0: none), where there are any."""
    rows = []
    for number, line in family.steps:
        value, sample = line.published.get(column), line.measured.get(column)
        if published and is_number(value):
            rows.append((number, float(value or 0), 0.0))
        elif not published and sample is not None:
            rows.append((number, sample.mean, sample.half_width or 0.0))
    x, y, half = np.array(rows or np.empty((0, 3))).reshape(-1, 3).T
    return x, y, half


def draw_column(axes: Axes, findings: Findings, ladder: LadderOfNetworks, column: str, published: bool) -> None:
    """One line a family, named at its end; with its power where both axes are logarithmic."""
    drawn = [(family, look, points(family, column, published)) for family, look in zip_looks(ladder)]
    drawn = [(family, look, values) for family, look, values in drawn if len(values[0])]
    grows = not STUDIES[findings.experiment.settings.study].trains and wide([values[1] for _, _, values in drawn])
    for family, (colour, marker, dash), (x, y, half) in drawn:
        error = half if half.any() else None
        axes.errorbar(x, y, error, fmt=f"{marker}{dash}", color=colour, markersize=5, capsize=3)
        name_line(axes, family.name + (power(x, y) if grows else ""), x, y, colour)
    beyond = any((y - half).min() < 0 or (y + half).max() > 100 for _, _, (_, y, half) in drawn)
    if beyond and unit_of(findings, column).startswith("percent"):  # an interval may, an error cannot
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, 0.0), min(high, 100.0))
    if grows:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(EngFormatter(sep=" "))
    if grows or wide([values[0] for _, _, values in drawn]):
        axes.set_xscale("log")
    ticks = {number: word for one in ladder.families for (number, _), word in zip(one.steps, one.words, strict=True)}
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.minorticks_off()
    axes.margins(x=0.12)
    if not published:
        draw_chance(axes, findings, column)
    axes.set_xlabel(ladder.setting)
    axes.set_ylabel(heading(findings, column))
    axes.set_title("published" if published else "measured, mean and 95 % interval", fontsize=9, loc="left")


def zip_looks(ladder: LadderOfNetworks) -> list[tuple[Family, tuple[str, str, str]]]:
    return [(family, LOOKS[place % len(LOOKS)]) for place, family in enumerate(ladder.families)]


def wide(values: Sequence[Column]) -> bool:
    """Whether positive values span so much that an axis of them is logarithmic."""
    every = np.concatenate(values) if values else np.zeros(0)
    return bool(every.size and every.min() > 0 and every.max() > SPAN * every.min())


def power(x: Values, y: Values) -> str:
    """`: power 1.95`, the slope of the line through the logarithms."""
    if len(x) < 2 or min(*x, *y) <= 0:
        return ""
    return f": power {np.polyfit(np.log(x), np.log(y), 1)[0]:.2f}"


def name_line(axes: Axes, name: str, x: Values, y: Values, colour: str) -> None:
    axes.annotate(name, (x[-1], y[-1]), (-4, 6), textcoords="offset points", ha="right", fontsize=8, color=colour)


def draw_chance(axes: Axes, findings: Findings, column: str) -> None:
    """Where guessing lies, if any network comes near it."""
    level, (low, high) = findings.chance.get(column), axes.get_ylim()
    if level is not None and low < 1.1 * level and high > 0.9 * level:
        axes.axhline(level, color=INK, linestyle=":", linewidth=1)
        axes.annotate("chance", (0.01, level), xycoords=axes.get_yaxis_transform(), fontsize=7, va="bottom")


def draw_curves(axes: Axes, findings: Findings, ladder: LadderOfNetworks) -> None:
    """The error while training, mean over the seeds: a family has one colour, which is paler the lower the number.

    The ends of a family are named; the others lie between them or on top of each other.
    """
    frame = findings.frame[(findings.frame["metric"] == CURVE) & findings.frame["index"].notna()]
    means = frame.groupby(["variant", "index"])["value"].mean()
    for family, (colour, _, dash) in zip_looks(ladder):
        for place, (word, (_, line)) in enumerate(zip(family.words, family.steps, strict=True), start=1):
            if line.variant in means.index.get_level_values("variant"):
                curve = means.loc[line.variant]
                axes.plot(curve.index, curve, dash, color=colour, alpha=0.25 + 0.75 * place / len(family.steps))
                end = (float(curve.index[-1]), float(curve.iloc[-1]))
                if place in (1, len(family.steps)):
                    axes.annotate(word, end, (3, 0), textcoords="offset points", fontsize=7, va="center")
        axes.plot([], [], dash, color=colour, label=family.name)
    if any(family.name for family in ladder.families):
        axes.legend(fontsize=8, frameon=False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel("train error (%)")
    axes.set_title(f"while training; numbers: {ladder.setting}", fontsize=9, loc="left")
