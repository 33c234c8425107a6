"""Every printed figure that is not a plain count: errata, which nothing explains, and conventions, which explain it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from replicate.papers import Claim, load_paper, paper_ids
from replicate.papers.assertions import Examined
from replicate.papers.misprints import Convention, Counted, Erratum

ARITHMETIC = "conv_arithmetic"  # the claims of the source documents, each with what was printed and what is right
BYTES = frozenset({"MB", "MiB"})
WORDS = {
    "millions": "million",
    "1e9": "billion",
    "thousands": "thousand",
    "thousands (1024)": "thousand",
    "count": "",
    "MiB": "MB",
}
STANDING = frozenset({"right", "right as printed", "right as products", "right as a lower bound"})
EXPLAINED = frozenset({"rounded down", "right as summed"})  # verdicts on claims that are conventions


@dataclass(frozen=True)
class Line:
    """One erratum or convention as it is listed. `source` says who printed it: paper, source document or code.

    right: what should stand there; of a convention, the count that is printed. why: the arithmetic.
    """

    kind: Literal["erratum", "convention"]
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
    """The errata and then the conventions of one paper. Raises UserError for an unknown paper."""
    paper = load_paper(paper_id)
    listed = [of_erratum(paper_id, erratum) for erratum in paper.errata]
    failed = [
        of_claim(claim, claim.examined) for claim in paper.claims if claim.examined and cannot_stand(claim.examined)
    ]
    explained = [of_convention(paper_id, convention) for convention in paper.conventions]
    return sorted([*listed, *failed, *explained], key=lambda line: line.kind == "convention")


def of_erratum(paper_id: str, erratum: Erratum) -> Line:
    """A listed erratum as a line."""
    return Line("erratum", paper_id, erratum.where, str(erratum.printed), erratum.right, erratum.why, erratum.source)


def of_convention(paper_id: str, convention: Convention) -> Line:
    """A convention as a line: what is counted and how it is rounded, and the exact counts."""
    counts = joined(exact(counted) for counted in convention.count)
    return Line(
        "convention", paper_id, convention.where, printed(convention), reading(convention), counts, convention.source
    )


def printed(convention: Convention) -> str:
    """The printed numbers with their unit: `25.5 million`."""
    numbers = [str(counted.printed) for counted in convention.count]
    unit = convention.count[0].unit or ""
    return f"{joined(numbers if len(set(numbers)) > 1 else numbers[:1])} {WORDS.get(unit, unit)}".strip()


def reading(convention: Convention) -> str:
    """What was counted and how it is rounded, in words: `without normalisation, truncated`."""
    counted = "plainly" if convention.reading == "as built" else convention.reading
    note = f" ({convention.note})" if convention.note else ""
    return f"{counted}{note}{', truncated' if convention.rounding == 'truncated' else ''}"


def exact(counted: Counted) -> str:
    """A count in full; of a size in bytes that of its 32-bit numbers."""
    return f"{counted.gives:,}{' x 4 bytes' if counted.unit in BYTES else ''}"


def joined(parts: Iterable[str]) -> str:
    """`a, b and c`."""
    *head, last = parts
    return f"{', '.join(head)} and {last}" if head else last


def cannot_stand(examined: Examined) -> bool:
    """Whether a claim of the source documents was found other than right and its right value is known."""
    known = examined.printed is not None and examined.right is not None
    return known and examined.verdict not in {None, *STANDING}


def of_claim(claim: Claim, examined: Examined) -> Line:
    """A claim that cannot stand as a line: the arithmetic is what was computed for it."""
    where = "; ".join(dict.fromkeys(examined.where))
    printed, right, why = str(examined.printed), str(examined.right), f"{claim.statement}; computed {examined.computed}"
    if examined.verdict in EXPLAINED:
        counted = f"{examined.verdict} ({right})"
        return Line("convention", ARITHMETIC, where, printed, counted, why, "source document")
    return Line("erratum", ARITHMETIC, where, printed, right, f"{examined.verdict}: {why}", "source document")


def as_text(lines: list[Line]) -> str:
    """Errata, then conventions; in each, one paragraph a line under its paper's title."""
    heads = {
        "erratum": "Errata: printed numbers that no way of counting gives",
        "convention": "Conventions: printed numbers that are right as another count",
    }
    return "\n\n".join(
        section(head, [line for line in lines if line.kind == kind]) for kind, head in heads.items()
    ).strip()


def section(head: str, lines: list[Line]) -> str:
    """The lines of one kind."""
    parts = [f"{head} ({len(lines)})"]
    for paper_id in dict.fromkeys(line.paper for line in lines):
        own = [line for line in lines if line.paper == paper_id]
        parts += [f"\n{load_paper(paper_id).title} ({len(own)})", *map(paragraph, own)]
    return "\n".join(parts)


def paragraph(line: Line) -> str:
    """The line on four lines, its place first."""
    right, why = ("right:   ", "because  ") if line.kind == "erratum" else ("counted: ", "gives:   ")
    return f"  {line.where} [{line.source}]\n    printed: {line.printed}\n    {right}{line.right}\n    {why}{line.why}"
