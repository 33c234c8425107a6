"""The static site without a browser: pages, links, numbers, charts, colours, and the same bytes every time."""

import csv
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from replicate.errors import UserError
from replicate.experiments.catalogue import catalogue
from replicate.experiments.experiment import load_experiment
from replicate.papers import load_paper, paper_ids
from replicate.papers.titles import place
from replicate.report.findings import gather
from replicate.report.forest import forest
from replicate.report.verdict_file import all_verdicts
from replicate.report.wording import cite
from replicate.runs.committed import committed_records
from replicate.site import build_site, pages
from replicate.site.citations import bibtex
from replicate.site.curves import curve_charts
from replicate.site.origins import configurations, run_table
from tests.helpers.made_up import made_up_experiment, record_of
from tests.helpers.reported import report
from tests.helpers.site_results import write_made_up_results
from tests.site.site_page import Page

LARGEST = 300_000  # bytes of a page


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_made_up_results(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def site(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "site"
    build_site(results, out)
    return out


@pytest.fixture(scope="module")
def read(site: Path) -> dict[str, Page]:
    return {path.relative_to(site).as_posix(): Page(path.read_text()) for path in site.rglob("*.html")}


def markdown_rows(path: Path) -> list[list[str]]:
    """The cells of the first table of a Markdown file, less the rule under its head."""
    lines = [line for line in path.read_text().splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]


def answers(path: Path, field: str = "answer") -> dict[str, str]:
    return {verdict["claim"]: verdict[field] for verdict in json.loads(path.read_text())["verdicts"]}


def test_every_paper_and_experiment_has_a_page(read: dict[str, Page]) -> None:
    expected = {f"paper/{paper}.html" for paper in paper_ids()} | {f"experiment/{e.name}.html" for e in catalogue()}
    assert set(read) == expected | {"index.html", "experiments.html"}


def test_links_lead_somewhere_and_pages_load_nothing_from_elsewhere(site: Path, read: dict[str, Page]) -> None:
    for name, page in read.items():
        for resource in page.resources:
            assert (site / name).parent.joinpath(resource).is_file(), f"{name} loads {resource}"
        for link in page.links:
            target, _, anchor = link.partition("#")
            if link.startswith("https://arxiv.org/abs/"):
                continue
            path = ((site / name).parent / target).resolve() if target else site / name
            assert path.is_file(), f"{name} links to {link}"
            if anchor:
                assert anchor in read[path.relative_to(site.resolve()).as_posix()].ids, f"{name} links to {link}"
    assert "http" not in re.sub(r"http://www\.w3\.org/\S+", "", (site / "assets/site.css").read_text())


def test_no_page_has_two_elements_of_one_id(read: dict[str, Page]) -> None:
    for name, page in read.items():
        assert [word for word, count in Counter(page.ids).items() if count > 1] == [], name


def test_pages_are_small(site: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in site.rglob("*") if path.is_file()}
    assert {name: size for name, size in sizes.items() if size > LARGEST} == {}


@pytest.mark.parametrize(
    ("experiment", "scale"),
    [("alexnet_parameters", "exact"), ("resnext_cardinality", "laptop"), ("resnet_shortcuts", "laptop")],
)
def test_an_experiments_page_has_the_numbers_of_its_results(
    results: Path, site: Path, read: dict[str, Page], experiment: str, scale: str
) -> None:
    [folder] = results.glob(f"*/{experiment}/{scale}")
    page = read[f"experiment/{experiment}.html"]
    assert page.tables[f"table-{scale}"] == markdown_rows(folder / "table.md")
    text = (site / f"experiment/{experiment}.html").read_text()
    for claim, answer in answers(folder / "verdicts.json").items():
        shown = re.search(rf'<li id="{scale}-{claim}"><span class="v [\w-]+">([^<]+)</span>', text)
        assert shown
        assert shown[1] == answer
    for name in ("runs.csv", "verdicts.json", *(["figure.svg"] if scale == "laptop" else [])):
        assert (site / "data" / experiment / scale / name).read_bytes() == (folder / name).read_bytes()


def test_figures_say_what_the_table_says(read: dict[str, Page]) -> None:
    page = read["experiment/resnext_cardinality.html"]
    head, *rows = page.tables["table-laptop"]
    published, measured = (head.index(f"top-1 error (%), {name}") for name in ("published", "mean ± 95 % (n)"))
    for row in rows:
        said = f"{row[0]}: published {row[published]}; measured {row[measured]}"
        assert any(label.startswith(said) for label in page.labels), said


def test_the_overview_has_every_claim_with_its_verdict(results: Path, read: dict[str, Page]) -> None:
    head, *lines = read["index.html"].tables["matrix"]
    assert len(lines) + len(read["index.html"].tables["counted"]) - 1 == sum(
        len(load_paper(paper).claims) for paper in paper_ids()
    )
    statement = {claim.id: claim.statement for claim in load_paper("resnext").claims}
    by_claim = {(line[0], line[1]): line for line in lines}
    for claim, outcome in answers(results / "resnext/resnext_cardinality/laptop/verdicts.json", "outcome").items():
        line = by_claim["resnext", statement[claim]]
        assert line[head.index("laptop")] == outcome
        assert line[head.index("paper", 1)] == "not run"


def test_a_papers_page_shows_published_beside_measured(site: Path, read: dict[str, Page]) -> None:
    text = (site / "paper/resnext.html").read_text()
    head, *rows = read["experiment/resnext_cardinality.html"].tables["table-laptop"]
    for row in rows:
        cell = row[head.index("top-1 error (%), mean ± 95 % (n)")]
        published = row[head.index("top-1 error (%), published")]
        line = f'<th scope="row">{row[1]}</th><td data-label="top-1 error (%)" class="num">{published}</td>'
        assert line in text
        assert f'<td data-label="laptop scale" class="num ours">{cell}</td>' in text
    assert all(said.split("'")[0][:40] in text for said in load_paper("resnext").discrepancies[:3])


def test_every_run_stands_on_its_page_with_its_origin(results: Path, read: dict[str, Page]) -> None:
    head, *rows = read["experiment/resnet_shortcuts.html"].tables["runs-laptop"]
    with (results / "resnet/resnet_shortcuts/laptop/runs.csv").open() as file:
        known = list(csv.DictReader(file))
    place = {name: head.index(name) for name in ("id", "seed", "status", "commit", "torch")}
    assert [row[place["id"]] for row in rows] == [run["id"] for run in known]
    assert {row[place["status"]] for row in rows} == {"finished", "diverged"}
    assert {(row[place["commit"]], row[place["torch"]]) for row in rows} == {("c0ffee", "2.6.0")}


def test_no_page_calls_a_source_document_by_number(site: Path) -> None:
    for path in (*site.rglob("*.html"), site / "assets/search.js"):
        assert re.findall(r"[Ss]eed 00\d|00\d_[0-9a-f]{16}", path.read_text()) == [], path


def test_a_second_run_writes_the_same_bytes_and_removes_what_is_gone(results: Path, site: Path) -> None:
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    (site / "experiment/no_longer.html").write_text("old")
    build_site(results, site)
    assert {path: path.read_bytes() for path in site.rglob("*") if path.is_file()} == before


def test_a_folder_with_something_else_is_left_alone(results: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        build_site(results, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_without_results_everything_is_not_run(tmp_path: Path) -> None:
    build_site(tmp_path / "none", tmp_path / "site")
    tiles = re.findall(r"<b>(\d+)</b><span class=\"v ([\w-]+)\">", (tmp_path / "site/index.html").read_text())
    assert {word for count, word in tiles if count != "0"} == {"not-run"}


def test_the_front_page_begins_with_findings_and_every_drawn_effect(site: Path, results: Path) -> None:
    text = (site / "index.html").read_text()
    assert (
        text.index('id="findings"') < text.index('id="forest"') < text.index('id="papers"') < text.index('id="matrix"')
    )
    drawn = forest(all_verdicts(results)).lines
    links = re.findall(r'class="dotrow [\w-]+" href="([^"]+)"', text)
    assert (
        links == [f"experiment/{one.data.experiment}.html#{one.data.scale}-{one.answer.claim}" for one in drawn] != []
    )
    assert "laptop scale</span>" in text  # the condition stands on the badge


def test_what_has_no_claim_says_what_was_measured(tmp_path: Path) -> None:
    experiment = load_experiment("squeezenet_ratio_parameters")
    report(experiment, [record_of(run, {"mebibytes": 1.0}) for run in experiment.runs()], tmp_path)
    build_site(tmp_path, tmp_path / "site")
    text = (tmp_path / "site/experiment/squeezenet_ratio_parameters.html").read_text()
    assert re.search(r'class="none">\d+ runs measured, 0 of \d+ numbers agree<', text)


def test_pages_tell_others_what_they_are(read: dict[str, Page], site: Path) -> None:
    for name in read:
        text = (site / name).read_text()
        described = re.search(r'<meta name="description" content="([^"]+)">', text)
        titled = re.search(r"<title>(.+) · replicate</title>", text)
        assert described, name
        assert titled, name
        assert f'<meta property="og:title" content="{titled[1]}">' in text
    assert "?</h1>" in (site / "experiment/resnext_cardinality.html").read_text()


def test_names_of_an_experiment_cannot_break_out_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page does not rely on such a name being refused where the experiment is read."""
    monkeypatch.setattr("replicate.experiments.experiment.check_variant", lambda experiment, name: None)
    experiment = made_up_experiment({"</script><b>x": None, "b": None}, claims=[])
    findings = gather(
        experiment, experiment.runs(), [record_of(r, {}, {"loss": [2.0, 1.0]}) for r in experiment.runs()]
    )
    made = pages.environment_of_templates().from_string('{% import "parts.html" as p %}{{ p.curve_chart(chart) }}')
    html = made.render(chart=curve_charts(findings)[0])
    assert html.count("</script>") == 1
    assert "<b>" not in html


def test_configurations_are_split_into_what_is_shared_and_what_differs(results: Path) -> None:
    experiment = load_experiment("resnet_shortcuts")
    findings = gather(experiment, experiment.runs(), committed_records(results, "resnet", "resnet_shortcuts", "laptop"))
    same, own = configurations(findings)
    assert same["model.depth"] == "32"
    assert own["plain"] == {"model.residual": "false", "model.shortcut": "–"}
    assert own["C"] == {"model.residual": "–", "model.shortcut": "C"}
    assert "gpu" not in run_table(findings).columns  # nothing stands in it


def test_papers_and_sources_are_named_so_that_a_reader_finds_them() -> None:
    assert cite(load_paper("resnext")) == "Xie et al. 2017"
    assert cite(load_paper("inception")) == "Inception family"
    assert cite(load_paper("conv_arithmetic")) == "Source documents"
    papers = {claim.id: claim for claim in load_paper("conv_arithmetic").claims}
    assert place(load_paper("conv_arithmetic"), papers["conv_commutes"]).startswith('"Classic convolutional')
    assert "eprint = {1611.05431}" in bibtex(load_paper("resnext"))
