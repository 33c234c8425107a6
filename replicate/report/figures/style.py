"""What all figures share: colours, sizes, and how published and measured values are drawn."""

import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from replicate.papers.printed import is_number
from replicate.report.findings import Findings, VariantFindings, final_values
from replicate.report.wording import cite, data_used, heading, remarks

# Okabe and Ito's colours, which people with any kind of colour blindness tell apart
PUBLISHED, MEASURED = "#D55E00", "#0072B2"
INK, GRID = "#222222", "#dddddd"
STYLE = {
    "svg.hashsalt": "replicate",  # element names, else drawn at random
    "svg.fonttype": "path",  # the same picture on a machine without the font
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.edgecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
NAME = 28  # characters of a variant's name on one line
MOST_DOTS = 50  # of one variant; more would be a smear, and a large file
WIDTH, LINE, MARGIN = 8.0, 0.3, 1.0  # inches: the figure, one variant, the axis with its title


def titles(findings: Findings) -> tuple[str, str]:
    """What each side shows, and on which data, so that nobody compares the two axes."""
    return (
        f"published: {cite(findings.paper)}, {findings.table.locator}\n{findings.table.dataset}",
        f"measured: {findings.experiment.scale} scale, {data_used(findings)}\nmean, 95 % interval; pale: single runs",
    )


def drawn_columns(findings: Findings) -> Sequence[str]:
    """The bound columns with a printed number, or all bound columns where the paper prints none."""
    return [column for column in findings.columns if prints(findings, column)] or findings.columns


def prints(findings: Findings, column: str) -> bool:
    """Whether the paper prints a number of the column for any variant."""
    return any(is_number(line.published.get(column)) for line in findings.variants)


def draw_published(axes: Axes, findings: Findings, column: str) -> None:
    for place, line in enumerate(findings.variants):
        value = line.published.get(column)
        if is_number(value):
            axes.plot([float(value or 0)], [place], "D", color=PUBLISHED, markersize=5)
        else:
            note(axes, place, "fail" if line.published.get("fail") else "not printed")


def draw_measured(axes: Axes, findings: Findings, column: str) -> None:
    """The first finished runs as pale dots; the mean with its interval where no run diverged."""
    finished = final_values(findings.frame[findings.frame["status"] == "finished"], {})
    values = finished[finished["metric"] == column].groupby("variant")["value"].agg(list)
    for place, line in enumerate(findings.variants):
        seeds = values.get(line.variant, [])[:MOST_DOTS]
        axes.plot(seeds, [place] * len(seeds), "o", color=MEASURED, alpha=0.35, markersize=4, markeredgewidth=0)
        draw_mean(axes, place, line, column)
        note(axes, place, remarks(line), outside=True)


def draw_mean(axes: Axes, place: int, line: VariantFindings, column: str) -> None:
    """A diverged run stands at chance: its mean would squeeze all others into a corner, so a remark says it instead."""
    sample = line.measured.get(column)
    if sample is not None and not line.diverged:
        axes.errorbar(sample.mean, place, xerr=sample.half_width, fmt="o", color=MEASURED, markersize=6, capsize=3)


def note(axes: Axes, place: int, text: str, outside: bool = False) -> None:
    """A word on a variant's line; beside the panel where points may lie in it."""
    axes.text(
        1.01 if outside else 0.02,
        place,
        text,
        transform=axes.get_yaxis_transform(),
        va="center",
        fontsize=8,
        style="italic",
    )


def finish(axes: Axes, findings: Findings, column: str) -> None:
    """Labels, the first variant on top, and a grid behind the points."""
    names = [textwrap.fill(line.variant, NAME) for line in findings.variants]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(findings.variants) - 0.4, -0.6)
    axes.set_xlabel(heading(findings, column))
    axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.margins(x=0.08)


def share_limits(left: Axes, right: Axes) -> None:
    """The same scale on both sides, where the numbers may be compared."""
    low, high = zip(left.get_xlim(), right.get_xlim(), strict=True)
    for axes in (left, right):
        axes.set_xlim(min(low), max(high))
