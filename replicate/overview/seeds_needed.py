"""`replicate plan EXP --power`: seeds that the published effects need, at the spread of the records."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from replicate.errors import UserError
from replicate.experiments.experiment import load_experiment
from replicate.report import available_records
from replicate.report.findings import gather
from replicate.report.units import unit
from replicate.report.verdict_words import bound
from replicate.runs.store import RunStore
from replicate.verdicts.power import Power, seeds_for_published


def power_plan(name: str, words: list[str], results: Path) -> list[Power]:
    """One answer for each claim of the experiment. Raises UserError without records, of which the spread is taken."""
    experiment = load_experiment(name, words)
    records = available_records(experiment, RunStore(experiment.runs_dir), results)
    findings = gather(experiment, experiment.runs(), records)
    if not findings.records:
        raise UserError(
            f"{name} has no records at {experiment.scale} scale, of which the spread could be taken: run it"
        )
    claims = [findings.paper.claim(claim) for claim in experiment.settings.claims]
    return seeds_for_published(claims, findings.table, findings.frame, findings.chance)


def as_data(found: list[Power]) -> list[dict[str, Any]]:
    return [asdict(power) for power in found]


def as_text(found: list[Power]) -> str:
    """One paragraph a claim."""
    return "\n".join(f"{power.seeds_text or '–':>7} seeds  {power.statement}\n{'':>15}{said(power)}" for power in found)


def said(power: Power) -> str:
    """The published effect, or why it needs no number of seeds."""
    if power.effect is None:
        return power.reason
    effect = f"{power.comparison}: published effect {bound(power.effect)} {unit(power.unit).sign}".rstrip()
    return f"{effect}; {power.have} seeds are there{f'; {power.reason}' if power.reason else ''}"
