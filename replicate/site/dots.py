"""The figure of an experiment: published numbers beside measured ones, variant by variant, as data for the template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from replicate.papers.facts import Value
from replicate.papers.printed import is_number
from replicate.report.figures.style import MOST_DOTS, drawn_columns
from replicate.report.findings import Findings, Sample, VariantFindings, final_values
from replicate.report.table import decimal_places, measured_cell
from replicate.report.wording import heading, published_cell, remarks
from replicate.site.axes import Axis, axis

FAIL = "fail"  # what a paper prints of a network that did not learn


@dataclass(frozen=True)
class DotRow:
    """One variant. Numbers are in the column's unit; the texts are those of the table."""

    variant: str
    published: float | None
    printed: str
    sample: Sample | None
    text: str
    runs: Sequence[float]
    diverged: bool
    remark: str

    @property
    def known(self) -> bool:
        """Whether there is anything to show on either side."""
        return self.published is not None or self.printed == FAIL or self.sample is not None or bool(self.remark)

    @property
    def span(self) -> tuple[float, float] | None:
        """The 95 % interval of the mean, which a diverged run at chance level would blow up."""
        return None if self.sample is None or self.diverged else self.sample.interval

    @property
    def tip(self) -> str:
        """What hovering and a screen reader say."""
        said = f"{self.variant}: published {self.printed}; measured {self.text}"
        return f"{said}; {self.remark}" if self.remark else said


@dataclass(frozen=True)
class DotChart:
    """One column of the published table. Both axes are the same where the numbers may be compared."""

    heading: str
    rows: Sequence[DotRow]
    shared: bool

    @property
    def printed(self) -> bool:
        """Whether the paper prints anything of it; if not, its half is left out."""
        return any(row.published is not None or row.printed == FAIL for row in self.rows)

    @cached_property
    def left(self) -> Axis:
        return axis(self._both() if self.shared else self._published())

    @cached_property
    def right(self) -> Axis:
        return axis(self._both() if self.shared else self._measured())

    def _published(self) -> list[float]:
        return [row.published for row in self.rows if row.published is not None]

    def _measured(self) -> list[float]:
        return [value for row in self.rows for value in (*row.runs, *(row.span or ()))]

    def _both(self) -> list[float]:
        return [*self._published(), *self._measured()]


def dot_charts(findings: Findings) -> list[DotChart]:
    """One chart for each column that figure.svg draws; none for counts, whose table says everything."""
    if findings.counted:
        return []
    places = decimal_places(findings)
    return [dot_chart(findings, column, places[column]) for column in drawn_columns(findings)]


def dot_chart(findings: Findings, column: str, places: int) -> DotChart:
    runs = single_runs(findings, column)
    rows = [dot_row(findings, line, column, places, runs.get(line.variant, ())) for line in findings.variants]
    return DotChart(heading(findings, column), [row for row in rows if row.known], findings.comparable)


def dot_row(findings: Findings, line: VariantFindings, column: str, places: int, runs: Sequence[float]) -> DotRow:
    return DotRow(
        variant=line.variant,
        published=number(line.published.get(column)),
        printed=published_cell(line, column),
        sample=line.measured.get(column),
        text=measured_cell(findings, line, column, places),
        runs=runs,
        diverged=line.diverged > 0,
        remark=remarks(line),
    )


def number(value: Value) -> float | None:
    return float(value) if is_number(value) else None


def single_runs(findings: Findings, column: str) -> Mapping[str, Sequence[float]]:
    """Variant -> the column's value of its first finished runs."""
    finished = final_values(findings.frame[findings.frame["status"] == "finished"], {})
    values = finished[finished["metric"] == column].groupby("variant")["value"].agg(list)
    return {str(variant): many[:MOST_DOTS] for variant, many in values.items()}
