"""Ladders of networks in an experiment: variants that differ in one number, as depth or width, in families."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from replicate.experiments.run_config import Run
from replicate.report.findings import Findings, VariantFindings

NUMBERED = re.compile(r"(\w+=)?[\d.,]+%?")
"""How the names of a ladder's steps call their number: `20`, `L=10`; other numbers of a setting are only marks."""
STEPS = 3  # fewest of a family
COVERED = 0.8  # least share of the variants that stand on a ladder
Settings = dict[str, Any]


@dataclass(frozen=True)
class Family:
    """Variants alike but for the number of the ladder, as (number, variant), rising; `words`: what names each step."""

    name: str
    words: tuple[str, ...]
    steps: tuple[tuple[float, VariantFindings], ...]


@dataclass(frozen=True)
class LadderOfNetworks:
    """`setting`: the last part of the name of the number that varies."""

    setting: str
    families: tuple[Family, ...]


def ladders(findings: Findings) -> list[LadderOfNetworks]:
    """The ladders on which nearly all variants stand, and whose steps are named by numbers; none where too few do."""
    lines = {line.variant: line for line in findings.variants}
    settings = varied({run.variant: run for run in findings.runs})
    left, made = dict(settings), []
    while found := longest(left):
        key, groups = found
        families = tuple(family(group, lines) for group in groups)
        made.append(LadderOfNetworks(key.rpartition(".")[2].replace("_", " "), families))
        left = {name: own for name, own in left.items() if not any(name in group for group in groups)}
    steps = [word for ladder in made for one in ladder.families for word in one.words]
    if not all(NUMBERED.fullmatch(word) for word in steps):
        return []
    return made if len(settings) - len(left) >= COVERED * len(settings) > 0 else []


def varied(runs: Mapping[str, Run]) -> dict[str, Settings]:
    """Variant -> those settings of its network, data and options that are not the same for all."""
    found = {variant: dict(settings_of(run)) for variant, run in runs.items()}
    keys = {key for own in found.values() for key in own}
    apart = [key for key in sorted(keys) if len({repr(own.get(key)) for own in found.values()}) > 1]
    return {variant: {key: own.get(key) for key in apart} for variant, own in found.items()}


def settings_of(run: Run) -> Iterator[tuple[str, Any]]:
    for block, content in run.config.identity().items():
        if block in ("model", "data", "options"):
            yield from ((f"{block}.{key}", value) for key, value in (content or {}).items())


def longest(settings: Mapping[str, Settings]) -> tuple[str, list[dict[str, float]]] | None:
    """The setting on whose ladders most variants stand, with its families as variant -> number."""
    keys = list(dict.fromkeys(key for own in settings.values() for key in own))
    found = [(key, groups) for key in keys if (groups := families_along(key, settings))]
    return max(found, key=lambda item: sum(map(len, item[1])), default=None)


def families_along(key: str, settings: Mapping[str, Settings]) -> list[dict[str, float]]:
    """The families whose variants differ in the number `key` alone."""
    groups: dict[str, dict[str, float]] = {}
    for variant, own in settings.items():
        value = own.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            groups.setdefault(repr({k: v for k, v in own.items() if k != key}), {})[variant] = float(value)
    return [group for group in groups.values() if len(set(group.values())) >= STEPS]


def family(group: Mapping[str, float], lines: Mapping[str, VariantFindings]) -> Family:
    steps = sorted(((value, lines[variant]) for variant, value in group.items()), key=lambda step: step[0])
    name, words = parted([line.variant for _, line in steps])
    return Family(name, words, tuple(steps))


def parted(names: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """What all names share, and what each has of its own: `plain-20`, `plain-32` -> `plain` and `20`, `32`."""
    places = list(zip(*(re.split(r"[\s,-]+", name) for name in names), strict=False))
    shared = [words[0] for words in places if len(set(words)) == 1]
    own = zip(*(words for words in places if len(set(words)) > 1), strict=True)
    return " ".join(shared), tuple(" ".join(words) for words in own) or tuple(names)
