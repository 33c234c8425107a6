"""The generated parts of README.md, and the pages that are generated whole: findings, answers, experiments."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from replicate.errors import UserError
from replicate.experiments.catalogue import Entry, catalogue
from replicate.experiments.scale import Scale
from replicate.files import write_atomic
from replicate.overview.findings_page import findings_page, forest_image
from replicate.overview.standing import Standing, standings
from replicate.papers import load_paper, paper_ids
from replicate.papers.titles import table_place
from replicate.report.table import markdown_table
from replicate.report.verdict_file import VerdictFile, all_verdicts
from replicate.report.wording import DASH, capital, cite
from replicate.verdicts import Outcome

SHOWN = ("resnet", "resnet_degradation", "laptop")
"""The experiment on the first screen: one whose claim is answered on a laptop."""


def write_readme(path: Path, results_dir: Path, check: bool = False) -> bool:
    """Fill the marked blocks of the page at `path` and write the pages in docs/ beside it; whether anything changed.

    `check`: leave all as it is. Raises UserError when there is no page or a marker is missing.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    found, entries = list(all_verdicts(results_dir)), catalogue()
    wanted = {path: with_blocks(text, blocks(results_dir, found, standings(entries, found)), path.name)}
    wanted |= {path.parent / "docs" / name: page for name, page in pages(found, entries).items()}
    stale = {file: new for file, new in wanted.items() if not file.exists() or file.read_text(encoding="utf-8") != new}
    for file, new in stale.items() if not check else ():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, new.encode())
    return bool(stale)


def blocks(results_dir: Path, found: Sequence[VerdictFile], standing: Sequence[Standing]) -> dict[str, str]:
    """Marker -> what stands between its begin and end."""
    papers = "\n\n".join([*forest_image(found, "results"), papers_block(standing)])
    return {"finding": finding_block(results_dir), "papers": papers}


def pages(found: Sequence[VerdictFile], entries: Sequence[Entry]) -> dict[str, str]:
    """File in docs/ -> its text."""
    return {"findings.md": findings_page(found, entries), "experiments.md": experiments_page(entries)}


def with_blocks(text: str, filled: dict[str, str], name: str = "the page") -> str:
    """`text` with each block replaced. Raises UserError for a marker that does not stand exactly once."""
    for marker, block in filled.items():
        begin, end = f"<!-- {marker}:begin -->", f"<!-- {marker}:end -->"
        if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
            raise UserError(f"{name} needs the two lines {begin} and {end} once, in this order")
        head, _, rest = text.partition(begin)
        text = f"{head}{begin}\n{block}\n{end}{rest.partition(end)[2]}"
    return text


def finding_block(results_dir: Path) -> str:
    """Table, figure and answer of one experiment, as its own table.md has them."""
    folder = results_dir.joinpath(*SHOWN)
    page = folder / "table.md"
    if not page.exists():
        return "No results yet."
    parts = page.read_text(encoding="utf-8").split("\n\n")
    table = next(part for part in parts if part.startswith("| "))
    answers = next((part for part in parts if part.startswith("- **")), "")
    place = f"results/{'/'.join(SHOWN)}"
    return f"{narrow(table)}\n\n![Training error against depth]({place}/figure.svg)\n\n{answers}"


def narrow(table: str) -> str:
    """A Markdown table without its columns of published rows and sizes, for a page that is read on a screen."""
    lines = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()]
    hidden = {"published row", "parameters", "multiply-adds"}
    kept = [place for place, name in enumerate(lines[0]) if name not in hidden]
    return "\n".join("| " + " | ".join(line[place] for place in kept) + " |" for line in lines)


def papers_block(standing: Sequence[Standing]) -> str:
    """One row a paper: its trained and its counted claims, and how many have an answer."""
    papers = [(paper, [one for one in standing if one.paper == paper]) for paper in by_year()]
    return words_table([paper_row(paper, own) for paper, own in papers if own])


def by_year() -> list[str]:
    """The papers in the order in which they appeared; those without a year, the source documents, last."""
    return sorted(paper_ids(), key=lambda paper: (load_paper(paper).year or 9999, paper))


def paper_row(paper: str, own: Sequence[Standing]) -> dict[str, str]:
    """What is answered of one paper's claims."""
    trained = [one for one in own if one.trained]
    return {
        "paper": f"[{cite(load_paper(paper))}](docs/findings.md#{paper})",
        "claims on trained networks": share(trained),
        "of these": ", ".join(filter(None, (said(trained, outcome) for outcome in Outcome))) or DASH,
        "counted or computed": share([one for one in own if not one.trained]),
    }


def share(own: Sequence[Standing]) -> str:
    """`3 of 5 answered`."""
    return f"{sum(one.answered is not None for one in own)} of {len(own)} answered" if own else DASH


def said(own: Sequence[Standing], outcome: Outcome) -> str:
    """`2 hold`, `1 opposite`; nothing for none."""
    count = sum(one.answered is not None and one.answered.outcome is outcome for one in own)
    word = ("holds" if count == 1 else "hold") if outcome is Outcome.HOLDS else outcome.value
    return f"{count} {word}" if count else ""


def experiments_page(entries: Sequence[Entry]) -> str:
    """docs/experiments.md: every experiment with its question, paper by paper."""
    parts = ["# Experiments", "Every experiment with its question; `replicate show EXP` has the rest. Generated."]
    for paper_id in by_year():
        own = sorted((e for e in entries if e.paper == paper_id), key=lambda e: e.name)
        if own:
            parts += [f"## {cite(load_paper(paper_id))}", words_table([experiment_line(entry) for entry in own])]
    return "\n\n".join(parts) + "\n"


def experiment_line(entry: Entry) -> dict[str, str]:
    """One experiment in the catalogue."""
    return {
        "experiment": f"[{entry.name}](../conf/experiment/{entry.paper}/{entry.name}.yaml)",
        "table": table_place(load_paper(entry.paper), entry.table),
        "question": asked(entry.question),
        "scales": ", ".join(entry.scales),
        "laptop cost": laptop_cost(entry),
    }


def words_table(lines: list[dict[str, str]]) -> str:
    """A Markdown table of words: every column to the left."""
    return markdown_table(pd.DataFrame(lines)).replace(" ---: |", " --- |") if lines else "No results yet."


def asked(question: str) -> str:
    """The question itself, without what an experiment adds to it."""
    return capital(question.partition("?")[0]) + ("?" if "?" in question else "")


def laptop_cost(entry: Entry) -> str:
    """What it costs at laptop scale, or to count; a dash where it has neither."""
    return entry.cost.get(Scale.LAPTOP) or entry.cost.get(Scale.EXACT) or DASH
