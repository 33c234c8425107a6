"""Names that a reader of the site can look up: places in papers and source documents, citations in BibTeX."""

import re

from replicate.papers import Claim, Paper
from replicate.papers.titles import with_titles

_ARXIV = re.compile(r"\d{4}\.\d{4,5}")


def place(paper: Paper, claim: Claim) -> str:
    """Where the claim stands: sections of source documents, or the table or figure with its numbers."""
    if claim.where or claim.table is None:
        return with_titles("; ".join(claim.where)).replace("source document ", "") or "text"
    return table_place(paper, claim.table)


def table_place(paper: Paper, table: str) -> str:
    """The table as the paper numbers it; its name if the paper does not have it."""
    known = paper.tables.get(table)
    return with_titles(known.locator).replace("source document ", "") if known else table


def arxiv_ids(paper: Paper) -> list[str]:
    return _ARXIV.findall(paper.arxiv or "")


def bibtex(paper: Paper) -> str:
    """The publication as a BibTeX entry, from what its file says."""
    ids = arxiv_ids(paper)
    fields = {
        "title": f"{{{paper.title}}}",
        "author": " and ".join(paper.authors),
        "year": str(paper.year or ""),
        "howpublished": paper.venue,
        "eprint": ", ".join(ids),
        "archivePrefix": "arXiv" if ids else "",
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@misc{{{paper.id},", *lines, "}"])
