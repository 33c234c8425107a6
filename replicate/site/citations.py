"""What a reader of the site can look up elsewhere: arXiv and citations in BibTeX."""

import re

from replicate.papers import Paper

_ARXIV = re.compile(r"\d{4}\.\d{4,5}")


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
