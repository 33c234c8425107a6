"""What is committed in results/ follows from its records, byte for byte, and says the same wherever it is shown."""

import json
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest
from matplotlib.container import ErrorbarContainer

from replicate.experiments.catalogue import find
from replicate.overview.choice import laptop_seconds
from replicate.papers import load_paper, paper_ids
from replicate.paths import PACKAGE
from replicate.report import Findings, write_index
from replicate.report.figures.draw import own_figure
from replicate.report.figures.style import drawn_columns
from replicate.report.figures.table_figure import draw_table
from replicate.report.verdict_file import EACH, VERDICTS
from replicate.report.write import FIGURE, TABLE
from replicate.runs.committed import RECORDS, committed_records
from replicate.site import pages
from replicate.site.content import Content, Result, read_results
from replicate.verdicts.frame import PILOT
from tests.helpers.reported import report
from tests.site.site_page import Page

RESULTS = PACKAGE.parent / "results"
COMMITTED = sorted(path.parts[-4:-1] for path in RESULTS.glob(f"{EACH}/{RECORDS}"))
each_result = pytest.mark.parametrize(("paper", "name", "scale"), COMMITTED)


PAPERS = tuple(map(load_paper, paper_ids()))


@cache
def results_of(name: str) -> tuple[Result, ...]:
    """What the site reads of one experiment: composed once, at each scale that has records."""
    return tuple(read_results(find(name), RESULTS))


def found(name: str, scale: str) -> Findings:
    return next(result.findings for result in results_of(name) if result.scale == scale)


@each_result
def test_every_file_follows_from_the_records(tmp_path: Path, paper: str, name: str, scale: str) -> None:
    """The records, too: what is written from them has them as they are, and so gives the same once more."""
    committed = RESULTS / paper / name / scale
    report(found(name, scale).experiment, committed_records(RESULTS, paper, name, scale), tmp_path)
    made = {path.name: path.read_bytes() for path in (tmp_path / paper / name / scale).iterdir()}
    assert RECORDS in made
    for file, data in made.items():
        assert (committed / file).read_bytes() == data, f"{file} is out of date: run `make report`"
    assert sorted(made) == sorted(path.name for path in committed.iterdir())


@each_result
def test_records_are_of_clean_commits_and_no_pilot_seeds(paper: str, name: str, scale: str) -> None:
    records = committed_records(RESULTS, paper, name, scale)
    assert [record.id for record in records if record.seed >= PILOT] == []
    assert [record.id for record in records if record.provenance.get("dirty") is not False] == []


@pytest.mark.skipif(not COMMITTED, reason="needs a checkout with results")
def test_the_index_follows_from_the_verdicts(tmp_path: Path) -> None:
    for paper, name, scale in COMMITTED:
        (tmp_path / paper / name / scale).mkdir(parents=True)
        (tmp_path / paper / name / scale / VERDICTS).write_bytes(
            (RESULTS / paper / name / scale / VERDICTS).read_bytes()
        )
    write_index(tmp_path)
    assert (tmp_path / "README.md").read_bytes() == (RESULTS / "README.md").read_bytes(), "run `make report`"


@each_result
def test_table_figure_verdicts_and_page_agree(paper: str, name: str, scale: str) -> None:
    findings = found(name, scale)
    entry = find(name)
    html = pages.experiment_page(Content(PAPERS, (entry,), results_of(name)), entry)
    text = (RESULTS / paper / name / scale / TABLE).read_text()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    shown = Page(html).tables[f"table-{scale}"]
    assert shown == [rows[0], *rows[2 : 1 + len(shown)]]
    for verdict in json.loads((RESULTS / paper / name / scale / VERDICTS).read_text())["verdicts"]:
        assert f"**{verdict['answer']}**: " in text
        badge = re.search(rf'<li id="{scale}-{verdict["claim"]}"><span class="v [\w-]+">([^<]+)</span>', html)
        assert badge
        assert badge[1] == verdict["answer"]
    if not findings.counted:
        assert (RESULTS / paper / name / scale / FIGURE).is_file()
        if own_figure(findings) is None:  # a figure of the table
            assert drawn(findings) == means(findings)


def drawn(findings: Findings) -> list[float]:
    """The means that the figure of the table draws, column by column."""
    bars = [c for axes in draw_table(findings).axes for c in axes.containers if isinstance(c, ErrorbarContainer)]
    return [float(bar.lines[0].get_xdata()[0]) for bar in bars]  # type: ignore[index, arg-type]


def means(findings: Findings) -> list[float]:
    """Those that the table has, where no run diverged."""
    lines = [line for line in findings.variants if not line.diverged]
    return [line.measured[c].mean for c in drawn_columns(findings) for line in lines if c in line.measured]


@each_result
def test_the_file_promises_no_less_time_than_the_runs_took(paper: str, name: str, scale: str) -> None:
    """Three seeds of each row, each as fast as its fastest: a loaded machine slows a run many times."""
    took: dict[str, list[float]] = defaultdict(list)
    for record in committed_records(RESULTS, paper, name, scale):
        took[record.variant].append(record.timing.seconds)
    promised = laptop_seconds(find(name))
    if scale == "laptop" and promised is not None:
        seconds = sum(min(times) * min(3, len(times)) for times in took.values())
        assert seconds / 2 <= 1.5 * promised  # on two cores; half as much again for a slower machine
