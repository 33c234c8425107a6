"""Words for the terminal: one experiment."""

from typing import Any

import yaml

from replicate.errors import UserError
from replicate.experiments.catalogue import Entry, cost_text
from replicate.experiments.experiment import load_experiment
from replicate.papers import load_paper


def describe(entry: Entry) -> str:
    """What the file says, the published table and, for each scale, how the experiment departs from the paper."""
    paper = load_paper(entry.paper)
    table = paper.tables[entry.table]
    said = {
        "Question": entry.question,
        "Cost": cost_text(entry.cost),
        "Expected": entry.expected,
        "Notes": entry.notes,
        "Regime": entry.regime,
        "No laptop scale": entry.no_laptop,
        "Run": f"replicate run {entry.name}",
    }
    lines = [f"{paper.title} ({paper.venue}), {table.locator}: {table.about}", table.protocol, ""]
    lines += [f"{label}: {text}" for label, text in said.items() if text]
    lines += ["", "Published:"]
    for row in table.rows:
        values = ", ".join(f"{column} {value}" for column, value in row.published.items() if value is not None)
        lines.append(f"  {row.variant}: {values}")
    lines += ["", f"Variants: {', '.join(entry.variants)}"]
    return "\n".join([*lines, *deviation_lines(entry)])


def deviation_lines(entry: Entry) -> list[str]:
    """One line for each scale and departure; composed once, since the other scales are the same file."""
    composed = load_experiment(entry.name, [f"scale={entry.scales[-1]}"])
    at_scales = {scale: composed.declared_at(scale).deviations for scale in entry.scales}
    return [f"Deviation ({scale}): {line}" for scale, lines in at_scales.items() for line in lines]


def parse_options(words: list[str]) -> dict[str, Any]:
    """`option=value` words of a network as data. Raises UserError for anything else."""
    pairs = [word.partition("=") for word in words]
    wrong = [key for key, sign, _ in pairs if not sign]
    if wrong:
        raise UserError(f"'{wrong[0]}' is not of the form option=value")
    try:
        return {key: yaml.safe_load(value) for key, _, value in pairs}
    except yaml.YAMLError as error:
        raise UserError(f"an option's value is no plain YAML: {' '.join(str(error).split())}") from error


def parse_shape(text: str) -> tuple[int, int, int]:
    parts = text.split("x")
    if len(parts) != 3 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise UserError(f"--input is channels x height x width, as 3x224x224, not '{text}'")
    channels, height, width = map(int, parts)
    return channels, height, width
