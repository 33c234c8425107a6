"""What experiments there are, read from their files alone: fast, since nothing is composed and torch stays out."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from replicate.errors import UserError, first_line, unknown
from replicate.experiments.scale import SMALL, Scale, Where
from replicate.papers.bounds import load_yaml
from replicate.paths import data_files, experiment_files

DEFAULT_SCALES = (*SMALL, Scale.PAPER)
Regime = Literal["short", "small", "noisy", "long"]
"""How a laptop trains so that the mechanism under test is present."""


class Variant(BaseModel):
    """What an entry knows of a variant: the published row that it re-makes, the only columns that it measures of it
    (empty: all), and where it exists (empty: everywhere).
    """

    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)

    row: str | None = None
    columns: tuple[str, ...] = ()
    scales: tuple[Scale, ...] = ()


class Entry(BaseModel):
    """One experiment file: what it asks, what it costs, and what it measures. `conf/config.yaml` explains each key."""

    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)

    name: str
    paper: str
    table: str
    question: str
    cost: dict[Scale, str]
    expected: str
    notes: str | None = None
    regime: Regime | None = None
    no_laptop: str | None = None
    pilot: str | None = None
    study: str = "train"
    scales: tuple[Scale, ...] = DEFAULT_SCALES
    claims: tuple[str, ...] = ()
    metrics: dict[str, str] = {}
    variants: dict[str, Variant | None]
    deviations: dict[Where, tuple[str, ...]] = {}

    @property
    def rows(self) -> set[str]:
        """The published rows that variants re-make at any scale; a variant without a row goes by its own name."""
        return {(body and body.row) or name for name, body in self.variants.items()}

    @property
    def judged_scales(self) -> list[Scale]:
        """The scales at which its claims are judged."""
        return [scale for scale in self.scales if scale.judged]

    def state(self, results: Path) -> dict[str, int]:
        """How many records stand in results/ for each scale."""
        files = {scale: results / self.paper / self.name / scale / "records.jsonl" for scale in self.scales}
        return {scale: path.read_bytes().count(b"\n") for scale, path in files.items() if path.is_file()}

    def summary(self, results: Path) -> dict[str, Any]:
        """What `replicate list --json` says of it."""
        return {**self.model_dump(mode="json", exclude={"variants", "deviations"}), "records": self.state(results)}


def read_entry(path: Path) -> Entry:
    """Read one experiment file. Raises UserError if it is no mapping or does not say what every experiment says."""
    body = read_mapping(path)
    if "hydra" in body:  # whose block names classes to import and folders to write to
        raise UserError(f"{path.name}: an experiment has no block hydra; its settings belong to the command line")
    if "paper" in body:
        raise UserError(f"{path.name}: the folder says which paper it is, {path.parent.name}; remove the key paper")
    if path.parent.name not in (papers := data_files("papers")):
        raise unknown(f"paper, by the folder of {path.name}:", path.parent.name, papers)
    said = {**preset(path, body), **body, "name": path.stem, "paper": path.parent.name}
    try:
        entry = Entry.model_validate(said)
    except ValidationError as error:
        raise UserError(f"{path.name}: {first_line(error)}") from error
    uncosted = [scale for scale in entry.scales if scale not in entry.cost]
    if uncosted:
        raise UserError(f"{path.name}: cost says nothing of {', '.join(uncosted)} scale")
    return entry


def read_mapping(path: Path) -> dict[str, Any]:
    body = load_yaml(path)
    if not isinstance(body, dict):
        raise UserError(f"{path.name} is no mapping of keys to values")
    return body


def preset(path: Path, body: Mapping[str, Any]) -> dict[str, Any]:
    """What the groups study and regime say that the experiment's defaults list chooses."""
    said: dict[str, Any] = {}
    for item in body.get("defaults") or ():
        for group in ("study", "regime"):
            chosen = item.get(f"/{group}") if isinstance(item, dict) else None
            if chosen is not None:
                presets = data_files(group)
                if chosen not in presets:
                    raise unknown(f"{group} of {path.name}", str(chosen), presets)
                said |= preset_file(presets[chosen])
    return said


@cache
def preset_file(path: Path) -> dict[str, Any]:
    return read_mapping(path)


def catalogue() -> list[Entry]:
    """Every experiment, by name."""
    return [read_entry(path) for path in experiment_files().values()]


def as_text(summaries: Iterable[Mapping[str, Any]]) -> str:
    """A few lines an experiment: what it re-makes and what has been run, its question, its scales and cost."""
    return "\n".join(line for summary in summaries for line in summary_lines(summary))


def summary_lines(summary: Mapping[str, Any]) -> list[str]:
    done = ", ".join(f"{scale}: {count} runs" for scale, count in summary["records"].items()) or "nothing run"
    return [
        f"{summary['name']}  [{summary['paper']}/{summary['table']}, {summary['study']}]  {done}",
        f"    {summary['question']}",
        f"    cost: {cost_text(summary['cost'])}",
    ]


def cost_text(cost: Mapping[Any, str]) -> str:
    """`smoke 40 s · laptop 10 min on 2 cores`."""
    return " · ".join(f"{scale} {cost}" for scale, cost in cost.items())


def find(name: str) -> Entry:
    """The experiment called `name`. Raises UserError with the nearest names."""
    entries = experiment_files()
    if name not in entries:
        raise unknown("experiment", name, entries)
    return read_entry(entries[name])
