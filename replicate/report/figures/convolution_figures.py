"""Figures of the convolution studies: times of algorithms, receptive fields, moved images and waves."""

from collections.abc import Callable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from replicate.report.figures.style import GRID, INK, MEASURED, PUBLISHED, WIDTH
from replicate.report.findings import Findings

# Okabe and Ito's colours, and line styles for those who see none
LINES = {
    "torch": ("#222222", "-"),
    "direct": ("#999999", "--"),
    "im2col": ("#0072B2", "-"),
    "fft": ("#D55E00", "-"),
    "winograd_2x2": ("#009E73", ":"),
    "winograd_4x4": ("#009E73", "-"),
    "strassen": ("#CC79A7", "--"),
    "separable": ("#E69F00", ":"),
}
HEIGHT = 3.2  # inches
IMAGE = 224  # pixels: the side of ImageNet's crops


def convolution_figure(findings: Findings) -> Callable[[Findings], Figure] | None:
    """What draws the figure of an experiment of these studies; None for every other experiment."""
    return None if findings.frame.empty else FIGURES.get(findings.experiment.settings.study)


def draw_speed(findings: Findings) -> Figure:
    """One panel for each size of maps."""
    times = timed(findings)
    maps = sorted(times["index"].unique())
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    panels = figure.subplots(1, len(maps), sharey=True, squeeze=False)[0]
    for axes, side in zip(panels, maps, strict=True):
        draw_times(axes, times[times["index"] == side])
        axes.set_title(f"maps of {side:g} x {side:g} pixels", fontsize=9, loc="left")
    panels[0].set_ylabel("milliseconds, median over the runs")
    figure.legend(*panels[-1].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def timed(findings: Findings) -> pd.DataFrame:
    """Median milliseconds by algorithm, map and kernel: columns metric, index, kernel, value."""
    kernels = {run.variant: int(run.config.options.given["kernel"]) for run in findings.runs}
    frame = findings.frame[findings.frame["metric"].isin(LINES) & findings.frame["index"].notna()]
    frame = frame.assign(kernel=frame["variant"].map(kernels))
    return frame.groupby(["metric", "index", "kernel"])["value"].median().reset_index()


def draw_times(axes: Axes, times: pd.DataFrame) -> None:
    """One line an algorithm, a point where it has a single kernel size; both axes in powers."""
    for name, (colour, style) in LINES.items():
        line = times[times["metric"] == name].sort_values("kernel")
        if not line.empty:
            axes.plot(line["kernel"], line["value"], style, color=colour, marker=".", label=name.replace("_", " "))
    ticks = sorted(times["kernel"].unique())
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("side of the kernel (pixels)")
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def draw_fields(findings: Findings) -> Figure:
    """A dot a network: its measured field against what the document's rule gives, on the diagonal where they agree."""
    figure = Figure(figsize=(WIDTH, WIDTH / 2), layout="constrained")
    axes = figure.subplots()
    values = findings.frame.pivot_table(index="variant", columns="metric", values="value")
    for gated, dots in values.groupby("whole_image"):
        label = "with gates that read the whole image" if gated else "measured"
        colour = MEASURED if not gated else LINES["strassen"][0]
        axes.plot(dots["by_rule"], dots["field"], "o", color=colour, alpha=0.5, markersize=5, label=label)
    ends = [values["by_rule"].min(), values["field"].max()]
    axes.plot(ends, ends, color=PUBLISHED, linewidth=1, label="the rule, if it were right")
    axes.axhline(IMAGE, color=INK, linestyle=":", linewidth=1, label=f"an image of {IMAGE} pixels")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("field by the printed rule (pixels)")
    axes.set_ylabel("measured field (pixels)")
    axes.grid(color=GRID, linewidth=0.8)
    axes.legend(fontsize=8, frameon=False, loc="upper left")
    return figure


def draw_motion(findings: Findings) -> Figure:
    """Outputs that a shift changes, answers that a turn changes, and what a filter leaves of each wave."""
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    what = (
        ("outputs_changed", "shift (pixels)", "outputs changed (%)"),
        ("answer_change", "turn (degrees)", "change of the strongest answer (%)"),
        ("gain", "frequency (waves a pixel)", "amplification"),
    )
    for axes, (metric, x, y) in zip(figure.subplots(1, len(what)), what, strict=True):
        draw_curves(axes, findings.frame[(findings.frame["metric"] == metric) & findings.frame["index"].notna()])
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.grid(color=GRID, linewidth=0.8)
        axes.legend(fontsize=6, frameon=False)
    return figure


def draw_curves(axes: Axes, curves: pd.DataFrame) -> None:
    """One line a variant; later ones are drawn thinner, so that equal lines are all seen."""
    looks = [*LINES.values()]
    for place, (name, line) in enumerate(curves.groupby("variant", sort=False)):
        colour, style = looks[place % len(looks)]
        axes.plot(line["index"], line["value"], style, color=colour, linewidth=4 - 0.5 * place, label=name)


FIGURES: dict[str, Callable[[Findings], Figure]] = {
    "convolution_speed": draw_speed,
    "receptive_fields": draw_fields,
    "translation": draw_motion,
}
