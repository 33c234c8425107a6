"""Published facts as data: each paper's tables, claims, recipes and errata. The only place where they stand."""

from functools import cache

from replicate.errors import unknown
from replicate.papers.reading import read_paper
from replicate.papers.schema import Architecture, Claim, Paper, Provenance, Recipe, Row, Table
from replicate.paths import data_files

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


def paper_ids() -> list[str]:
    """The id of every paper, the user's own among them, sorted. Reads no file."""
    return list(data_files("papers"))


@cache
def load_paper(paper_id: str) -> Paper:
    """The paper called `paper_id` ("resnext"), read once. Raises UserError for an unknown id."""
    files = data_files("papers")
    if paper_id not in files:
        raise unknown("paper", paper_id, files)
    return read_paper(files[paper_id])
