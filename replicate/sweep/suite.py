"""The whole catalogue within a budget: the runs that bring the most answers for the time come first.

What is known is in the run store and in results/ alone, so a killed suite goes on where it was, and two at once share
the work: each run has its lock.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from replicate.errors import UserError, unknown
from replicate.experiments.catalogue import Entry, catalogue
from replicate.experiments.duration import spoken
from replicate.experiments.experiment import Experiment, load_experiment
from replicate.experiments.run_config import Run
from replicate.experiments.scale import Scale
from replicate.report import Findings, findings_of, judge
from replicate.report.publish import publish
from replicate.runs.committed import joint_records
from replicate.runs.store import RunStore
from replicate.sweep.budget import tell
from replicate.sweep.costs import CostBook
from replicate.sweep.executors import workers_of
from replicate.sweep.launch import do_runs
from replicate.sweep.sequential import Step, next_step
from replicate.verdicts import Verdict

FIRST, LATER = 0.5, 0.3
"""The chance that a first look answers a claim, and that a later one does: a guess, which only orders the runs."""
BATCH = 3  # runs a process in one batch, so that the last run of one experiment is not waited for alone


@dataclass
class Member:
    """One experiment of the suite: what is known of it, and what it needs next."""

    experiment: Experiment
    findings: Findings
    verdicts: list[Verdict]
    step: Step | None
    failed: set[str] = field(default_factory=set)

    @property
    def worth(self) -> float:
        """Expected answers of the next step."""
        if self.step is None:
            return 0.0
        return (LATER if self.findings.records else FIRST) * max(len(self.step.claims), 0.1)


def run_suite(entries: Sequence[Entry], overrides: Sequence[str], budget: float, results: Path) -> Counter[str]:
    """Do the suite for `budget` seconds; returns how many claims have which answer at its end. Raises UserError."""
    deadline, costs = time.time() + budget, CostBook()
    members = {entry.name: look(load_experiment(entry.name, overrides), results, costs) for entry in entries}
    if not members:
        raise UserError("no experiment is left: the selection is empty")
    while chosen := list(batch(members, costs, deadline)):
        do_batch(chosen, deadline)
        for member in chosen:
            members[member.experiment.name] = again = look(member.experiment, results, costs, member.failed)
            publish(again.findings, again.verdicts, results, overrides)
            tell(f"{again.experiment.name}: {answered(again.verdicts)}")
    return Counter(verdict.outcome.value for member in members.values() for verdict in member.verdicts)


def look(experiment: Experiment, results: Path, costs: CostBook, failed: set[str] | None = None) -> Member:
    """What is known of an experiment now, and its next step: the planned runs first, then those of its open claims."""
    records = joint_records(experiment, RunStore(experiment.runs_dir), results)
    costs.learn(records)
    findings = findings_of(experiment, records)
    verdicts = judge(findings)
    missing = tuple(run for run in findings.missing if run.id not in (failed or ()))
    if missing:
        step: Step | None = Step(experiment, missing, experiment.settings.claims, len(experiment.seeds))
    else:
        step = None if failed else next_step(findings, {record.id for record in records})
    return Member(experiment, findings, verdicts, step, failed or set())


def batch(members: dict[str, Member], costs: CostBook, deadline: float) -> Iterator[Member]:
    """The members whose next steps bring most answers a second and fit in the time that is left, best first."""
    left, runs = deadline - time.time(), 0
    open_ones = [member for member in members.values() if member.step is not None]
    workers = workers_of(open_ones[0].experiment) if open_ones else 1
    priced = [(member, member.step.seconds(costs, workers)) for member in open_ones if member.step is not None]
    for member, seconds in sorted(priced, key=lambda pair: pair[0].worth / max(pair[1], 1.0), reverse=True):
        if seconds <= left and runs < BATCH * workers and member.step is not None:
            left -= seconds
            runs += len(member.step.runs)
            tell(f"next: {member.experiment.name}, {len(member.step.runs)} runs, about {spoken(seconds)}")
            yield member


def do_batch(chosen: Sequence[Member], deadline: float) -> None:
    """Do the steps of the chosen members together; a run that fails is not tried again by this suite."""
    planned: dict[str, tuple[Experiment, Run]] = {}
    for member in chosen:
        assert member.step is not None
        planned |= {run.id: (member.experiment, run) for run in member.step.runs}
    failed = {
        run.id for run in do_runs(list(planned.values()), RunStore(chosen[0].experiment.runs_dir), deadline=deadline)
    }
    for member in chosen:
        member.failed |= failed & {run.id for run in member.step.runs} if member.step else set()


def answered(verdicts: Sequence[Verdict]) -> str:
    """`2 holds, 1 undecided`: how the claims of an experiment stand."""
    counts = Counter(verdict.outcome.value for verdict in verdicts)
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "no claims"


def selected_entries(papers: Sequence[str], experiments: Sequence[str], scale: str) -> list[Entry]:
    """The experiments of these papers, or of these names, that have the scale; all without a selection.

    Raises UserError for a paper or experiment that does not exist.
    """
    entries = catalogue()
    for kind, asked, known in (
        ("paper", papers, {entry.paper for entry in entries}),
        ("experiment", experiments, {entry.name for entry in entries}),
    ):
        for name in asked:
            if name not in known:
                raise unknown(kind, name, known)
    return [
        entry
        for entry in entries
        if (not papers or entry.paper in papers)
        and (not experiments or entry.name in experiments)
        and (scale in entry.scales or Scale.EXACT in entry.scales)
    ]
