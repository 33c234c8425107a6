"""No words of a figure run over its edge."""

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from replicate.api import results

SLACK = 2  # pixels


@pytest.mark.parametrize(
    "name",
    [
        *("path_gradients", "path_deletion_many", "path_deletion", "path_reordering", "conv_algorithms"),
        *("densenet_memory", "resnet_degradation", "receptive_fields", "resnext_cardinality"),
    ],
)
def test_words_stay_within_the_figure(name: str) -> None:
    figure = results(name).figure()
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    ticks = {label for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in axis.findobj(Text)}
    titles = {axis.label for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)}
    free = set(figure.findobj(Text)) - ticks | titles  # ticks outside of the axis are never drawn
    words = [text for text in free if isinstance(text, Text) and text.get_visible()]
    boxes = {text.get_text(): text.get_window_extent() for text in words if text.get_text().strip()}
    assert boxes
    edge = figure.bbox
    over = [
        text
        for text, box in boxes.items()
        if box.x0 < edge.x0 - SLACK or box.x1 > edge.x1 + SLACK or box.y0 < edge.y0 - SLACK or box.y1 > edge.y1 + SLACK
    ]
    assert over == []
