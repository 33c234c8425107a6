"""Numbers and names as a person reads them; the same words in the terminal, in Markdown and in the figure."""

import math
from collections.abc import Sequence
from statistics import median

from replicate.papers import Paper
from replicate.papers.facts import Value
from replicate.papers.units import unit
from replicate.report.findings import Findings, Sample, VariantFindings
from replicate.verdicts.quantities import spoken

DASH = "–"  # nothing printed, or not applicable
EXPLODED = 1e7  # no loss or rate of a training that stays within bounds is as large


def plural(count: int, noun: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def capital(text: str) -> str:
    """A sentence with a large first letter, unless it begins with a symbol or a name (p_L, fc6, v1.1, n)."""
    first = text.partition(" ")[0].rstrip(",.:?")
    word = first.isalpha() and (len(first) > 1 or first == "a")
    return text[:1].upper() + text[1:] if word else text


def heading(findings: Findings, column: str) -> str:
    """A column with its unit: `top-1 error (%)`."""
    sign = unit(unit_of(findings, column)).sign
    return f"{spoken(column)} ({sign})" if sign else spoken(column)


def unit_of(findings: Findings, column: str) -> str:
    """The unit of a column; one that the paper's table lacks is an error rate of ours in percent, or a plain number."""
    return findings.table.units.get(column, "percent" if column.endswith("error") else "count")


def printed(value: Value) -> str:
    """A published value as it stands on the page; integers with thousands separators."""
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def published_cell(line: VariantFindings, column: str) -> str:
    """What the paper prints for `column`: its number, or "fail" where a table has a column of failures."""
    value = line.published.get(column)
    failed = column in line.published and value is None and line.published.get("fail") is True
    return "fail" if failed else printed(value)


def decimals_of(samples: Sequence[Sample], unit_name: str) -> int:
    """Decimals for a whole column: two for percent, none for whole numbers, else four digits of the middle mean.

    The middle one: a row that exploded may stand in the column.
    """
    values = [value for sample in samples for value in (sample.mean, *sample.values)]
    if unit_name == "percent":
        return 2
    if not values or all(value == round(value) for value in values):
        return 0
    typical = median(abs(sample.mean) for sample in samples)
    return min(6, max(0, 3 - math.floor(math.log10(typical)))) if typical > 0 else 2


def estimate(sample: Sample, decimals: int, also: str = "") -> str:
    """`14.52 ± 0.83 (3)`: mean, half-width of the 95 % interval, number of runs and what else there is to say."""
    spread = "" if sample.half_width is None else f" ± {readable(sample.half_width, decimals)}"
    return f"{readable(sample.mean, decimals)}{spread} ({sample.n}{also})"


def readable(value: float, decimals: int) -> str:
    """All digits before the point, but four and a power of ten where a training has left all bounds."""
    return f"{value:.3e}" if decimals > 0 and abs(value) >= EXPLODED else f"{value:,.{decimals}f}"


def papers_statistic(findings: Findings, column: str, sample: Sample, decimals: int) -> str:
    """`; median 6.58` where the paper prints the median or the best of its runs and the numbers may be compared."""
    statistic = findings.experiment.settings.statistic
    if not findings.comparable or sample.n < 2 or statistic not in ("median", "best"):
        return ""
    best = max if "accuracy" in column else min
    value = median(sample.values) if statistic == "median" else best(sample.values)
    return f"; {statistic} {value:,.{decimals}f}"


def short_count(number: int) -> str:
    """25,028,904 -> 25.03 M."""
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.4g} {sign}"
    return str(number)


def duration(seconds: float) -> str:
    """0.4 -> under 1 s, 75 -> 1 min 15 s, 4000 -> 1 h 7 min."""
    if seconds < 1:
        return "under 1 s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = {"h": hours, "min": minutes, "s": 0 if hours else rest}
    return " ".join(f"{number} {sign}" for sign, number in parts.items() if number)


def remarks(line: VariantFindings) -> str:
    """What the numbers of a line do not say: runs that diverged, or were not done."""
    if line.missing == line.planned:
        return "not run"
    said = {"diverged": line.diverged, "not run": line.missing}
    return "; ".join(f"{count} of {line.planned} {what}" for what, count in said.items() if count)


def cite(paper: Paper) -> str:
    """He et al. 2015; Xie 2017 for one author, both names for two."""
    authors = paper.authors
    if not authors:
        return capital(paper.venue)
    if any(author[-4:].isdecimal() for author in authors):  # a family of papers, whose authors carry years
        return paper.title.partition(":")[0]
    names = f"{authors[0]} et al." if len(authors) > 2 else " and ".join(authors)
    return f"{names} {paper.year}" if paper.year else names


def title(findings: Findings) -> str:
    """`resnext_cardinality, laptop scale: Xie et al. 2017, Table 3`."""
    experiment = findings.experiment
    return f"{experiment.name}, {experiment.scale} scale: {cite(findings.paper)}, {findings.table.locator}"


def data_used(findings: Findings) -> str:
    """`bundled, 16 pixels`: the data sets of the planned runs."""
    data = [run.config.data for run in findings.runs if run.config.data is not None]
    return " and ".join(dict.fromkeys(f"{part.name}, {part.size} pixels" if part.size else part.name for part in data))


def comparison(findings: Findings) -> str:
    """How the measured numbers relate to the published ones: the sentence that stands over every table."""
    if findings.counted:
        return "Counted from the network's graph, exact at every scale: compare number with number."
    if not data_used(findings):
        return "Measured without images, the same at every scale: compare number with number."
    if findings.comparable:
        return f"Measured on {data_used(findings)}, by the paper's recipe: compare number with number."
    return (
        f"Measured on another data set or size ({data_used(findings)}) than published ({findings.table.dataset}): "
        "the measured numbers test the direction of each claim. They are no replication of the published numbers."
    )


def run_summary(findings: Findings) -> str:
    """`15 runs, all finished, 1 h 7 min of computing.`"""
    total, missing = len(findings.runs), len(findings.missing)
    diverged = sum(record.status == "diverged" for record in findings.records)
    states = [f"{total - missing - diverged} finished", f"{diverged} diverged", f"{missing} not run"]
    said = ", ".join(state for state in states if not state.startswith("0 ") or state.endswith("finished"))
    seconds = sum(record.timing.seconds for record in findings.records)
    spent = f"; {duration(seconds)} of computing" if findings.records else ""
    return f"{plural(total, 'run')} planned: {said}{spent}."
