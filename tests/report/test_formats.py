"""Tables for a paper or page of one's own: `replicate report --format`."""

from pathlib import Path

import pytest

from replicate.api import results
from replicate.errors import UserError
from replicate.report.again import print_tables
from replicate.report.formats import FORMATS, formatted
from replicate.report.table import table_frame

NAME = "resnext_cardinality"


def test_latex_has_every_cell_and_escapes_what_latex_reads() -> None:
    findings = results(NAME, "laptop").findings
    lines = formatted(findings, "latex").splitlines()
    rows = [line for line in lines if line.endswith(r"\\")]
    frame = table_frame(findings)
    assert len(rows) == 1 + len(frame)
    cells = [cell.strip() for cell in rows[1].removesuffix(r"\\").split(" & ")]
    assert cells == list(frame.iloc[0])
    assert r"\caption{resnext\_cardinality" in lines[2]
    assert r"95 \%" in rows[0]
    assert "%" not in "".join(lines).replace(r"\%", "")
    assert r"\label{tab:resnext_cardinality-laptop}" in lines
    assert r"\begin{tabular}{llrrrrr}" in lines


def test_markdown_is_the_table_of_the_report() -> None:
    found = results(NAME, "laptop")
    text = formatted(found.findings, "markdown")
    table = Path(f"results/resnext/{NAME}/laptop/table.md").read_text(encoding="utf-8")
    assert text.split("\n\n")[0] in table
    assert "± is the half-width" in text


@pytest.mark.parametrize("form", list(FORMATS))
def test_printing_writes_nothing(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_tables(NAME, [f"runs_dir={tmp_path}"], Path("results"), form)
    assert "32x4d" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_another_format_and_no_runs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown format 'latx'; did you mean latex"):
        print_tables(NAME, [], Path("results"), "latx")
    with pytest.raises(UserError, match=f"no run of {NAME}"):
        print_tables(NAME, [f"runs_dir={tmp_path}"], tmp_path, "latex")
