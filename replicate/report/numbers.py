"""Published numbers against measured ones, where both come of the same recipe: the paper's own statistic of the runs.

At laptop scale there is nothing of the kind: other data and sizes test a claim's direction and replicate no number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from replicate.papers.facts import Value
from replicate.papers.printed import is_number
from replicate.report.findings import Findings, Sample, VariantFindings
from replicate.report.wording import decimals_of, heading, printed, unit_of
from replicate.verdicts.exact import agrees_to_printed_digits

LEVEL = 0.95
DRAWS = 200_000  # of the statistic of normal values, whose spread has no closed form; fixed seed


@dataclass(frozen=True)
class Number:
    """One printed number beside ours, in the unit of its column.

    difference: ours less the printed one. half_width: a second group of runs like the paper's would lie within it of
    the first in 95 % of the cases, if both scatter as ours do; None for one run, which has no spread.
    """

    variant: str
    column: str
    published: Value
    statistic: str
    n: int
    measured: float
    difference: float
    half_width: float | None

    @property
    def result(self) -> str:
        """In words: agrees to the printed digits, lies within what chance allows, or differs."""
        assert isinstance(self.published, (int, float))
        if agrees_to_printed_digits(self.measured, self.published):
            return "agrees to the printed digits"
        if self.half_width is None:
            return "differs; one run has no spread"
        return "within chance" if abs(self.difference) <= self.half_width else "differs"


def numbers(findings: Findings) -> list[Number]:
    """Every printed number of the bound columns that was measured; none unless the scale is that of the paper."""
    if findings.counted or not findings.experiment.scale.comparable:
        return []
    return [
        number(findings, line, column)
        for line in findings.variants
        for column in findings.columns
        if column in line.measured and is_number(line.published.get(column))
    ]


def number(findings: Findings, line: VariantFindings, column: str) -> Number:
    sample, statistic = line.measured[column], findings.experiment.settings.statistic
    published: Any = line.published[column]
    ours = value_of(statistic, sample, highest="accuracy" in column)
    return Number(
        variant=line.variant,
        column=column,
        published=published,
        statistic=statistic,
        n=sample.n,
        measured=ours,
        difference=ours - float(published),
        half_width=half_width(statistic, sample),
    )


def value_of(statistic: str, sample: Sample, highest: bool = False) -> float:
    """The paper's statistic of our runs. For a single printed run that is our mean: the best guess at one more run."""
    if statistic == "median":
        return float(np.median(sample.values))
    if statistic == "best":
        return max(sample.values) if highest else min(sample.values)
    return sample.mean


def half_width(statistic: str, sample: Sample) -> float | None:
    """Of the 95 % interval of the difference between ours and the paper's, with Student's t for our spread.

    The paper's is one run where it prints a single one, else taken to be the statistic of as many runs as ours.
    """
    if sample.n < 2:
        return None
    spread = float(np.std(sample.values, ddof=1))
    both = sqrt(1 + 1 / sample.n) if statistic == "single" else sqrt(2) * error_of(statistic, sample.n)
    return float(special.stdtrit(sample.n - 1, (1 + LEVEL) / 2)) * spread * both


@cache
def error_of(statistic: str, n: int) -> float:
    """Standard deviation of the statistic of `n` standard normal values."""
    if statistic == "mean":
        return 1 / sqrt(n)
    values = np.random.default_rng(0).standard_normal((DRAWS, n))
    return float(np.std(np.median(values, axis=1) if statistic == "median" else values.min(axis=1)))


def numbers_frame(findings: Findings) -> pd.DataFrame:
    """One line a number, as words; empty where there is none."""
    found = numbers(findings)
    places = {
        column: max(2, decimals_of([v.measured[column] for v in findings.variants if column in v.measured], unit))
        for column, unit in ((column, unit_of(findings, column)) for column in {n.column for n in found})
    }
    return pd.DataFrame([words(findings, n, places[n.column]) for n in found])


def words(findings: Findings, number: Number, places: int) -> dict[str, str]:
    scatter = "" if number.half_width is None else f" ± {number.half_width:.{places}f}"
    return {
        "variant": number.variant,
        "quantity": heading(findings, number.column),
        "published": printed(number.published),
        "ours": f"{number.measured:.{places}f} ({OURS[number.statistic]} {number.n})",
        "difference ± 95 %": f"{number.difference:+.{places}f}{scatter}",
        "result": number.result,
    }


OURS = {"mean": "mean of", "median": "median of", "best": "best of", "single": "mean of"}
PRINTED = {"mean": "the mean of runs", "median": "the median of runs", "best": "the best run", "single": "a single run"}


def protocol_line(findings: Findings) -> str:
    """How both sides were tested: `Published: the median of runs, single view. Measured: 1 view an image.`"""
    protocol = findings.table.protocol.rstrip(".")
    statistic = PRINTED[findings.experiment.settings.statistic]
    return f"Published: {statistic}; {protocol}. Measured: {' and '.join(tested(findings))}."


def tested(findings: Findings) -> list[str]:
    """Each way in which the runs of the experiment were tested."""
    return list(dict.fromkeys(views(run.config.options.given, run.config.data) for run in findings.runs))


def views(options: Mapping[str, Any], data: Any) -> str:
    """The views of an image in words: those of study evaluate, or the crops of a training's own test."""
    named = {"": options.get("protocols") or (), **(options.get("readings") or {})}
    said = [one_view(part) + (f" ({name})" if name else "") for name, parts in named.items() for part in parts]
    return "; ".join(said) or f"{getattr(data, 'test_crops', None) or 1} view of an image"


def one_view(part: Mapping[str, Any]) -> str:
    """`10 corners crops of 224 pixels of images scaled to 256`, in the protocol's own words."""
    sides: Sequence[int] = part["scales"]
    size = f"scaled to {', '.join(map(str, sides))}"
    mirrored = ", also mirrored" if part.get("flip") else ""
    if part.get("dense"):
        return f"whole images {size}{mirrored}"
    return f"{part['crops']} of {part['crop']} pixels in images {size}{mirrored}"
