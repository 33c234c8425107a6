"""What records give, written also where the plan is not complete, which results/ asks for."""

from collections.abc import Iterable
from pathlib import Path

from replicate.experiments.experiment import Experiment
from replicate.report import Findings, findings_of, judge, write_index
from replicate.report.write import write_results
from replicate.runs.committed import folder_of
from replicate.runs.records import Record
from replicate.verdicts import Verdict


def report(
    experiment: Experiment, records: Iterable[Record], results_dir: Path | None = None
) -> tuple[Findings, list[Verdict]]:
    """Findings and verdicts, written to `results_dir` if there is one and anything was recorded."""
    findings = findings_of(experiment, list(records))
    verdicts = judge(findings)
    if results_dir is not None and findings.records:
        write_results(findings, verdicts, folder_of(experiment, results_dir))
        write_index(results_dir)
    return findings, verdicts
