"""Error against parameters of all networks that the suite has trained: a panel for each way of training."""

from collections.abc import Sequence
from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator

from replicate.report.figures.style import GRID, INK
from replicate.report.networks import Network, Panel

# Okabe and Ito's colours with markers, one pair an experiment
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#222222")
MARKERS = "osD^vPX"
ACROSS, WIDTH, HEIGHT = 2, 10.0, 3.6  # panels side by side; inches of the figure and of one row of panels
WIDE = 4  # times
NAMED = 30  # networks of a panel that are named in it; more would cover each other


def draw_networks(panels: Sequence[Panel], alone: int) -> Figure:
    """Both axes logarithmic; colours and markers tell the experiments apart."""
    rows = -(-len(panels) // ACROSS)
    across = min(ACROSS, len(panels))
    figure = Figure(figsize=(WIDTH, HEIGHT * rows + 0.5), layout="constrained")
    grid = [axes for row in figure.subplots(rows, across, squeeze=False) for axes in row]
    names = list(dict.fromkeys(one.experiment for panel in panels for one in panel.networks))
    looks = dict(zip(names, zip(cycle(COLOURS), cycle(MARKERS), strict=False), strict=False))
    for axes, panel in zip(grid, panels, strict=False):
        draw_panel(axes, panel, looks)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    rest = f" {alone} more networks were trained otherwise, fewer than three alike." if alone else ""
    figure.suptitle(f"Errors may be compared within a panel, not between panels.{rest}", fontsize=9, x=0.01, ha="left")
    return figure


def draw_panel(axes: Axes, panel: Panel, looks: dict[str, tuple[str, str]]) -> None:
    for name in dict.fromkeys(one.experiment for one in panel.networks):
        own = [one for one in panel.networks if one.experiment == name]
        colour, marker = looks[name]
        x, y = [one.parameters for one in own], [one.error for one in own]
        axes.plot(x, y, marker, color=colour, markersize=6, alpha=0.85, label=name)
    if len(panel.networks) <= NAMED:
        for one in panel.networks:
            name_network(axes, one)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.margins(x=0.15, y=0.12)
    tick(axes.yaxis, [one.error for one in panel.networks])
    tick(axes.xaxis, [one.parameters for one in panel.networks])
    axes.minorticks_off()
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_title(panel.title, fontsize=9, loc="left")
    axes.set_xlabel("parameters")
    axes.set_ylabel("test error (%), mean")
    axes.legend(fontsize=7, frameon=False)


def tick(side: Axis, values: Sequence[float]) -> None:
    """Round numbers: those of a logarithmic axis where the values span much of it, else evenly spaced ones."""
    wide = max(values) > WIDE * min(values)
    side.set_major_locator(LogLocator(subs=(1, 2, 5)) if wide else MaxNLocator(5, steps=[1, 2, 5, 10]))
    side.set_major_formatter(EngFormatter(sep=" "))


def name_network(axes: Axes, one: Network) -> None:
    axes.annotate(one.variant, (one.parameters, one.error), (4, 4), textcoords="offset points", fontsize=6.5, color=INK)
