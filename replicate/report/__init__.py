"""From records to tables, figures and verdicts. Nothing here trains anything or imports torch."""

from collections.abc import Iterable
from pathlib import Path

from replicate.errors import UserError, unknown
from replicate.experiments.experiment import Experiment
from replicate.report.findings import Findings, Sample, VariantFindings, gather
from replicate.report.terminal import terminal
from replicate.report.write import RECORDS, read_records, result_folder, write_index, write_results
from replicate.runs.records import Record
from replicate.runs.store import RunStore
from replicate.verdicts import Verdict, judge_all

__all__ = [
    "Findings",
    "Sample",
    "VariantFindings",
    "available_records",
    "committed_records",
    "gather",
    "judge",
    "report",
    "terminal",
    "write_index",
    "write_results",
]


def report(
    experiment: Experiment, records: Iterable[Record], results_dir: Path | None = None
) -> tuple[Findings, list[Verdict]]:
    """Gather the experiment's planned runs among `records` and judge its claims; write both, given `results_dir`.

    Without any record of the plan, and at smoke scale, nothing is written. Raises UserError.
    """
    findings = gather(experiment, experiment.runs(), records)
    verdicts = judge(findings)
    if results_dir is not None and findings.records and experiment.scale.judged:
        write_results(findings, verdicts, folder_of(experiment, results_dir))
        write_index(results_dir)
    return findings, verdicts


def judge(findings: Findings) -> list[Verdict]:
    """The verdicts of the claims that the experiment's file names, none at smoke scale.

    Raises UserError for a claim that the paper lacks.
    """
    claims = {claim.id: claim for claim in findings.paper.claims}
    for name in findings.experiment.settings.claims:
        if name not in claims:
            raise unknown(f"claim of paper {findings.paper.id}", name, claims)
    if not findings.experiment.scale.judged:
        return []
    chosen = [claims[name] for name in findings.experiment.settings.claims]
    named = {column for claim in chosen for test in claim.test for column in test.columns_named()}
    wanted = {*findings.table.units, *findings.columns, *named}  # sparing it the other curves
    frame = findings.frame[findings.frame["metric"].isin(wanted)]
    try:
        return judge_all(chosen, findings.table, frame, findings.chance)
    except ValueError as error:  # two variants for one published row
        raise UserError(f"{findings.experiment.name}: {error}") from error


def folder_of(experiment: Experiment, results_dir: Path) -> Path:
    """Where the results of an experiment at its scale lie."""
    return result_folder(results_dir, experiment.settings.paper, experiment.name, experiment.scale)


def committed_records(results_dir: Path, paper: str, experiment: str, scale: str) -> list[Record]:
    """The records that came with the repository, so that a fresh clone can report without a run."""
    return read_records(result_folder(results_dir, paper, experiment, scale) / RECORDS)


def available_records(experiment: Experiment, store: RunStore, results_dir: Path) -> list[Record]:
    """The person's own runs of the experiment's plan if there are any, else the committed ones."""
    done = store.finished()
    own = [store.read(run.id) for run in experiment.runs() if run.id in done] if done else []  # resolving takes long
    found = [record for record in own if record is not None]
    return found or read_records(folder_of(experiment, results_dir) / RECORDS)
