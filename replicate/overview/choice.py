"""What the filters of the command line leave of experiments, tables, answers, errata, networks, recipes and metrics."""

import re
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from replicate.errors import unknown
from replicate.experiments.catalogue import Entry, catalogue
from replicate.experiments.duration import PART, UNITS
from replicate.experiments.kinds import STUDIES
from replicate.experiments.scale import Scale
from replicate.paths import data_files

if TYPE_CHECKING:  # `recipes` and `metrics` answer without pandas
    from replicate.overview.answers import Row
    from replicate.overview.coverage import TableState
    from replicate.overview.errata import Line

OPEN = frozenset({"undecided", "not run"})
STATES = ("run", "not run", "open", "answered")
TABLES = ("made", "not made")


def experiments_left(paper: str | None, state: str | None, minutes: float | None, results: Path) -> list[Entry]:
    """The experiments of a paper, in a state, that take at most so many minutes on a laptop; all without a filter.

    open: a claim of it is undecided or not run; answered: none is. Raises UserError for an unknown state.
    """
    check_state(state, STATES)
    entries = [entry for entry in catalogue() if paper in (None, entry.paper)]
    if minutes is not None:
        entries = [e for e in entries if (took := laptop_seconds(e)) is not None and took <= 60 * minutes]
    if state in ("run", "not run"):
        return [entry for entry in entries if bool(entry.state(results)) is (state == "run")]
    if state is None:
        return entries
    from replicate.overview.answers import answers

    rows = answers(results)
    waiting = {row["experiment"] for row in rows if row["outcome"] in OPEN}
    asked = {row["experiment"] for row in rows}
    return [e for e in entries if e.name in asked and (e.name in waiting) is (state == "open")]


def laptop_seconds(entry: Entry) -> float | None:
    """What the file says of laptop scale, or of what is counted; None where it names no time.

    >>> [sum(float(n) * UNITS[u] for n, u in re.findall(PART, "1 h 20 min on 2 cores")[:2])]
    [4800.0]
    """
    text = entry.cost.get(Scale.LAPTOP) or entry.cost.get(Scale.EXACT) or ""
    found = re.match(rf"\D*?((?:{PART}\s*)+)", text)
    return sum(float(number) * UNITS[unit] for number, unit in re.findall(PART, found[1])) if found else None


def tables_left(paper: str | None, state: str | None) -> "list[TableState]":
    """The published tables of a paper that an experiment re-makes, or that none does."""
    from replicate.overview.coverage import table_states

    check_state(state, TABLES)
    states = [found for found in table_states() if paper in (None, found.paper)]
    return [found for found in states if state is None or bool(found.experiments) is (state == "made")]


def answers_left(paper: str | None, state: str | None, results: Path) -> "list[Row]":
    """The answers to a paper's claims, or those of one kind, by outcome or by the words of the scale."""
    from replicate.overview.answers import answers
    from replicate.verdicts import Outcome

    rows = answers(results)
    check_state(state, {*map(str, Outcome), *(row["answer"] for row in rows)})
    return [
        row
        for row in rows
        if paper in (None, row["paper"]) and (state is None or state in (row["outcome"], row["answer"]))
    ]


def errata_left(paper: str | None, state: str | None) -> "list[Line]":
    """The errata and conventions of a paper, or those of one kind."""
    from replicate.overview.errata import errata

    check_state(state, ("erratum", "convention"))
    return [line for line in errata() if paper in (None, line.paper) and state in (None, line.kind)]


def models_left(part: str) -> dict[str, list[str]]:
    """Networks whose names have this part -> their options."""
    from replicate.models import model_names, model_options

    return {name: list(model_options(name)) for name in model_names() if part in name}


def recipes_left(part: str) -> dict[str, str]:
    """Recipes whose names have this part -> the comment at the head of the file."""
    return {name: head(path) for name, path in data_files("recipe").items() if part in name}


def head(path: Path) -> str:
    """The comment lines at the head of a file, on one line."""
    lines = takewhile(lambda line: line.startswith("#"), path.read_text(encoding="utf-8").splitlines())
    return " ".join(line.lstrip("# ") for line in lines)


def metrics_left(study: str | None) -> dict[str, dict[str, str]]:
    """Study, or the one called so, -> metric -> unit and which way is better. Raises UserError for an unknown one."""
    if study is not None and study not in STUDIES:
        raise unknown("study", study, STUDIES)
    return {
        name: {
            m.name: ", ".join(filter(None, (m.unit, f"{m.better} is better" if m.better else ""))) for m in kind.metrics
        }
        for name, kind in STUDIES.items()
        if study in (None, name)
    }


def check_state(state: str | None, known: Iterable[str]) -> None:
    if state is not None and state not in (known := set(known)):
        raise unknown("state", state, known)
