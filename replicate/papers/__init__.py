"""Published facts as data: each paper's tables, claims, recipes and errata. The only place where they stand."""

from functools import cache
from pathlib import Path

from replicate.errors import unknown
from replicate.papers.reading import read_paper
from replicate.papers.schema import Architecture, Claim, Paper, Provenance, Recipe, Row, Table

__all__ = [
    "Architecture",
    "Claim",
    "Paper",
    "Provenance",
    "Recipe",
    "Row",
    "Table",
    "load_paper",
    "paper_ids",
    "read_paper",
]

_FOLDER = Path(__file__).parent


def paper_ids() -> list[str]:
    """The id of every paper, sorted. Reads no file."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


@cache
def load_paper(paper_id: str) -> Paper:
    """The paper called `paper_id` ("resnext"), read once. Raises UserError for an unknown id."""
    if paper_id not in paper_ids():
        raise unknown("paper", paper_id, paper_ids())
    return read_paper(_FOLDER / f"{paper_id}.yaml")
