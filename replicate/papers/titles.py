"""Places in papers and source documents as a reader looks them up."""

from replicate.papers.assertions import Claim
from replicate.papers.schema import Paper

SOURCE_DOCUMENTS = (
    "CNN convolution and channels",
    "Types of convolution kernels and what they do",
    "Classic convolutional neural networks",
    "AlexNet to MobileNet: a team's notes",
    "CNN engineering tips",
)
"""Surveys of these networks from which many of the facts come; the papers' files cite them by title."""


def place(paper: Paper, claim: Claim) -> str:
    """Where the claim stands: sections of source documents, or the table or figure with its numbers."""
    if claim.examined is not None:
        return "; ".join(claim.examined.where)
    return table_place(paper, claim.table) if claim.table is not None else "text"


def table_place(paper: Paper, table: str) -> str:
    """The table as the paper numbers it; its name if the paper does not have it."""
    known = paper.tables.get(table)
    return known.locator if known else table
