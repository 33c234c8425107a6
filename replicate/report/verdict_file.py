"""verdicts.json as data: what a folder of results/ says of its experiment, read in one place by all who present it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from replicate.errors import UserError, first_line
from replicate.experiments.kinds import STUDIES
from replicate.experiments.scale import Scale
from replicate.files import read_file
from replicate.papers.claims import ExactTest
from replicate.report.findings import Findings
from replicate.report.numbers import numbers
from replicate.verdicts import Outcome, Verdict

VERDICTS = "verdicts.json"
EACH = "*/*/*"
"""The folders of all results in results/: paper, experiment, scale."""


class Counts(BaseModel):
    """Runs of an experiment: planned, and what became of them. `hours` of computing, all runs together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    planned: int
    finished: int
    diverged: int
    missing: int
    hours: float = 0.0

    @property
    def done(self) -> int:
        return self.finished + self.diverged


@dataclass(frozen=True, kw_only=True)
class Answered(Verdict):
    """A verdict as it is kept, with its `answer` in the words of the scale.

    `trained`: whether it rests on runs that scatter, which counted and computed answers do not.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    answer: str
    trained: bool

    @property
    def is_answer(self) -> bool:
        """Whether it answers its claim, be it that nothing large is there or that the premise is not met."""
        return self.outcome not in (Outcome.UNDECIDED, Outcome.NOT_RUN) and not self.partly

    def row(self) -> dict[str, Any]:
        """As JSON has it, the answer first."""
        values = {**asdict(self), "outcome": self.outcome.value, "open": list(self.open)}
        return {name: values[name] for name in ROW}


ROW = ("answer", "trained", *(field.name for field in fields(Verdict)))


class VerdictFile(BaseModel):
    """The content of one verdicts.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    experiment: str
    scale: Scale
    paper: str
    table: str
    locator: str
    comparable: bool
    runs: Counts
    deviations: tuple[str, ...]
    numbers: tuple[dict[str, Any], ...] = ()
    verdicts: tuple[Answered, ...]

    @property
    def folder(self) -> str:
        """Where it lies in results/."""
        return f"{self.paper}/{self.experiment}/{self.scale}"


def read_verdicts(path: Path) -> VerdictFile:
    """What :func:`verdict_file` was written to. Raises UserError for a damaged file."""
    try:
        return VerdictFile.model_validate_json(read_file(path))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path} is damaged ({first_line(error)}); `replicate report` writes it anew") from error


def all_verdicts(results: Path) -> Iterator[VerdictFile]:
    """Every verdicts.json in results/, by paper, experiment and scale."""
    return (read_verdicts(path) for path in verdict_paths(results))


def verdict_paths(results: Path) -> list[Path]:
    """Where they lie."""
    return sorted(results.glob(f"{EACH}/{VERDICTS}"))


def verdict_file(findings: Findings, verdicts: Sequence[Verdict]) -> VerdictFile:
    """Which experiment, how many runs, and every verdict with all its fields."""
    experiment = findings.experiment
    return VerdictFile(
        experiment=experiment.name,
        scale=experiment.scale,
        paper=findings.paper.id,
        table=experiment.settings.table,
        locator=findings.table.locator,
        comparable=findings.comparable,
        runs=Counts(
            planned=len(findings.runs),
            finished=sum(record.status == "finished" for record in findings.records),
            diverged=sum(record.status == "diverged" for record in findings.records),
            missing=len(findings.missing),
            hours=round(sum(record.timing.seconds for record in findings.records) / 3600, 4),
        ),
        deviations=tuple(experiment.deviations),
        numbers=tuple({**asdict(number), "result": number.result} for number in numbers(findings)),
        verdicts=tuple(answered(findings, verdict) for verdict in verdicts),
    )


def answered(findings: Findings, verdict: Verdict) -> Answered:
    """A verdict as it is kept. JSON has no infinity and no NaN: an open end of an interval is null."""
    values = {name: plain(value) for name, value in asdict(verdict).items()}
    return Answered(answer=findings.answer(verdict), trained=rests_on_training(findings, verdict.claim), **values)


def rests_on_training(findings: Findings, claim: str) -> bool:
    """Whether the claim takes trained networks to answer, which scatter from seed to seed."""
    tests = findings.paper.claim(claim).test
    counted = all(isinstance(test, ExactTest) or getattr(test, "counted", False) for test in tests)
    return STUDIES[findings.experiment.settings.study].trains and not counted


def plain(value: Any) -> Any:
    """The value, or None for a number that JSON cannot say."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
