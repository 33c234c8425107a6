"""Places in papers and source documents as a reader looks them up: the papers' files call the documents by number."""

import re

from replicate.papers.schema import Claim, Paper

SOURCE_DOCUMENTS = {
    "000": "CNN convolution and channels",
    "001": "Types of convolution kernels and what they do",
    "002": "Classic convolutional neural networks",
    "003": "AlexNet to MobileNet: a team's notes",
    "004": "CNN engineering tips",
}
"""Surveys of these networks from which many of the facts come; the papers' files call them by number."""

_NUMBERED = re.compile(r"(?:\b(?:source )?[Ss]eed )?\b(00[0-4])_[0-9a-f]{16}\.txt|\b[Ss]eed (00[0-4])\b")
_UNNAMED = re.compile(r"\bseed(?= (?:code|text|own)\b)|(?<=\b[Tt]he )seed\b(?! documents?\b)")


def with_titles(text: str) -> str:
    """`Seed 002 says` -> `source document "Classic convolutional neural networks" says`.

    >>> with_titles("seed 004 section 2")
    'source document "CNN engineering tips" section 2'
    """
    named = _NUMBERED.sub(lambda match: f'source document "{SOURCE_DOCUMENTS[match[1] or match[2]]}"', text)
    return re.sub(r"\bseed(?= documents?\b)", "source", _UNNAMED.sub("source document", named))


def place(paper: Paper, claim: Claim) -> str:
    """Where the claim stands: sections of source documents, or the table or figure with its numbers."""
    if claim.where or claim.table is None:
        return with_titles("; ".join(claim.where)).replace("source document ", "") or "text"
    return table_place(paper, claim.table)


def table_place(paper: Paper, table: str) -> str:
    """The table as the paper numbers it; its name if the paper does not have it."""
    known = paper.tables.get(table)
    return with_titles(known.locator).replace("source document ", "") if known else table
