"""What a verdict says."""

from dataclasses import dataclass
from enum import StrEnum

from replicate.verdicts.estimates import MAX_SEEDS


class Outcome(StrEnum):
    """The answer to a claim at one scale."""

    REPRODUCED = "reproduced"
    CONTRADICTED = "contradicted"
    UNDECIDED = "undecided"
    EXACT = "exact"
    DIFFERS = "differs"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Verdict:
    """The answer to one claim.

    effect with its 95 % interval low to high, in `unit`: of the comparison that decides (the weakest that must hold,
    the strongest that fails). n: runs used. p: two-sided, of this claim alone; p_adjusted: among the claims of its
    table (Holm), which decides. seeds_needed: seeds per variant that would decide with power 0.8 if effect and spread
    are as observed (MAX_SEEDS + 1: more than MAX_SEEDS); None where seeds do not help. detail: one sentence.
    """

    claim: str
    statement: str
    kind: str
    outcome: Outcome
    effect: float | None
    low: float | None
    high: float | None
    unit: str
    n: int
    p: float | None
    p_adjusted: float | None
    seeds_needed: int | None
    detail: str

    @property
    def seeds_text(self) -> str:
        """seeds_needed for a table: "12", ">1000" or nothing."""
        if self.seeds_needed is None:
            return ""
        return f">{MAX_SEEDS}" if self.seeds_needed > MAX_SEEDS else str(self.seeds_needed)
