"""Every claim of every paper with its answers: verdicts, `not run` with the experiment, or why it is out of reach."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from replicate.experiments.catalogue import Entry, catalogue
from replicate.papers import Claim, Paper, load_paper, paper_ids
from replicate.papers.titles import place
from replicate.report.verdict_file import VerdictFile, all_verdicts
from replicate.report.verdict_words import basis
from replicate.report.wording import cite
from replicate.verdicts import Outcome

OUT_OF_REACH, NO_EXPERIMENT = "out of reach", "no experiment"

Row = dict[str, Any]
"""paper, claim, statement, where, kind, outcome, experiment, scale, detail; a verdict's row also has its numbers."""


def answers(results: Path) -> list[Row]:
    """One row for each claim, experiment and scale with a verdict in `results`; one for a claim without any."""
    found = [row for data in all_verdicts(results) for row in rows_in(data)]
    entries = catalogue()
    return [row for paper_id in paper_ids() for row in rows_of(load_paper(paper_id), entries, found)]


def rows_in(data: VerdictFile) -> Iterator[Row]:
    """The verdicts of one file, each with where it was found."""
    for answered in data.verdicts:
        place = {"paper": data.paper, "experiment": data.experiment, "scale": data.scale.value}
        yield {**place, **answered.row(), "basis": basis(answered)}


def rows_of(paper: Paper, entries: list[Entry], found: list[Row]) -> Iterator[Row]:
    for claim in paper.claims:
        head = {"paper": paper.id, "claim": claim.id, "statement": claim.statement, "kind": claim.kind}
        head["where"] = f"{cite(paper)}, {place(paper, claim)}"
        for answer in answers_of(paper, claim, entries, found):
            yield {**head, **{key: value for key, value in answer.items() if key not in head}}


def answers_of(paper: Paper, claim: Claim, entries: list[Entry], found: list[Row]) -> list[Row]:
    """The verdicts on `claim`, or on those that say the same; without any, one row that says why."""
    if claim.out_of_reach:
        return [without_verdict(OUT_OF_REACH, claim.out_of_reach)]
    asked = claim.same_as or (f"{paper.id}/{claim.id}",)
    own = [row for row in found if f"{row['paper']}/{row['claim']}" in asked]
    if own:
        return own
    asking = [e for e in entries if any(f"{e.paper}/{name}" in asked for name in e.claims)]
    if not asking:
        return [without_verdict(NO_EXPERIMENT)]
    return [without_verdict(Outcome.NOT_RUN.value, f"at {' or '.join(e.judged_scales)} scale", e.name) for e in asking]


def without_verdict(outcome: str, detail: str = "", experiment: str | None = None) -> Row:
    return {"outcome": outcome, "answer": outcome, "experiment": experiment, "scale": None, "detail": detail}


def as_text(rows: list[Row]) -> str:
    """One paragraph a row: the outcome, the claim with its place, and what is known."""
    lines = ((f"{row['answer']:>22}  {row['statement']} [{row['where']}]", said(row)) for row in rows)
    return "\n".join(f"{head}\n{'':>24}{known}" if known else head for head, known in lines)


def said(row: Row) -> str:
    """Experiment and scale with the evidence, and the sentence on it."""
    if row["scale"] is None:
        return ": ".join(filter(None, (row["experiment"], row["detail"])))
    known = f" ({row['basis']})" if row["basis"] else ""
    return f"{row['experiment']} at {row['scale']} scale: {row['detail']}{known}"
