"""docs/fields.md: every metric of every study and every field of claims, papers and rows, written from the code."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from pydantic import BaseModel

from replicate.experiments.kinds import STUDIES
from replicate.files import write_atomic
from replicate.papers import Claim
from replicate.papers.assertions import Premise
from replicate.papers.claims import ClaimTest
from replicate.papers.schema import Architecture, Paper, Provenance, Row, Table

PAGE = "docs/fields.md"  # beside README.md
PARTS = (Paper, Architecture, Table, Row, Provenance, Claim, Premise)
HEAD = """# Metrics and fields

Written by `replicate readme` from the code. `metrics:` of an experiment binds a column of its table to a metric of its
study (`replicate metrics STUDY` prints them); a name with `*` stands for several. The other tables list what a paper's
file may say.
"""


def write_fields(path: Path, check: bool = False) -> bool:
    """Write the page; whether it had to change. `check`: leave it as it is. A folder without docs/ gets no page."""
    if not path.parent.is_dir():
        return False
    text = "\n".join([HEAD, *metric_lines(), *field_lines()]) + "\n"
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if text != before and not check:
        write_atomic(path, text.encode())
    return text != before


def metric_lines() -> Iterator[str]:
    """A table of the studies."""
    yield from ("## Metrics by study", "", "| study | metrics (unit) |", "|---|---|")
    for name, study in STUDIES.items():
        said = (f"`{metric.name}`{f' ({metric.unit})' if metric.unit else ''}" for metric in study.metrics)
        yield f"| `{name}` | {', '.join(said)} |"


def field_lines() -> Iterator[str]:
    """A table a class: the parts of a paper's file, then the kinds of test."""
    for part in PARTS:
        yield from table(part, part.__name__)
    for test in get_args(get_args(ClaimTest)[0]):
        yield from table(test, f"test of kind `{get_args(test.model_fields['kind'].annotation)[0]}`")


def table(part: type[BaseModel], name: str) -> Iterator[str]:
    """What the class says of itself, and its fields."""
    yield from (
        "",
        f"## {name}",
        "",
        cell(inspect.getdoc(part) or ""),
        "",
        "| field | type | default |",
        "|---|---|---|",
    )
    for field, body in part.model_fields.items():
        default = "required" if body.is_required() else f"`{body.get_default(call_default_factory=True)!r}`"
        yield f"| `{body.alias or field}` | `{cell(type_name(body.annotation))}` | {cell(default)} |"


def type_name(annotation: object) -> str:
    """A type without the modules of its names."""
    text = annotation.__name__ if isinstance(annotation, type) and not get_args(annotation) else str(annotation)
    text = re.sub(r", (?:BeforeValidator|FieldInfo|MinLen)\([^()]*\)|Annotated\[|, annotation=[^,\]]+", "", text)
    return re.sub(r"\b(?:\w+\.)+(\w+)", r"\1", text)


def cell(text: str) -> str:
    """Text that stands in one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")
