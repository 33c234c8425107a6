"""All the evidence on one claim, put together."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from replicate.papers.claims import ExactTest
from replicate.papers.schema import Claim, Table
from replicate.verdicts.estimates import LEVEL
from replicate.verdicts.evidence import NOT_MEASURED, Evidence
from replicate.verdicts.samples import Run, Samples
from replicate.verdicts.verdict import Outcome
from replicate.verdicts.weigh import weigh


@dataclass(frozen=True)
class Weighed:
    """A claim with all its evidence.

    A claim of several comparisons holds if all of them do, so its p is the largest (an intersection-union test, which
    needs no correction; Berger 1982). It fails if one is reversed, so that p is the smallest times their number.
    """

    claim: Claim
    evidence: tuple[Evidence, ...]
    skipped: tuple[str, ...]  # not measured, and need not be
    absent: tuple[str, ...]  # not measured, though the claim cannot hold without
    samples: Samples

    @cached_property
    def tested(self) -> tuple[Evidence, ...]:
        """The comparisons that statistics can weigh."""
        return tuple(e for e in self.evidence if not e.counted and not e.reason)

    @property
    def p_holds(self) -> float:
        return max((e.p_holds for e in self.tested), default=1.0)

    @property
    def p_fails(self) -> float:
        return min(1.0, len(self.tested) * min((e.p_fails for e in self.tested), default=1.0))

    @property
    def p(self) -> float | None:
        """Two-sided p of the claim; None where nothing was tested, or counted numbers already refute it."""
        if not self.tested or self.refuted:
            return None
        return min(1.0, 2 * min(1.0 if self.blocked else self.p_holds, self.p_fails))

    @property
    def runs(self) -> set[Run]:
        """Every run that the evidence rests on."""
        cells = {cell for e in self.evidence for cell in e.cells if cell in self.samples}
        return {run for cell in cells for run in self.samples[cell].runs}

    @property
    def refuted(self) -> Evidence | None:
        """A counted number that is not as claimed."""
        return next((e for e in self.evidence if e.counted and not e.reason and not e.leans), None)

    @property
    def blocked(self) -> str:
        """Why the claim cannot be shown as a whole, whatever the rest says."""
        reasons = [e.reason for e in self.evidence if e.reason]
        reasons += [f"{NOT_MEASURED}{', '.join(self.absent)}"] if self.absent else []
        return "; ".join(dict.fromkeys(reasons))

    def outcome(self, p_adjusted: float | None) -> Outcome:
        """The answer at the two-sided level of 5 %."""
        if not self.evidence:
            return Outcome.NOT_RUN
        exact = all(isinstance(test, ExactTest) for test in self.claim.test)
        if self.refuted:
            return Outcome.DIFFERS if exact else Outcome.CONTRADICTED
        if self.tested and (p_adjusted is None or p_adjusted > LEVEL):
            return Outcome.UNDECIDED
        if self.tested and (self.blocked or self.p_fails < self.p_holds):
            return Outcome.CONTRADICTED
        if self.blocked:
            return Outcome.UNDECIDED
        return Outcome.EXACT if exact else Outcome.REPRODUCED


def weigh_claim(claim: Claim, table: Table | None, samples: Samples, chance: Mapping[str, float]) -> Weighed:
    """Weigh every test of `claim`.

    Of the columns and ladders of one test, and of the cases of a claim, those not measured (another depth, another data
    set) are skipped and named. A test that may not be skipped, or one measured in part, can refute the claim but not
    support it.
    """
    evidence: list[Evidence] = []
    skipped: list[str] = []
    absent: list[str] = []
    for test in claim.test:
        conditions = weigh(test, table, samples, chance)
        measured = [condition for condition in conditions if condition.measured]
        evidence += [e for condition in measured for e in condition.evidence]
        missing = [condition.missing(samples) for condition in conditions if not condition.measured]
        if measured or test.case:
            skipped += [test.case] if not measured else missing
        else:
            absent += missing
    if not evidence:
        skipped, absent = [*skipped, *absent], []
    return Weighed(claim, tuple(evidence), tuple(dict.fromkeys(skipped)), tuple(dict.fromkeys(absent)), samples)
