"""Every printed figure that cannot be right: those the papers' files list, and the source documents' failed claims."""

from dataclasses import asdict, dataclass

from replicate.papers import Claim, load_paper, paper_ids
from replicate.papers.titles import SOURCE_DOCUMENTS

ARITHMETIC = "conv_arithmetic"  # the claims of the source documents, each with what was printed and what is right
STANDING = frozenset({"right", "right as printed"})


@dataclass(frozen=True)
class Line:
    """One erratum as it is listed. `source` says who printed it: paper, source document or code."""

    paper: str
    where: str
    printed: str
    right: str
    why: str
    source: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def errata() -> list[Line]:
    """All of them, paper by paper; the claims of the source documents come where their file stands."""
    return [line for paper_id in paper_ids() for line in errata_of(paper_id)]


def errata_of(paper_id: str) -> list[Line]:
    """The errata of one paper. Raises UserError for an unknown paper."""
    paper = load_paper(paper_id)
    listed = [
        Line(paper_id, erratum.where, str(erratum.printed), erratum.right, erratum.why, erratum.source)
        for erratum in paper.errata
    ]
    failed = [of_claim(claim) for claim in paper.claims if paper_id == ARITHMETIC and cannot_stand(claim)]
    return [*listed, *failed]


def cannot_stand(claim: Claim) -> bool:
    """Whether a claim of the source documents was found other than right and its right value is known."""
    return claim.verdict not in STANDING and claim.printed is not None and claim.right is not None


def of_claim(claim: Claim) -> Line:
    """A failed claim as an erratum: the arithmetic is what was computed for it."""
    where = "; ".join(dict.fromkeys(titled(place) for place in claim.where))
    why = f"{claim.verdict}: {claim.statement}; computed {claim.computed}"
    return Line(ARITHMETIC, where, str(claim.printed), str(claim.right), why, "source document")


def titled(place: str) -> str:
    """`002_b06e5c88.txt part I 2.5` -> the document's title and the section."""
    file, _, section = place.partition(" ")
    title = SOURCE_DOCUMENTS.get(file.partition("_")[0], file)
    return f'"{title}", {section}' if section else f'"{title}"'


def as_text(lines: list[Line]) -> str:
    """One paragraph an erratum, under its paper's title."""
    parts: list[str] = []
    for paper_id in dict.fromkeys(line.paper for line in lines):
        own = [line for line in lines if line.paper == paper_id]
        parts.append(f"{load_paper(paper_id).title} ({len(own)})")
        parts += [f"  {line.where} [{line.source}]\n    printed: {line.printed}\n    right:   {line.right}\n"
                  f"    because  {line.why}" for line in own]  # fmt: skip
    return "\n".join(parts)
