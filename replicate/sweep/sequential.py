"""More seeds where they decide: after the planned runs, only the variants that open claims need get further ones.

Looks are planned (:data:`replicate.verdicts.looks.LOOKS`), so that adding seeds does not inflate errors: the verdict is
a function of the records alone, whoever added them and when.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from replicate.experiments.experiment import Experiment
from replicate.experiments.run_config import Run
from replicate.report import Findings, open_claims
from replicate.sweep.costs import CostBook
from replicate.verdicts.looks import LOOKS


@dataclass(frozen=True)
class Step:
    """The runs that bring an experiment's open claims to their next look, and those claims."""

    experiment: Experiment
    runs: tuple[Run, ...]
    claims: tuple[str, ...]
    seeds: int

    def seconds(self, costs: CostBook, workers: int) -> float:
        """How long it takes on so many processes; the last run is waited for."""
        each = [costs.estimate(run).seconds for run in self.runs]
        return max([sum(each) / workers, *each], default=0.0)


def next_step(findings: Findings, done: Iterable[str]) -> Step | None:
    """What the open claims still need; None when every claim has its answer, or no further look is planned.

    `done`: ids of finished runs. Claims that seeds cannot answer (a premise that is not met, a row that was not
    measured) need none.
    """
    experiment, finished = findings.experiment, set(done)
    needed: dict[str, Run] = {}
    waiting: list[str] = []
    looked_at = []
    for claim, rows in open_claims(findings).items():
        variants = [line.variant for line in findings.variants if (line.row or line.variant) in rows]
        have = min((seeds_of(experiment, variant, finished) for variant in variants), default=0)
        look = next((look for look in LOOKS if look > have), None)
        if not variants or look is None:
            continue
        waiting.append(claim)
        looked_at.append(look)
        runs = [experiment.run(variant, seed) for seed in range(look) for variant in variants]
        needed |= {run.id: run for run in runs if run.id not in finished}
    if not needed:
        return None
    return Step(experiment, tuple(needed.values()), tuple(waiting), min(looked_at))


def seeds_of(experiment: Experiment, variant: str, finished: set[str]) -> int:
    """How many seeds of a variant are done, counted from seed 0 without a gap."""
    seeds = 0
    while seeds < LOOKS[-1] and experiment.run(variant, seeds).id in finished:
        seeds += 1
    return seeds
