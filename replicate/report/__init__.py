"""From records to tables, figures and verdicts. Nothing here trains anything or imports torch."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from replicate.errors import UserError, unknown
from replicate.experiments.experiment import Experiment
from replicate.report.findings import Findings, Sample, VariantFindings, gather
from replicate.report.terminal import terminal
from replicate.report.write import RECORDS, read_records, result_folder, write_index
from replicate.runs.records import Record
from replicate.runs.store import RunStore
from replicate.verdicts import Verdict, judge_all, rows_needed
from replicate.verdicts.looks import LOOKS

ERROR, LOSS = "test_error", "test_loss"
"""On a laptop the loss may decide in place of the error: it scatters less."""
MOST_SEEDS = LOOKS[-1]
Answer = TypeVar("Answer")

__all__ = [
    "Findings",
    "Sample",
    "VariantFindings",
    "answered",
    "available_records",
    "committed_records",
    "findings_of",
    "folder_of",
    "gather",
    "joint_records",
    "judge",
    "open_claims",
    "terminal",
    "write_index",
]


def judge(findings: Findings) -> list[Verdict]:
    """The verdicts of the claims that the experiment's file names, none at smoke scale.

    Raises UserError for a claim that the paper lacks.
    """
    return answered(findings, judge_all) if findings.experiment.scale.judged else []


def open_claims(findings: Findings) -> dict[str, frozenset[str]]:
    """Undecided claim -> the published rows of which it needs further seeds. Raises UserError as :func:`judge`."""
    return answered(findings, rows_needed)


def answered(findings: Findings, question: Callable[..., Answer]) -> Answer:
    """Put a question of `replicate.verdicts` about the experiment's claims to its measurements."""
    claims, settings = {claim.id: claim for claim in findings.paper.claims}, findings.experiment.settings
    for name in settings.claims:
        if name not in claims:
            raise unknown(f"claim of paper {findings.paper.id}", name, claims)
    chosen = [claims[name] for name in settings.claims]
    named = {column for claim in chosen for test in claim.test for column in test.columns_named()}
    named |= {premise.metric for claim in chosen for premise in claim.premise}
    wanted = {*findings.table.units, *findings.columns, *named, LOSS}  # sparing it the other curves
    frame = findings.frame[findings.frame["metric"].isin(wanted)]
    columns = [column for column, metric in settings.metrics.items() if metric == ERROR]
    try:
        return question(
            chosen,
            findings.table,
            frame,
            findings.chance,
            measured=settings.metrics,
            surrogate=dict.fromkeys(columns, LOSS) if loss_may_decide(findings) else {},
            comparable=findings.comparable,
        )
    except ValueError as error:  # two variants for one published row
        raise UserError(f"{findings.experiment.name}: {error}") from error


def loss_may_decide(findings: Findings) -> bool:
    """Whether the test loss may stand for the test error.

    Not where images are learnt by heart: there over-confidence moves the loss alone (three options of shortcuts that
    have 14 % less error than the plain network had 20 % more loss).
    """
    return not findings.comparable and findings.experiment.settings.regime not in ("small", "noisy")


def findings_of(experiment: Experiment, records: Sequence[Record]) -> Findings:
    """The findings of the planned runs, and of those further seeds that are among `records`."""
    known = {record.id for record in records}
    planned = experiment.runs()
    further = [run for run in experiment.runs(seeds=range(MOST_SEEDS)) if run.id in known]
    runs = {(run.variant, run.seed): run for run in [*planned, *further]}  # two variants may share one run
    return gather(experiment, list(runs.values()), records)


def folder_of(experiment: Experiment, results_dir: Path) -> Path:
    """Where the results of an experiment at its scale lie."""
    return result_folder(results_dir, experiment.settings.paper, experiment.name, experiment.scale)


def committed_records(results_dir: Path, paper: str, experiment: str, scale: str) -> list[Record]:
    """The records that came with the repository, so that a fresh clone can report without a run."""
    return read_records(result_folder(results_dir, paper, experiment, scale) / RECORDS)


def available_records(experiment: Experiment, store: RunStore, results_dir: Path) -> list[Record]:
    """The user's own runs of the experiment, further seeds among them, if there are any; else the committed ones."""
    done = store.finished()
    runs = {run.id: run for run in [*experiment.runs(), *experiment.runs(seeds=range(MOST_SEEDS))]} if done else {}
    own = [store.read(run) for run in runs if run in done]  # resolving a run takes long, so not without any record
    found = [record for record in own if record is not None]
    return found or read_records(folder_of(experiment, results_dir) / RECORDS)


def joint_records(experiment: Experiment, store: RunStore, results_dir: Path) -> list[Record]:
    """The committed runs of the experiment and the user's own, which stand in for committed ones of the same id.

    So a suite adds seeds to what is committed, and does none of it again.
    """
    committed = read_records(folder_of(experiment, results_dir) / RECORDS)
    own = available_records(experiment, store, results_dir)
    return list({record.id: record for record in [*committed, *own]}.values())
