"""From findings to a drawn file: which figure a study has, as SVG or PNG, equal bytes for equal findings."""

import io
from collections.abc import Callable, Sequence

import matplotlib
import matplotlib.style
from matplotlib.figure import Figure

from replicate.report.figures.convolution_figures import convolution_figure
from replicate.report.figures.ladder_figure import ladder_figure
from replicate.report.figures.path_figures import path_figure
from replicate.report.figures.style import STYLE
from replicate.report.figures.table_figure import draw_table
from replicate.report.findings import Findings
from replicate.report.forest import FOREST, Forest
from replicate.report.networks import NETWORKS, Panel

Draw = Callable[[Findings], Figure]
UNDATED: dict[str, None] = {"Date": None, "Creator": None}


def figure_svg(findings: Findings) -> bytes:
    """The figure as SVG: equal findings, equal bytes."""
    return render(findings, "svg", UNDATED)


def figure_png(findings: Findings) -> bytes:
    """The same as a bitmap of 150 dots per inch."""
    return render(findings, "png", {"Software": None})


def render(findings: Findings, kind: str, metadata: dict[str, None]) -> bytes:
    return rendered(lambda: draw(findings), kind, metadata)


def rendered(made: Callable[[], Figure], kind: str = "svg", metadata: dict[str, None] | None = None) -> bytes:
    """What `made` draws, in the suite's style."""
    file = io.BytesIO()
    with matplotlib.style.context(["default", STYLE]):
        made().savefig(file, format=kind, metadata=UNDATED if metadata is None else metadata, dpi=150)
    return file.getvalue()


def overview_svgs(forest: Forest, panels: Sequence[Panel], alone: int) -> dict[str, bytes]:
    """The figures of all results together, by the name of their file; none of what there is not."""
    from replicate.report.figures.forest_figure import draw_forest
    from replicate.report.figures.networks_figure import draw_networks

    made = {FOREST: rendered(lambda: draw_forest(forest))} if forest.lines else {}
    return made | ({NETWORKS: rendered(lambda: draw_networks(panels, alone))} if panels else {})


def draw(findings: Findings) -> Figure:
    """The paper's own figure where a study has one, else the table as a figure."""
    own = own_figure(findings)
    return draw_table(findings) if own is None else own(findings)


def own_figure(findings: Findings) -> Draw | None:
    """What draws the figure of the experiment's study, or of a ladder of networks; None for any other experiment."""
    return path_figure(findings) or convolution_figure(findings) or ladder_figure(findings)
