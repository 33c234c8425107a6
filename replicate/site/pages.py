"""From content to pages: each function gives the HTML of one page, the same for the same content."""

import json
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from textwrap import shorten
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from replicate.experiments.catalogue import Entry, cost_text
from replicate.experiments.scale import Scale, lines_at
from replicate.papers import Claim, Paper
from replicate.papers.titles import place, table_place
from replicate.paths import experiment_files
from replicate.report.figures import has_own_figure
from replicate.report.numbers import numbers_frame, protocol_line
from replicate.report.table import LEFT, explanation, table_frame
from replicate.report.verdict_words import basis
from replicate.report.wording import capital, cite, comparison, data_used, run_summary
from replicate.site.cards import cards, measured_words
from replicate.site.citations import arxiv_ids, bibtex
from replicate.site.content import Answer, Content, Result, in_order
from replicate.site.curves import curve_charts
from replicate.site.dots import dot_charts
from replicate.site.origins import MOST_RUNS, configurations, environment, run_table
from replicate.site.published_tables import printed_tables
from replicate.verdicts import Outcome

FOLDER = Path(__file__).parent
SUMMARY = 200  # characters of a page's description
WORDS = tuple(outcome.value for outcome in Outcome)
TEXT_COLUMNS = frozenset({*LEFT, "id", "status", "commit", "cpu", "gpu", "python", "torch", "torchvision"})


@cache
def environment_of_templates() -> Environment:
    """Everything is escaped; a name that a template misspells is an error."""
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    made.filters.update(slug=slug, zip=zip, capital=capital, short_name=cite)
    made.filters.update(costs=cost_text, basis=basis, summary=summary, breakable=breakable)
    made.globals.update(zip=zip, words=WORDS, text_columns=TEXT_COLUMNS)
    return made


def slug(text: str) -> str:
    """`not run` -> `not-run`, for classes and anchors."""
    return "-".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def breakable(name: str) -> Markup:
    """A name that a narrow column may break after its underscores."""
    return escape(name).replace("_", Markup("_<wbr>"))


def summary(text: str) -> str:
    """What search engines and previews show of a text: its beginning, up to a whole word."""
    return shorten(" ".join(text.split()), SUMMARY, placeholder=" …")


def render(template: str, root: str, **values: Any) -> str:
    """One page; `root` leads from it to the site's folder."""
    return environment_of_templates().get_template(template).render(root=root, **values).rstrip() + "\n"


def overview(content: Content) -> str:
    """Findings, the forest, papers, and the matrix claim x scale: of trained networks, and of what is counted."""
    lines = [claim_line(content, paper, claim) for paper in content.papers for claim in paper.claims]
    trained = [line for line in lines if (line["paper"].id, line["claim"].id) in content.trained]
    counted = [line for line in lines if line not in trained]
    return render(
        "overview.html",
        "",
        section="overview",
        content=content,
        cards=cards(content),
        forest=content.forest(),
        groups=[
            ("matrix", "Claims on trained networks", trained, tally_of(trained)),
            ("counted", "Claims that are counted or computed", counted, tally_of(counted)),
        ],
        papers=[paper_line(content, paper) for paper in content.papers],
        lines=lines,
        asked=sum(any(line["answers"].values()) for line in lines),
        runs=sum(len(result.findings.records) for result in content.results),
    )


def tally_of(lines: Iterable[dict[str, Any]]) -> dict[str, int]:
    """The answers of claims, counted."""
    return tally(answer.outcome for line in lines for many in line["answers"].values() for answer in many)


def tally(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """How often each outcome stands among `outcomes`, in the order in which they are always named."""
    counts = Counter(outcomes)
    return {outcome.value: counts[outcome] for outcome in Outcome}


def paper_line(content: Content, paper: Paper) -> dict[str, Any]:
    entries = content.entries_of(paper)
    said = measured_words([result for entry in entries for result in content.results_of(entry)])
    return {"paper": paper, "tally": tally(content.outcomes_of(paper)), "experiments": len(entries), "said": said}


def claim_line(content: Content, paper: Paper, claim: Claim) -> dict[str, Any]:
    """One claim with its answers at each scale."""
    answers: dict[str, list[Answer]] = {scale: content.answers(paper, claim, scale) for scale in content.scales}
    return {"paper": paper, "claim": claim, "place": place(paper, claim), "answers": answers}


def experiments(content: Content) -> str:
    """The list of all experiments."""
    papers = {paper.id: paper for paper in content.papers}
    lines = [experiment_line(content, papers[entry.paper], entry) for entry in content.entries]
    studies = sorted({entry.study for entry in content.entries})
    return render("experiments.html", "", section="experiments", lines=lines, studies=studies)


def experiment_line(content: Content, paper: Paper, entry: Entry) -> dict[str, Any]:
    results = content.results_of(entry)
    found = tally(outcome for result in results for outcome in result.outcomes)
    runs = {result.scale: len(result.findings.records) for result in results}
    state = "done" if results else "not-run"
    return {
        "paper": paper,
        "entry": entry,
        "place": table_place(paper, entry.table),
        "runs": runs,
        "tally": found,
        "said": measured_words(results),
        "state": state,
    }


def paper_page(content: Content, paper: Paper) -> str:
    """Claims, tables with measurements beside them, errata, deviations, networks and citation of one paper."""
    entries = content.entries_of(paper)
    return render(
        "paper.html",
        "../",
        section="papers",
        content=content,
        paper=paper,
        line=paper_line(content, paper),
        forest=content.forest(paper),
        lines=[claim_line(content, paper, claim) for claim in paper.claims],
        tables=printed_tables(content, paper),
        experiments=[experiment_line(content, paper, entry) for entry in entries],
        deviations=[(entry, scale, said) for entry in entries for scale, said in deviations(content, entry)],
        arxiv=arxiv_ids(paper),
        bibtex=bibtex(paper),
    )


def deviations(content: Content, entry: Entry) -> list[tuple[Scale, tuple[str, ...]]]:
    """Every scale at which something departs from the paper, and how."""
    results = {result.scale: result for result in content.results_of(entry)}
    said = [(scale, deviations_at(entry, scale, results.get(scale))) for scale in in_order(entry.judged_scales)]
    return [(scale, lines) for scale, lines in said if lines]


def deviations_at(entry: Entry, scale: Scale, result: Result | None) -> tuple[str, ...]:
    """What the result's configuration and the file say.

    Without a result the file alone, and only where nothing could be derived beside it: at the paper's own size.
    """
    if result is not None:
        return result.findings.experiment.deviations
    return lines_at(entry.deviations, scale) if scale.comparable else ()


def experiment_page(content: Content, entry: Entry) -> str:
    """Question, and for each scale table, figure, curves, verdicts, runs and deviations of one experiment."""
    paper = next(paper for paper in content.papers if paper.id == entry.paper)
    results = {result.scale: result for result in content.results_of(entry)}
    return render(
        "experiment.html",
        "../",
        section="experiments",
        paper=paper,
        entry=entry,
        table=paper.tables.get(entry.table),
        place=table_place(paper, entry.table),
        line=experiment_line(content, paper, entry),
        scales=[scale_part(entry, scale, results.get(scale)) for scale in in_order(entry.judged_scales)],
        file=experiment_files()[entry.name].read_text(encoding="utf-8"),
    )


def scale_part(entry: Entry, scale: Scale, result: Result | None) -> dict[str, Any]:
    """What the page shows of one scale; without a result only the command and the deviations."""
    head = {"name": scale, "result": result, "deviations": deviations_at(entry, scale, result)}
    if result is None:
        return head
    findings = result.findings
    same, own = configurations(findings)
    return {
        **head,
        "comparison": comparison(findings),
        "frame": table_frame(findings),
        "summary": run_summary(findings) + explanation(findings),
        "numbers": numbers_frame(findings),
        "protocol": protocol_line(findings),
        "data": data_used(findings),
        "own_figure": has_own_figure(findings),
        "dots": dot_charts(findings),
        "curves": curve_charts(findings),
        "runs": run_table(findings),
        "hidden_runs": max(0, len(findings.records) - MOST_RUNS),
        "same": same,
        "own": own,
        "environment": environment(findings),
    }


def search_index(content: Content) -> str:
    """A script that sets the list of what can be searched: kind, text, where it stands, page."""
    papers = [["paper", p.title, cite(p), f"paper/{p.id}.html"] for p in content.papers]
    entries = [["experiment", e.name, e.question, f"experiment/{e.name}.html"] for e in content.entries]
    claims = [
        ["claim", claim.statement, cite(p), f"paper/{p.id}.html#{claim.id}"]
        for p in content.papers
        for claim in p.claims
    ]
    data = json.dumps([*papers, *entries, *claims], ensure_ascii=False, separators=(",", ":"))
    return f"window.SEARCH = {data};\n"


def asset(name: str) -> Markup:
    """A file of the package's assets."""
    return Markup((FOLDER / "assets" / name).read_text(encoding="utf-8"))
