"""What experiments there are, read from their files alone: fast, since nothing is composed and torch stays out."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from replicate.errors import UserError, unknown
from replicate.paths import data_files

HEADER_FIELDS = ("question", "cost", "expected", "run")
DEFAULT_SCALES = ("smoke", "laptop", "paper")


@dataclass(frozen=True)
class Entry:
    """One experiment file: its header in words and what it measures."""

    name: str
    header: str
    body: dict[str, Any]

    @property
    def paper(self) -> str:
        return str(self.body["paper"])

    @property
    def table(self) -> str:
        return str(self.body["table"])

    @property
    def study(self) -> str:
        return str(self.body.get("study", "train"))

    @property
    def scales(self) -> tuple[str, ...]:
        return tuple(self.body.get("scales", DEFAULT_SCALES))

    @property
    def rows(self) -> set[str]:
        """The published rows that variants re-make at any scale; a variant without a row goes by its own name."""
        variants = self.body.get("variants", {})
        return {str((body or {}).get("row", name)) for name, body in variants.items()}

    @property
    def metrics(self) -> set[str]:
        """The columns of the published table that it measures."""
        return set(self.body.get("metrics", {}))

    @cached_property
    def fields(self) -> dict[str, str]:
        """The header's labelled parts: question, cost, expected, run."""
        return parse_header(self.header)

    @property
    def title(self) -> str:
        """The header's first sentence: which paper and table."""
        return self.header.split("\n\n")[0].replace("\n", " ")

    def state(self, results: Path) -> dict[str, int]:
        """How many records stand in results/ for each scale."""
        files = {scale: results / self.name / scale / "records.jsonl" for scale in self.scales}
        return {scale: path.read_bytes().count(b"\n") for scale, path in files.items() if path.is_file()}

    def summary(self, results: Path) -> dict[str, Any]:
        """What `replicate list --json` says of it."""
        own = {key: getattr(self, key) for key in ("name", "paper", "table", "study", "title")}
        return {**own, "scales": list(self.scales), **self.fields, "records": self.state(results)}


def parse_header(header: str) -> dict[str, str]:
    """`Label: text` paragraphs, continued on following lines, as {label in lower case: text on one line}."""
    found: dict[str, str] = {}
    label = ""
    for line in header.splitlines():
        match = re.match(r"([A-Z]\w+):\s+(.*)", line)
        if match and match[1].lower() in HEADER_FIELDS:
            label = match[1].lower()
            found[label] = match[2].strip()
        elif label and line.strip():
            found[label] += f" {line.strip()}"
        else:
            label = ""
    return found


def read_entry(path: Path) -> Entry:
    """Read one experiment file. Raises UserError if it is no mapping or lacks its header."""
    text = path.read_text()
    comments = [line[1:].removeprefix(" ") for line in leading_comments(text) if not line.startswith("# @package")]
    try:
        body = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise UserError(f"{path.name}: {' '.join(str(error).split())}") from error
    if not isinstance(body, dict) or "paper" not in body or "table" not in body:
        raise UserError(f"{path.name} names no paper and table")
    if "hydra" in body:  # whose block names classes to import and folders to write to
        raise UserError(f"{path.name}: an experiment has no block hydra; its settings belong to the command line")
    entry = Entry(path.stem, "\n".join(comments).strip(), body)
    missing = [field for field in HEADER_FIELDS if field not in entry.fields]
    if missing:
        raise UserError(f"{path.name}: its header does not say {', '.join(missing)}")
    return entry


def leading_comments(text: str) -> list[str]:
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line)
    return lines


def catalogue() -> list[Entry]:
    """Every experiment, by name."""
    return [read_entry(path) for path in data_files("experiment").values()]


def as_text(summaries: Iterable[Mapping[str, Any]]) -> str:
    """A few lines an experiment: what it re-makes and what has been run, its question, its scales and cost."""
    return "\n".join(line for summary in summaries for line in summary_lines(summary))


def summary_lines(summary: Mapping[str, Any]) -> list[str]:
    done = ", ".join(f"{scale}: {count} runs" for scale, count in summary["records"].items()) or "nothing run"
    return [
        f"{summary['name']}  [{summary['paper']}/{summary['table']}, {summary['study']}]  {done}",
        f"    {summary['question']}",
        f"    {' · '.join(summary['scales'])}   cost: {summary['cost']}",
    ]


def find(name: str) -> Entry:
    """The experiment called `name`. Raises UserError with the nearest names."""
    entries = data_files("experiment")
    if name not in entries:
        raise unknown("experiment", name, entries)
    return read_entry(entries[name])
