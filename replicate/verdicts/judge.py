"""From the evidence on a claim to its verdict."""

from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack

import pandas as pd

from replicate.papers.schema import Claim, Table
from replicate.verdicts.claim import Assessment, assess
from replicate.verdicts.declared import declared_prior
from replicate.verdicts.evidence import Evidence, Scene, State
from replicate.verdicts.explain import explain
from replicate.verdicts.frame import collect
from replicate.verdicts.prior import Prior
from replicate.verdicts.verdict import Outcome, Verdict


class Circumstances(TypedDict, total=False):
    """What else a verdict depends on.

    measured: published column -> the metric that it was measured by. surrogate: published column of a test error -> the
    loss that decides in its place. comparable: the paper's data and sizes, looked at once, with the spread that is
    declared for the data set; otherwise by plan, with the prior of the suite's records or the one given. margin: which
    share of the level is small.
    """

    measured: Mapping[str, str]
    surrogate: Mapping[str, str]
    comparable: bool
    prior: Prior
    margin: float


def judge(
    claim: Claim,
    table: Table | None,
    frame: pd.DataFrame,
    chance: Mapping[str, float] | None = None,
    **circumstances: Unpack[Circumstances],
) -> Verdict:
    """The verdict on one claim; arguments as for :func:`judge_all`."""
    return judge_all([claim], table, frame, chance, **circumstances)[0]


def judge_all(
    claims: Sequence[Claim],
    table: Table | None,
    frame: pd.DataFrame,
    chance: Mapping[str, float] | None = None,
    **circumstances: Unpack[Circumstances],
) -> list[Verdict]:
    """The verdicts on claims of one table from one experiment at one scale, in their order, each at 5 %.

    frame: tidy, with the columns of :data:`replicate.verdicts.frame.COLUMNS`; values in the units of `table`.
    A value of the status `unreached` is the least that the run's can be. chance: metric -> its value when guessing; a
    diverged run without a number stands there.
    """
    return [decide(assessed) for assessed in _assessed(claims, table, frame, chance, circumstances)]


def rows_needed(
    claims: Sequence[Claim],
    table: Table | None,
    frame: pd.DataFrame,
    chance: Mapping[str, float] | None = None,
    **circumstances: Unpack[Circumstances],
) -> dict[str, frozenset[str]]:
    """Claim -> the rows of its open comparisons, for every undecided claim that further seeds may answer.

    Arguments as for :func:`judge_all`. A premise that is not met, a row that was not measured or a diverged run without
    a number is no matter of seeds.
    """
    found = _assessed(claims, table, frame, chance, circumstances)
    undecided = [assessed for assessed in found if assessed.outcome is Outcome.UNDECIDED and not assessed.obstacles]
    rows = {
        assessed.claim.id: frozenset(cell.row for e in assessed.open if not e.reason for cell in e.cells)
        for assessed in undecided
    }
    return {claim: needed for claim, needed in rows.items() if needed}


def _assessed(
    claims: Sequence[Claim],
    table: Table | None,
    frame: pd.DataFrame,
    chance: Mapping[str, float] | None,
    circumstances: Circumstances,
) -> list[Assessment]:
    given = dict(circumstances)
    if given.get("prior") is None:
        dataset = table.dataset if table else ""
        given["prior"] = declared_prior(dataset) if given.get("comparable") else Prior.load()
    scene = Scene(table, collect(frame, chance), chance or {}, **given)  # type: ignore[arg-type]
    return [assess(claim, scene) for claim in claims]


def decide(found: Assessment) -> Verdict:
    """The verdict, with the comparison that decides it."""
    shown = _deciding(found)
    numbers = shown or Evidence("")
    relative = numbers.relative or (None, None, None)
    return Verdict(
        claim=found.claim.id,
        statement=found.claim.statement,
        kind=found.claim.kind,
        outcome=found.outcome,
        effect=numbers.effect,
        low=numbers.low,
        high=numbers.high,
        unit=numbers.unit,
        n=len(found.runs),
        seeds=numbers.seeds,
        p=found.p,
        detail=explain(found, shown),
        relative=relative[0],
        relative_low=relative[1],
        relative_high=relative[2],
        published_relative=numbers.published_relative,
        smallest=numbers.smallest,
        margin=found.scene.margin,
        hold=sum(e.state is State.HOLDS for e in found.needed),
        total=len(found.needed),
        open=tuple(e.label for e in found.open),
        partly=", ".join(found.partly),
        claimed=numbers.comparison.claimed if numbers.comparison else 0,
    )


def _deciding(found: Assessment) -> Evidence | None:
    """The comparison to show: the one that refutes, else the weakest of those that must hold."""
    if not found.evidence:
        return None
    refuting = found.refuted or found.opposite
    if refuting:
        return refuting
    if not found.weighed:
        return found.evidence[0]
    needed = [e for e in found.weighed if e.required]
    if found.outcome is Outcome.SMALLER:
        return max((e for e in needed if e.state is not State.HOLDS), key=lambda e: e.p_holds)
    still_open = [e for e in needed if e.state is not State.HOLDS] or [e for e in found.weighed if e.reversed_here]
    return max(still_open or needed or found.weighed, key=lambda e: e.p_holds)
