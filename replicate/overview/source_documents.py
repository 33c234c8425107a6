"""docs/source_documents.md: every section of the five source documents, what carries it here, and the answer.

source_documents.yaml beside this file has the sections and their items; answers are looked up in the results.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from replicate.errors import UserError, first_line
from replicate.files import write_atomic
from replicate.overview.answers import answers
from replicate.papers.facts import Reason

DATA = Path(__file__).with_suffix(".yaml")
PAGE = "docs/source_documents.md"  # beside README.md
UNANSWERED = ("not run", "no experiment", "out of reach")
INTRODUCTION = """# The source documents, section by section

This page is generated (`replicate readme`). The suite began with five surveys of convolutional networks. Here stands
what each of their sections says, the claim or network that carries it, and the answer that the results give: `exact`
and `differs` for what is computed, other words for what is measured, `not run` where an experiment stands ready.
`replicate verdicts` has the numbers behind each answer."""


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Item(Part):
    """One thing that a section says: carried by claims (paper/claim) or networks, or left out for a reason."""

    says: str
    claims: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    left_out: Reason | None = None

    @model_validator(mode="after")
    def _carried_or_left_out(self) -> Self:
        if sum(map(bool, (self.claims, self.networks, self.left_out))) != 1:
            raise ValueError(f"'{self.says}' has one of claims, networks and left_out")
        return self


class Section(Part):
    """A numbered section; `heading` is a paraphrase in English. One with sections of its own may have no items."""

    id: str
    heading: str
    items: tuple[Item, ...] = ()


class Document(Part):
    title: str
    sections: tuple[Section, ...]

    def within(self, section: Section) -> list[Section]:
        """The sections of `section`, at any depth."""
        return [other for other in self.sections if other.id.startswith((f"{section.id}.", f"{section.id} "))]


class Documents(Part):
    documents: tuple[Document, ...] = Field(min_length=1)

    def items(self) -> Iterator[Item]:
        """Every item, in the order of the documents."""
        for document in self.documents:
            for section in document.sections:
                yield from section.items


@cache
def source_documents() -> tuple[Document, ...]:
    """The data file. Raises UserError if it is not of the schema."""
    return read_documents(DATA).documents


def read_documents(path: Path) -> Documents:
    try:
        return Documents.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise UserError(f"{path.name}: {first_line(error)}") from error


def write_source_documents(path: Path, results: Path, check: bool = False) -> bool:
    """Write the page; whether it had to change. `check`: leave it as it is. A folder without docs/ gets no page."""
    if not path.parent.is_dir():
        return False
    text = page(source_documents(), outcomes(results))
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if text != before and not check:
        write_atomic(path, text.encode())
    return text != before


def outcomes(results: Path) -> dict[str, str]:
    """paper/claim -> its answers, those of different experiments and scales one after the other."""
    found: dict[str, list[str]] = {}
    for row in answers(results):
        said = row["outcome"] if row["scale"] in (None, "exact") else f"{row['outcome']} ({row['scale']})"
        found.setdefault(f"{row['paper']}/{row['claim']}", []).append(said)
    return {claim: ", ".join(dict.fromkeys(said)) for claim, said in found.items()}


def page(documents: tuple[Document, ...], answered: dict[str, str]) -> str:
    """The whole page in Markdown. `answered`: see :func:`outcomes`."""
    parts = [INTRODUCTION, summary(documents, answered), left_out(documents)]
    return "\n\n".join([*parts, *(chapter(document, answered) for document in documents)]) + "\n"


def summary(documents: tuple[Document, ...], answered: dict[str, str]) -> str:
    """How many items each document has, and how many have an answer, wait for a run, or are left out."""
    lines = ["| document | sections | items | answered | ready to run | left out |", f"| --- |{' ---: |' * 5}"]
    for document in documents:
        items = [item for section in document.sections for item in section.items]
        counts = Counter(state(item, answered) for item in items)
        numbers = [len(document.sections), len(items), counts["answered"], counts["ready"], counts["left out"]]
        lines.append(f"| {document.title} | {' | '.join(map(str, numbers))} |")
    return "\n".join(lines)


def state(item: Item, answered: dict[str, str]) -> str:
    """left out, ready (no claim has an answer yet), or answered; a network that is built answers what describes it.

    `not run (laptop)` is no answer either: there are runs at that scale, but they measured nothing of the claim.
    """
    if item.left_out:
        return "left out"
    said = [one for claim in item.claims for one in answered.get(claim, UNANSWERED[1]).split(", ")]
    return "ready" if said and all(one.startswith(UNANSWERED) for one in said) else "answered"


def left_out(documents: tuple[Document, ...]) -> str:
    """What nothing here answers, and why."""
    lines = [
        f"- {document.title}, {section.id}: {item.says}. {item.left_out[0].upper()}{item.left_out[1:]}."
        for document in documents
        for section in document.sections
        for item in section.items
        if item.left_out
    ]
    return "\n".join(["## Left out", "", *lines])


def chapter(document: Document, answered: dict[str, str]) -> str:
    """A document's table: a line for each item, and one for a section that has only sections."""
    lines = [
        f"## {document.title}",
        "",
        "| section | what it says | claims with their answers, or networks |",
        "| --- | --- | --- |",
    ]
    for section in document.sections:
        lines.append(f"| **{section.id} {section.heading}** | | |")
        lines += [f"| | {item.says} | {carried(item, answered)} |" for item in section.items]
    return "\n".join(lines)


def carried(item: Item, answered: dict[str, str]) -> str:
    if item.left_out:
        return "left out"
    claims = [f"`{claim}`: {answered.get(claim, UNANSWERED[1])}" for claim in item.claims]
    return "; ".join([*claims, *(f"network `{network}`" for network in item.networks)])
