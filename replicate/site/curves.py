"""Curves of an experiment (learning curves, or a measurement along blocks or depth), as data for the template."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from replicate.papers.units import unit
from replicate.report.findings import Findings
from replicate.report.wording import capital, unit_of
from replicate.site.axes import Axis, axis
from replicate.verdicts.quantities import spoken

MOST_POINTS = 120  # of one curve on the page; more would not be seen
SIDE = 1000  # units of the drawing's square, which the page stretches
ALONG = {
    "train": "epoch",
    "lesion": "block",
    "lesion_pretrained": "block",
    "paths": "path length (blocks)",
    "path_lengths": "path length (blocks)",
}
"""What the index of a study's measurements counts; "index" for others."""

LABELS = frozenset({"stage", "transition"})
"""Metrics that say what a block is; they are no measurement of it."""


@dataclass(frozen=True)
class Curve:
    """One variant: the mean over its runs at each place, between the smallest and the largest run."""

    name: str
    places: tuple[float, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    runs: int


@dataclass(frozen=True)
class CurveChart:
    """All variants' curves of one metric."""

    name: str
    along: str
    curves: Sequence[Curve]

    @cached_property
    def x(self) -> Axis:
        return axis((place for curve in self.curves for place in curve.places), most_ticks=8, margin=0)

    @cached_property
    def y(self) -> Axis:
        return axis(value for curve in self.curves for value in (*curve.low, *curve.high))

    @property
    def banded(self) -> bool:
        """Whether any variant has several runs."""
        return any(curve.runs > 1 for curve in self.curves)

    @property
    def summary(self) -> str:
        """The chart for those who cannot see it: where each curve begins and ends."""
        ends = [f"{curve.name} from {curve.mean[0]:.4g} to {curve.mean[-1]:.4g}" for curve in self.curves]
        return f"{self.name} by {self.along}: {'; '.join(ends)}. Arrow keys read the values."

    def line(self, curve: Curve) -> str:
        """The mean as an SVG path in a square of SIDE units."""
        return "M" + "L".join(self._points(curve.places, curve.mean))

    def band(self, curve: Curve) -> str:
        """The area between the smallest and the largest run, as an SVG path."""
        back = self._points(curve.places[::-1], curve.low[::-1])
        return "M" + "L".join([*self._points(curve.places, curve.high), *back]) + "Z"

    def _points(self, places: Sequence[float], values: Sequence[float]) -> list[str]:
        flipped = (SIDE - self.y.at(value) * SIDE / 100 for value in values)
        return [
            f"{self.x.at(place) * SIDE / 100:.0f} {height:.0f}" for place, height in zip(places, flipped, strict=True)
        ]

    @property
    def data(self) -> str:
        """What the page's script needs to tell values under the pointer, as JSON."""
        places = sorted({place for curve in self.curves for place in curve.places})
        series = [
            {
                "name": curve.name,
                "y": {f"{place:g}": f"{mean:.4g}" for place, mean in zip(curve.places, curve.mean, strict=True)},
            }
            for curve in self.curves
        ]
        at = [[f"{place:g}", self.x.at(place)] for place in places]
        text = json.dumps({"along": self.along, "at": at, "series": series}, separators=(",", ":"))
        return text.replace("<", "\\u003c")  # no name may end the script element that holds it


def curve_charts(findings: Findings) -> list[CurveChart]:
    """One chart for each metric that was measured at several places.

    None for random draws (`drawn_error`): their order means nothing, and their summary stands in the table.
    """
    rows = findings.frame.dropna(subset=["index", "value"])
    several = rows.groupby("metric")["index"].nunique()
    names = sorted(set(map(str, several[several > 1].index)) - LABELS)
    along = ALONG.get(findings.experiment.settings.study, "index")
    return [
        CurveChart(curve_name(findings, name), along, curves_of(findings, rows[rows["metric"] == name]))
        for name in names
        if not name.startswith("drawn_")
    ]


def curve_name(findings: Findings, metric: str) -> str:
    """`Train error (%)`; what has no unit keeps its bare name."""
    known = metric in findings.table.units or metric.endswith("error")
    sign = unit(unit_of(findings, metric)).sign if known else ""
    return capital(f"{spoken(metric)} ({sign})" if sign else spoken(metric))


def curves_of(findings: Findings, rows: pd.DataFrame) -> list[Curve]:
    """One curve a variant, in the order of the table."""
    shown = rows[rows["index"].isin(thinned(sorted(rows["index"].unique())))]
    grouped = shown.groupby(["variant", "index"])["value"].agg(["mean", "min", "max"])
    parts = {str(variant): part.droplevel("variant") for variant, part in grouped.groupby(level="variant")}
    runs = rows.groupby("variant")["seed"].nunique()
    return [
        one_curve(line.variant, parts[line.variant], int(runs[line.variant]))
        for line in findings.variants
        if line.variant in parts
    ]


def one_curve(name: str, values: pd.DataFrame, runs: int) -> Curve:
    mean, low, high = (tuple(map(float, values[column])) for column in ("mean", "min", "max"))
    return Curve(name, tuple(map(float, values.index)), mean, low, high, runs)


def thinned(places: Sequence[float]) -> list[float]:
    """At most MOST_POINTS of `places`, evenly, the last one always."""
    step = -(-len(places) // MOST_POINTS)
    return list(dict.fromkeys([*places[::step], places[-1]])) if places else []
