"""Figures of the convolution studies: the time of every algorithm against the kernel's size."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from replicate.report.figure import GRID, WIDTH
from replicate.report.gather import Findings

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


def convolution_figure(findings: Findings) -> Figure | None:
    """The figure of an experiment of study convolution_speed; None for every other experiment."""
    if findings.experiment.settings.study != "convolution_speed" or findings.frame.empty:
        return None
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
    kernels = {run.variant: int(run.config.options["kernel"]) for run in findings.runs}
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
