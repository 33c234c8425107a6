"""Tables, figures and answers made from records: of one experiment as it ends, or of all again."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from replicate.errors import UserError
from replicate.experiments.catalogue import catalogue, find
from replicate.experiments.experiment import Experiment, load_experiment
from replicate.report import Findings, findings_of, judge, terminal
from replicate.report.formats import check_format, formatted
from replicate.report.publish import publish
from replicate.report.write import write_index
from replicate.runs.committed import available_records, result_folder
from replicate.runs.store import RunStore
from replicate.verdicts import Verdict


def tell(
    experiment: Experiment, results: Path, overrides: Sequence[str], quiet: bool = False
) -> tuple[Findings, list[Verdict]]:
    """Print the report of an experiment, and write it to `results` if it may stand there.

    `quiet`: one of many, so that neither the table is printed nor the index written.
    """
    records = available_records(experiment, RunStore(experiment.runs_dir), results)
    findings = findings_of(experiment, records)
    verdicts = judge(findings)
    kept_out = publish(findings, verdicts, results, overrides, index=not quiet)
    if not quiet:
        Console().print(terminal(findings, verdicts))
    if kept_out:
        print(f"replicate: {experiment.name}: {kept_out}", file=sys.stderr)
    return findings, verdicts


def report_again(name: str | None, overrides: Sequence[str], results: Path) -> None:
    """Report one experiment, or all that have records, at the scales asked for or at all. Raises UserError."""
    for experiment in recorded(name, overrides, results):
        tell(experiment, results, overrides, quiet=name is None)
    write_index(results)


def print_tables(name: str | None, overrides: Sequence[str], results: Path, form: str) -> None:
    """Print the tables that :func:`report_again` would make in one of the formats, and write nothing.

    Raises UserError for another format, and where nothing was run.
    """
    check_format(form)
    experiments = list(recorded(name, overrides, results))
    if not experiments:
        raise UserError(f"there is no run of {name or 'any experiment'} to print: `replicate run` does them")
    for experiment in experiments:
        records = available_records(experiment, RunStore(experiment.runs_dir), results)
        print(formatted(findings_of(experiment, records), form), end="\n\n")


def recorded(name: str | None, overrides: Sequence[str], results: Path) -> Iterator[Experiment]:
    """One experiment, or all, at each scale that is asked for or has records.

    Raises UserError where a scale is asked of one experiment that has no records at it.
    """
    asked = [override.removeprefix("scale=") for override in overrides if override.startswith("scale=")]
    rest = [override for override in overrides if not override.startswith("scale=")]
    entries = [find(name)] if name else catalogue()
    studies = RunStore(load_experiment(entries[0].name, rest).runs_dir).studies()
    for entry in entries:
        for scale in asked or entry.judged_scales:
            # composing a configuration takes longer than all the rest, so only where there may be records
            folder = result_folder(results, entry.paper, entry.name, scale)
            if not asked and entry.study not in studies and not folder.is_dir():
                continue
            experiment = load_experiment(entry.name, [f"scale={scale}", *rest])
            found = bool(available_records(experiment, RunStore(experiment.runs_dir), results))
            if name and asked and not found:
                raise UserError(f"{name} has no runs at {scale} scale: `replicate run {name} scale={scale}` does them")
            if asked or found:
                yield experiment
