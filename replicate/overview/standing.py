"""How every claim of the papers stands: which take trained networks, and which have an answer in results/."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from replicate.experiments.catalogue import Entry
from replicate.experiments.kinds import STUDIES
from replicate.papers import load_paper, paper_ids
from replicate.papers.claims import ExactTest
from replicate.papers.schema import Claim
from replicate.report.verdict_file import Answered, VerdictFile


@dataclass(frozen=True)
class Standing:
    """One claim with a test: whether it takes trained networks, and its answers, one for each experiment and scale."""

    paper: str
    claim: str
    trained: bool
    answers: tuple[Answered, ...]

    @property
    def answered(self) -> Answered | None:
        """The first answer that is one, if any."""
        return next((answer for answer in self.answers if answer.is_answer), None)


def standings(entries: Iterable[Entry], found: Sequence[VerdictFile]) -> list[Standing]:
    """Every claim that has a test of its own, paper by paper."""
    training = {(e.paper, claim) for e in entries if STUDIES[e.study].trains for claim in e.claims}
    answers: dict[tuple[str, str], list[Answered]] = {}
    for data in found:
        for answer in data.verdicts:
            answers.setdefault((data.paper, answer.claim), []).append(answer)
    return [
        Standing(
            paper,
            claim.id,
            (paper, claim.id) in training and not counted(claim),
            tuple(answers.get((paper, claim.id), ())),
        )
        for paper in paper_ids()
        for claim in load_paper(paper).claims
        if claim.test
    ]


def counted(claim: Claim) -> bool:
    """Whether counting alone decides the claim."""
    return all(isinstance(test, ExactTest) or getattr(test, "counted", False) for test in claim.test)
