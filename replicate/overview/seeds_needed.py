"""`replicate plan EXP --power`: the effects that so many seeds see, beside those that the paper printed."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from replicate.experiments.experiment import load_experiment
from replicate.papers import load_paper
from replicate.verdicts.sight import Sight, sights


def power_plan(name: str, words: list[str], results: Path) -> list[Sight]:
    """One answer for each claim of the experiment, for as many seeds as it plans."""
    experiment = load_experiment(name, words)
    paper = load_paper(experiment.settings.paper)
    claims = [paper.claim(claim) for claim in experiment.settings.claims]
    table = paper.tables[experiment.settings.table]
    return sights(claims, table, len(experiment.seeds), measured=experiment.settings.metrics)


def as_data(found: list[Sight]) -> list[dict[str, Any]]:
    return [asdict(sight) for sight in found]


def as_text(found: list[Sight]) -> str:
    """One paragraph a claim."""
    return "\n".join(f"{sight.statement}\n{'':>4}{said(sight)}" for sight in found)


def said(sight: Sight) -> str:
    """`3 seeds see effects above 12 %; the paper's is 7.1 %, which 6 seeds would see`."""
    if sight.published is None or sight.sees is None:
        return sight.reason or "fewer seeds than the first look"
    seen = f"{sight.comparison}: {sight.seeds} seeds see effects above {100 * sight.sees:.2g} %"
    needs = f", which {sight.needed} seeds would see" if sight.needed else ""
    return f"{seen}; the paper's is {100 * abs(sight.published):.2g} %{needs}{'; ' * bool(sight.reason)}{sight.reason}"
