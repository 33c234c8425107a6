"""When results/ may take an outcome: the plan is complete, as its file declares it, and its scale is judged."""

from collections.abc import Sequence
from pathlib import Path

from replicate.experiments.experiment import NEUTRAL
from replicate.report.findings import Findings
from replicate.report.write import write_index, write_results
from replicate.runs.committed import folder_of
from replicate.verdicts import Verdict

HARMLESS = (*NEUTRAL, "variant=", "seed=", "data.root=", "data.download=")
"""Overrides that change no measurement of the experiment's file."""


def as_declared(overrides: Sequence[str]) -> bool:
    """Whether the overrides leave untouched what the experiment's file says."""
    return all(override.startswith(HARMLESS) for override in overrides)


def publish(
    findings: Findings, verdicts: Sequence[Verdict], results: Path, overrides: Sequence[str] = (), index: bool = True
) -> str:
    """Write the outcome to `results` if it may stand there; otherwise returns, in a line, why not.

    `index`: whether the index of all results is written, too; who publishes many writes it once at the end.
    """
    experiment = findings.experiment
    if not experiment.scale.judged:
        return "smoke scale shows that everything runs: nothing is judged, and nothing is written to results/"
    if not as_declared(overrides):
        return "overrides differ from the experiment's file: nothing is written to results/"
    if findings.missing:
        return f"{len(findings.missing)} of {len(findings.runs)} runs are missing: nothing is written to results/"
    if findings.records:
        write_results(findings, verdicts, folder_of(experiment, results))
        if index:
            write_index(results)
    return ""
