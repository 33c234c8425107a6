"""The table of an experiment for a paper or a page of one's own: LaTeX with booktabs, or Markdown."""

from collections.abc import Callable

from replicate.errors import unknown
from replicate.report.findings import Findings
from replicate.report.table import LEFT, explanation, markdown_table, table_frame
from replicate.report.wording import capital, run_summary, title

SPECIAL = str.maketrans(
    {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {sign: f"\\{sign}" for sign in "&%$#_{}"}
)
"""Signs that mean something to LaTeX, and how they are printed."""


def check_format(form: str) -> None:
    """Raises UserError for a name that is none of FORMATS."""
    if form not in FORMATS:
        raise unknown("format", form, FORMATS)


def formatted(findings: Findings, form: str) -> str:
    """The table and what it shows, in one of FORMATS."""
    return FORMATS[form](findings)


def caption(findings: Findings) -> str:
    """What the table shows, on how many runs, and what its ± is."""
    about = capital(findings.table.about.rstrip("."))
    return f"{title(findings)}. {about}. {run_summary(findings)}{explanation(findings)}"


def markdown(findings: Findings) -> str:
    return f"{markdown_table(table_frame(findings))}\n\n{caption(findings)}"


def latex(findings: Findings) -> str:
    """A table environment for booktabs; its label is `tab:<experiment>-<scale>`. Other signs are those of UTF-8."""
    frame = table_frame(findings)
    aligned = "".join("l" if name in LEFT else "r" for name in frame.columns)
    escaped = frame.map(lambda cell: str(cell).translate(SPECIAL)).rename(columns=lambda name: name.translate(SPECIAL))
    return str(
        escaped.style.hide(axis="index").to_latex(
            hrules=True,
            column_format=aligned,
            position_float="centering",
            caption=caption(findings).translate(SPECIAL),
            label=f"tab:{findings.experiment.name}-{findings.experiment.scale}",
        )
    ).rstrip()


FORMATS: dict[str, Callable[[Findings], str]] = {"latex": latex, "markdown": markdown}
