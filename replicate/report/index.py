"""results/README.md: every verdict that lies in the folder, one line each."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd

from replicate.papers import load_paper
from replicate.report.table import markdown_table
from replicate.report.wording import DASH, cite, plural

INTRODUCTION = """# Results

What `replicate report` found in the records of each experiment and scale; the folders hold the records, the table and
the figure. At smoke and laptop scale a verdict is about the direction of a claim on small images, at paper and
pretrained scale about the published experiment itself; what is counted, not trained, is exact at every scale."""


def index_markdown(found: Sequence[dict[str, Any]]) -> str:
    """The index as Markdown. `found`: the content of each verdicts.json."""
    parts = [INTRODUCTION, counted_outcomes(found)]
    if found:
        parts.append(markdown_table(pd.DataFrame([line for data in found for line in lines(data)])))
    return "\n\n".join(parts) + "\n"


def counted_outcomes(found: Sequence[dict[str, Any]]) -> str:
    """`1 table, 5 verdicts: 3 reproduced, 2 undecided.`"""
    outcomes = Counter(verdict["outcome"] for data in found for verdict in data["verdicts"])
    said = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    return f"{plural(len(found), 'table')}, {plural(outcomes.total(), 'verdict')}{f': {said}' if said else ''}."


def lines(data: dict[str, Any]) -> list[dict[str, str]]:
    """One line a verdict; one line for a table of which no claim is tested."""
    runs = data["runs"]
    table = {
        "experiment": f"[{data['experiment']}]({data['experiment']}/{data['scale']}/table.md)",
        "scale": data["scale"],
        "paper": f"{cite(load_paper(data['paper']))}, {data['locator']}",
        "runs": f"{runs['finished'] + runs['diverged']} of {runs['planned']}",
    }
    untested: list[dict[str, Any]] = [{"statement": DASH, "outcome": DASH}]
    return [
        {**table, "claim": verdict["statement"], "verdict": verdict["outcome"]}
        for verdict in data["verdicts"] or untested
    ]
