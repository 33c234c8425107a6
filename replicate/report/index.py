"""results/README.md: one line an experiment and scale."""

from collections import Counter
from collections.abc import Iterable, Sequence

import pandas as pd

from replicate.papers import load_paper
from replicate.report.forest import forest
from replicate.report.table import markdown_table
from replicate.report.verdict_file import Answered, VerdictFile
from replicate.report.wording import DASH, cite, plural

INTRODUCTION = """# Results

What `replicate report` found in the records of each experiment and scale; the folders hold the records, the table and
the figure. `here`: an answer about the laptop's task, not about the paper's. Only runs at paper or pretrained scale
reproduce or contradict; what is counted is exact or differs. `verdicts.csv` has every answer, `measurements.csv.gz`
every number; `networks.svg` shows every trained network by error and size."""


def index_markdown(found: Sequence[VerdictFile]) -> str:
    """The index as Markdown."""
    answers = [answer for data in found for answer in data.verdicts]
    parts = [INTRODUCTION, f"{plural(len(found), 'table')}, {plural(len(answers), 'claim')}: {tally(answers)}."]
    if forest(found).lines:
        parts.append("![Measured effects beside the published ones, one line a claim on trained networks](forest.svg)")
    if found:
        parts.append(markdown_table(pd.DataFrame([line(data) for data in found])))
    return "\n\n".join(parts) + "\n"


def tally(answers: Iterable[Answered]) -> str:
    """`2 holds here, 1 undecided`: how often each answer stands, most frequent first; a dash without any."""
    counts = Counter(answer.answer for answer in answers)
    return (
        ", ".join(f"{count} {answer}" for answer, count in sorted(counts.items(), key=lambda c: (-c[1], c[0]))) or DASH
    )


def line(data: VerdictFile) -> dict[str, str]:
    """One experiment at one scale."""
    paper = load_paper(data.paper)
    return {
        "experiment": f"[{data.experiment}]({data.folder}/table.md)",
        "scale": data.scale,
        "paper": cite(paper),
        "runs": f"{data.runs.done} of {data.runs.planned}",
        "answers": tally(data.verdicts),
    }
