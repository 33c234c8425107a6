"""The site's charts: places, axes, curves, and colours that can be read."""

import json
import re
from itertools import pairwise

import pytest

from replicate.experiments.experiment import load_experiment
from replicate.report.findings import gather
from replicate.site import pages
from replicate.site.axes import axis
from replicate.site.curves import MOST_POINTS, SIDE, curve_charts, thinned
from replicate.site.dots import dot_charts
from tests.helpers.made_up import made_up_experiment, record_of

LARGEST = 300_000  # bytes of a page


def test_places_on_a_chart_are_linear_in_the_values() -> None:
    experiment = load_experiment("resnext_cardinality")
    runs = experiment.runs()
    places = {name: number for number, name in enumerate(experiment.variants)}
    records = [record_of(run, {"test_error": 12.0 + places[run.variant], "classes": 10.0}) for run in runs]
    chart = dot_charts(gather(experiment, runs, records))[0]
    at = [chart.right.at(row.sample.mean) for row in chart.rows if row.sample]
    assert at == sorted(at)
    assert [second - first for first, second in pairwise(at)] == pytest.approx([at[1] - at[0]] * 4, abs=0.02)
    assert all(0 <= place <= 100 for place in at)
    assert chart.left.at(23.9) > chart.left.at(22.2)  # published values, on their own axis at laptop scale


def test_axes_hold_their_values_and_tick_round_numbers() -> None:
    wide = axis([22.2, 23.9])
    assert [tick.text for tick in wide.ticks] == ["22.5", "23.0", "23.5", "24.0"]
    assert wide.low < 22.2 < 23.9 < wide.high
    assert [tick.text for tick in axis([1, 2, 3, 4], most_ticks=8, margin=0).ticks] == ["1", "2", "3", "4"]
    assert axis([5.0]).at(5.0) == 50


def test_curves_are_means_between_the_smallest_and_the_largest_run() -> None:
    experiment = made_up_experiment({"a": None}, seeds=2, claims=[])
    curves = [[3.0, 2.0, 1.0], [5.0, 2.0, 0.0]]
    records = [record_of(run, {}, {"loss": curve}) for run, curve in zip(experiment.runs(), curves, strict=True)]
    chart = curve_charts(gather(experiment, experiment.runs(), records))[0]
    curve = chart.curves[0]
    assert (chart.along, curve.places) == ("epoch", (1, 2, 3))
    assert (curve.mean, curve.low, curve.high) == ((4, 2, 0.5), (3, 2, 0), (5, 2, 1))
    heights = [float(point.split()[1]) for point in chart.line(curve)[1:].split("L")]
    assert heights == pytest.approx([SIDE - SIDE * chart.y.at(mean) / 100 for mean in curve.mean], abs=0.5)
    assert json.loads(chart.data)["series"][0]["y"] == {"1": "4", "2": "2", "3": "0.5"}


def test_long_curves_are_thinned_and_keep_their_ends() -> None:
    places = thinned(list(range(1, 1002)))
    assert (places[0], places[-1]) == (1, 1001)
    assert len(places) <= MOST_POINTS + 1


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_colours_can_be_read(mode: int) -> None:
    css = pages.asset("site.css")
    colours = {name: pair[mode] for name, *pair in re.findall(r"--([\w-]+): light-dark\((#\w+), (#\w+)\);", css)}
    words = ["holds", "exact", "opposite", "differs", "undecided", "not-run"]
    grounds = ["ground", "raised", "band"]
    texts = {(name, ground): 4.5 for name in ("ink", "muted", "accent") for ground in grounds}
    badges = {(word, ground): 4.5 for word in words for ground in (f"{word}-ground", "raised")}
    marks = {(f"c{number}", "ground"): 3.0 for number in range(8)}
    both = {("published", "ground"): 3.0, ("measured", "ground"): 3.0, ("ink", "ours"): 4.5}
    wanted = texts | badges | marks | both
    assert {
        pair: round(contrast(*(colours[name] for name in pair)), 2)
        for pair, least in wanted.items()
        if contrast(*(colours[name] for name in pair)) < least
    } == {}
