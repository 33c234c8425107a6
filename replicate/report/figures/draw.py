"""From findings to a drawn file: which figure a study has, as SVG or PNG, equal bytes for equal findings."""

import io

import matplotlib
import matplotlib.style
from matplotlib.figure import Figure

from replicate.report.figures.style import STYLE
from replicate.report.figures.table_figure import draw_table
from replicate.report.findings import Findings


def figure_svg(findings: Findings) -> bytes:
    """The figure as SVG: equal findings, equal bytes."""
    return render(findings, "svg", {"Date": None, "Creator": None})


def figure_png(findings: Findings) -> bytes:
    """The same as a bitmap of 150 dots per inch."""
    return render(findings, "png", {"Software": None})


def render(findings: Findings, kind: str, metadata: dict[str, None]) -> bytes:
    file = io.BytesIO()
    with matplotlib.style.context(["default", STYLE]):
        draw(findings).savefig(file, format=kind, metadata=metadata, dpi=150)
    return file.getvalue()


def draw(findings: Findings) -> Figure:
    """The paper's own figure where a study has one, else the table as a figure."""
    from replicate.report.figures.convolution_figures import convolution_figure
    from replicate.report.figures.path_figures import path_figure

    own = path_figure(findings) or convolution_figure(findings)
    return own if own is not None else draw_table(findings)
