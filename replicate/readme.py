"""The generated parts of README.md: what was found, and the list of experiments, between markers in the page."""

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from replicate.catalogue import Entry, catalogue
from replicate.errors import UserError
from replicate.papers import load_paper
from replicate.papers.titles import table_place
from replicate.records import write_atomic
from replicate.report.index import counted_outcomes
from replicate.report.table import markdown_table
from replicate.report.wording import capital, cite
from replicate.report.write import TABLE, VERDICTS, read_verdicts
from replicate.verdicts import Outcome


def write_readme(path: Path, results_dir: Path, check: bool = False) -> bool:
    """Fill the marked blocks of the page at `path`; whether they had to change. `check`: leave the page as it is.

    Raises UserError when there is no page or a marker is missing.
    """
    try:
        before = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    after = with_blocks(before, blocks(results_dir), path.name)
    if after != before and not check:
        write_atomic(path, after.encode())
    return after != before


def blocks(results_dir: Path) -> dict[str, str]:
    """Marker -> what stands between its begin and end."""
    return {"verdicts": verdicts_block(results_dir), "experiments": experiments_block(catalogue())}


def with_blocks(text: str, filled: dict[str, str], name: str = "the page") -> str:
    """`text` with each block replaced. Raises UserError for a marker that does not stand exactly once."""
    for marker, block in filled.items():
        begin, end = f"<!-- {marker}:begin -->", f"<!-- {marker}:end -->"
        if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
            raise UserError(f"{name} needs the two lines {begin} and {end} once, in this order")
        head, _, rest = text.partition(begin)
        text = f"{head}{begin}\n{block}\n{end}{rest.partition(end)[2]}"
    return text


def verdicts_block(results_dir: Path) -> str:
    """Each experiment with results, above smoke scale, whose claims were tested, and how they came out."""
    found = [read_verdicts(path) for path in sorted(results_dir.glob(f"*/*/{VERDICTS}"))]
    told = [data for data in found if data["scale"] != "smoke"]
    if not told:
        return "No results yet."
    questions = {entry.name: entry.fields["question"] for entry in catalogue()}
    lines = [verdict_line(data, questions) for data in told if data["verdicts"]]
    table = words_table(lines) if lines else ""
    rest = "[results/](results/README.md) has each of them, and tables of numbers alone."
    return f"{counted_outcomes(told)} {rest}\n\n{table}"


def verdict_line(data: dict[str, Any], questions: dict[str, str]) -> dict[str, str]:
    """One experiment at one scale; `data` is the content of its verdicts.json."""
    name, scale = data["experiment"], data["scale"]
    counts = Counter(verdict["outcome"] for verdict in data["verdicts"])
    said = [f"{counts[outcome.value]} {outcome.value}" for outcome in Outcome if counts[outcome.value]]
    return {
        "paper": f"{cite(load_paper(data['paper']))}, {data['locator']}",
        "question": asked(questions.get(name, name)),
        "experiment": f"[{name}](results/{name}/{scale}/{TABLE})",
        "scale": scale,
        "verdict": ", ".join(said),
    }


def experiments_block(entries: list[Entry]) -> str:
    """Every experiment with its question, by paper."""
    ordered = sorted(entries, key=lambda entry: (load_paper(entry.paper).year or 0, entry.paper, entry.name))
    return words_table([experiment_line(entry) for entry in ordered])


def words_table(lines: list[dict[str, str]]) -> str:
    """A Markdown table of words: every column to the left."""
    return markdown_table(pd.DataFrame(lines)).replace(" ---: |", " --- |")


def asked(question: str) -> str:
    """A header's question itself, without what the header adds to it."""
    return capital(question.partition("?")[0]) + ("?" if "?" in question else "")


def experiment_line(entry: Entry) -> dict[str, str]:
    paper = load_paper(entry.paper)
    return {
        "experiment": f"[{entry.name}](conf/experiment/{entry.name}.yaml)",
        "paper": f"{cite(paper)}, {table_place(paper, entry.table)}",
        "question": asked(entry.fields["question"]),
        "scales": ", ".join(entry.scales),
        "laptop cost": laptop_cost(entry.fields["cost"]),
    }


def laptop_cost(cost: str) -> str:
    """What a header says of laptop scale, or its first clause where it makes no difference between scales.

    >>> laptop_cost("smoke 40 s · laptop 10 min on 2 cores · paper 450 hours")
    '10 min on 2 cores'
    """
    parts = [part.removeprefix("laptop ") for part in cost.split(" · ") if part.startswith("laptop ")]
    return parts[0] if parts else cost.split(";")[0]
