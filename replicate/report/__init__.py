"""From records to tables, figures and verdicts. Nothing here trains anything or imports torch."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from replicate.errors import UserError, unknown
from replicate.experiments.experiment import Experiment
from replicate.report.findings import Findings, Sample, VariantFindings, gather
from replicate.report.terminal import terminal
from replicate.report.write import write_index
from replicate.runs.committed import MOST_SEEDS
from replicate.runs.records import Record
from replicate.verdicts import Verdict, judge_all, rows_needed
from replicate.verdicts.few_classes import top1_metric, top1_names

ERROR, LOSS = "test_error", "test_loss"
"""On a laptop the loss may decide in place of the error: it scatters less."""
Answer = TypeVar("Answer")

__all__ = [
    "Findings",
    "Sample",
    "VariantFindings",
    "answered",
    "findings_of",
    "gather",
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
    top1 = top1_names(settings.metrics)
    named |= {top1_metric(settings.metrics[column]) for column in top1}
    wanted = {*findings.table.units, *findings.columns, *named, LOSS}  # sparing it the other curves
    frame = findings.frame[findings.frame["metric"].isin(wanted)]
    columns = [column for column, metric in settings.metrics.items() if metric == ERROR]
    columns += [name for column, name in top1.items() if top1_metric(settings.metrics[column]) == ERROR]
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
