"""The figures of Veit et al. 2016 from our curves: deletions, exchanges and paths, beside what the paper prints."""

import re
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from replicate.experiments.run_config import Run
from replicate.report.figures.style import GRID, INK, MEASURED, PUBLISHED, WIDTH, titles
from replicate.report.findings import Findings, VariantFindings

SECOND = "#009E73"  # Okabe and Ito's green, for a second network
COLOURS = (MEASURED, SECOND, "#CC79A7", "#E69F00")
HEIGHT = 3.2  # inches of one row of panels
ERROR = "test error (%)"

Draw = Callable[[Findings], Figure]


def path_figure(findings: Findings) -> Draw | None:
    """What draws the paper's own figure for an experiment of the path studies; None for every other experiment."""
    return FIGURES.get(kind(findings.runs[0])) if findings.runs else None


def kind(run: Run) -> str:
    """The study, and for a lesion what is done."""
    study = run.config.study
    return str(run.config.options.given.get("lesion", "each")) if study.startswith("lesion") else study


def curve(findings: Findings, variant: str, metric: str) -> pd.DataFrame:
    """The curve of a metric: one line for each index, one column for each seed."""
    frame = findings.frame
    rows = frame[(frame["variant"] == variant) & (frame["metric"] == metric) & frame["index"].notna()]
    return rows.set_index(["index", "seed"])["value"].unstack("seed").sort_index()  # noqa: PD010 (nothing to aggregate)


def mean(line: VariantFindings, metric: str) -> float | None:
    """The mean of a single value over the seeds."""
    return line.measured[metric].mean if metric in line.measured else None


def panels(findings: Findings, rows: int, columns: int, share_y: bool) -> tuple[Figure, list[Axes]]:
    """A figure whose title says what was measured and on which data."""
    figure = Figure(figsize=(WIDTH, HEIGHT * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, columns, sharey=share_y, squeeze=False)
    published, measured = (title.splitlines()[0].rstrip(", ") for title in titles(findings))
    figure.suptitle(f"{published}; {measured}", fontsize=9, x=0.01, ha="left")
    return figure, [panel for row in axes for panel in row]


def ready(axes: Axes, x: str, y: str, legend: bool = True) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    if legend and axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7, frameon=False)


def band(axes: Axes, values: pd.DataFrame, colour: str, label: str, style: str = "o-") -> None:
    """The mean over the seeds, and from the lowest to the highest seed."""
    if values.empty:
        return
    axes.plot(values.index, values.mean(axis=1), style, color=colour, markersize=3, label=label)
    axes.fill_between(values.index, values.min(axis=1), values.max(axis=1), color=colour, alpha=0.2, linewidth=0)


def draw_each(findings: Findings) -> Figure:
    """Figure 3 and 4: error after the deletion of each block, one panel for each network."""
    rows = (len(findings.variants) + 1) // 2
    figure, axes = panels(findings, rows, min(2, len(findings.variants)), share_y=True)
    for panel, line in zip(axes, findings.variants, strict=False):
        band(panel, curve(findings, line.variant, "deleted_error"), MEASURED, "one deleted")
        undamaged = mean(line, "undamaged_error")
        if undamaged is not None:
            panel.axhline(undamaged, color=INK, linestyle="--", linewidth=1, label="none deleted")
        published = line.published.get("test_error")
        if published is not None:
            panel.axhline(float(published), color=PUBLISHED, linewidth=1, label="published, any one deleted")
        draw_stages(panel, curve(findings, line.variant, "stage"))
        panel.set_title(line.variant, fontsize=9, loc="left")
        ready(panel, "deleted block or layer, from the input", ERROR)
    for panel in axes[len(findings.variants) :]:
        panel.set_axis_off()
    return figure


def draw_stages(axes: Axes, stages: pd.DataFrame) -> None:
    """A line before the first block of each further stage, where the map's size changes."""
    if stages.empty:
        return
    steps = stages.iloc[:, 0].diff()
    for first in steps.index[steps > 0]:
        axes.axvline(first - 0.5, color=INK, linestyle=":", linewidth=0.8)


def networks(findings: Findings) -> Iterator[tuple[str, str, list[VariantFindings]]]:
    """(network, colour, its variants), in the file's order; a variant's name begins with its network's."""
    lines: dict[str, list[VariantFindings]] = {}
    for line in findings.variants:
        lines.setdefault(re.split(r"\s*\d", line.variant)[0], []).append(line)
    for place, (name, own) in enumerate(lines.items()):
        yield name, COLOURS[place % len(COLOURS)], own


def draw_delete(findings: Findings) -> Figure:
    """Figure 5 (a): error over the draws of all seeds, against the number of deleted blocks."""
    figure, (panel,) = panels(findings, 1, 1, share_y=False)
    for place, (name, colour, lines) in enumerate(networks(findings)):
        for line in lines:
            draws = curve(findings, line.variant, "drawn_error").to_numpy().ravel()
            deleted = mean(line, "deleted")
            if deleted is not None and len(draws):
                draw_box(panel, deleted + 0.3 * place, draws, colour)
        panel.plot([], [], "s", color=colour, label=name)
    draw_published(panel, findings, "deleted")
    ready(panel, "deleted blocks", ERROR, legend=False)  # boxes fill the panel
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=7, frameon=False)
    return figure


def draw_box(axes: Axes, x: float, values: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]", colour: str) -> None:
    """Median, quartiles and extremes."""
    axes.boxplot(
        values[np.isfinite(values)],
        positions=[x],
        widths=0.25,
        whis=(0, 100),
        manage_ticks=False,
        boxprops={"color": colour},
        whiskerprops={"color": colour},
        capprops={"color": colour},
        medianprops={"color": colour, "linewidth": 2},
    )


def draw_published(axes: Axes, findings: Findings, along: str) -> None:
    """The paper's printed errors at the place of our variants."""
    for line in findings.variants:
        x, y = mean(line, along), line.published.get("test_error")
        if x is not None and y is not None:
            axes.plot([x], [float(y)], "D", color=PUBLISHED, label=f"published: {line.row}, same share of the depth")


def draw_swap(findings: Findings) -> Figure:
    """Figure 5 (b): error against Kendall's tau, one dot a draw; the line joins the medians of the variants."""
    figure, (panel,) = panels(findings, 1, 1, share_y=False)
    for line in findings.variants:
        taus, errors = (curve(findings, line.variant, metric) for metric in ("drawn_tau", "drawn_error"))
        panel.plot(taus.to_numpy().ravel(), errors.to_numpy().ravel(), "o", color=MEASURED, alpha=0.3, markersize=4)
    points = [(mean(line, "tau"), mean(line, "test_error")) for line in findings.variants]
    panel.plot(
        *zip(*[point for point in points if None not in point], strict=True), "-", color=MEASURED, label="median"
    )
    undamaged = [value for line in findings.variants if (value := mean(line, "undamaged_error")) is not None]
    if undamaged:
        panel.axhline(undamaged[0], color=INK, linestyle="--", linewidth=1, label="in order")
    panel.invert_xaxis()
    ready(panel, "Kendall's tau with the original order", ERROR)
    return figure


def draw_paths(findings: Findings) -> Figure:
    """Figure 6: how many paths, how much gradient on one of them, and the product, against the length."""
    figure, axes = panels(findings, 1, 3, share_y=False)
    what = (
        ("path_share", "share of paths (%)"),
        ("path_norm", "gradient norm of one path"),
        ("gradient_share", "share of gradient (%)"),
    )
    for panel, (metric, label) in zip(axes, what, strict=True):
        for line, colour in zip(findings.variants, COLOURS, strict=False):
            name = f"{share:.0f} % in the band" if (share := mean(line, "effective_share")) else line.variant
            band(panel, curve(findings, line.variant, metric), colour, line.variant if metric == "path_norm" else name)
        ready(panel, "path length (blocks)", label, legend=metric != "path_share")
    axes[1].set_yscale("log")
    draw_window(axes[2], findings)
    return figure


def draw_window(axes: Axes, findings: Findings) -> None:
    """The lengths that the paper calls effective, in proportion to our depth."""
    options = findings.runs[0].config.options.given
    lengths = curve(findings, findings.variants[0].variant, "path_share").index
    if len(lengths):
        scale = float(lengths.max()) / options["of"]
        axes.axvspan(options["low"] * scale, options["high"] * scale, color=PUBLISHED, alpha=0.15, linewidth=0)
        axes.set_title(
            f"band: published, {options['low']} to {options['high']} of {options['of']},\nin proportion to our depth",
            fontsize=7,
            loc="left",
        )


def draw_lengths(findings: Findings) -> Figure:
    """Figure 6 (a), and which paths survive deletions."""
    figure, (left, right) = panels(findings, 1, 2, share_y=False)
    for line in findings.variants:
        shares = curve(findings, line.variant, "path_share")
        options = next(run.config.options.given for run in findings.runs if run.variant == line.variant)
        if shares.empty:
            continue
        if "low" in options:
            left.bar(shares.index, shares.iloc[:, 0], color=GRID, width=1.0, edgecolor=MEASURED, linewidth=0.4)
            left.axvspan(options["low"] - 0.5, options["high"] + 0.5, color=PUBLISHED, alpha=0.12, linewidth=0)
        if "deleted" in options and options.get("network") != "plain":
            band(right, curve(findings, line.variant, "survivors"), COLOURS[len(right.lines) % 4], line.variant, "-")
    left.set_title("bands: the lengths whose share is printed", fontsize=8)
    ready(left, "path length (blocks)", "share of paths (%)")
    ready(right, "path length (blocks)", "share of paths left")
    return figure


FIGURES: dict[str, Draw] = {
    "each": draw_each,
    "delete": draw_delete,
    "swap": draw_swap,
    "paths": draw_paths,
    "path_lengths": draw_lengths,
}
