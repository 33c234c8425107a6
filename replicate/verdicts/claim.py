"""All the evidence on one claim, put together, and the answer that follows from it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from replicate.papers.claims import Cell, ClaimTest, CollapseTest, EqualTest, ExactTest, OrderTest, RatioTest, TrendTest
from replicate.papers.schema import Claim, Premise
from replicate.verdicts.collapse import weigh_collapse
from replicate.verdicts.comparisons import Comparison, Condition, conditions_of
from replicate.verdicts.evidence import NOT_MEASURED, Evidence, Scene, State, missing
from replicate.verdicts.exact import weigh_exact
from replicate.verdicts.few_classes import by_top1, coarse_columns
from replicate.verdicts.frame import Run
from replicate.verdicts.means import weigh, with_loss
from replicate.verdicts.quantities import spoken
from replicate.verdicts.simultaneous import any_below, correlations
from replicate.verdicts.verdict import Outcome

NAMED = 3  # rows named in a sentence before it says "and 4 more rows"


@dataclass(frozen=True)
class Assessment:
    """A claim with all its evidence.

    A claim of several comparisons holds if all of them are shown (an intersection-union test, which needs no
    correction; Berger 1982); it is the opposite if one is shown reversed at a level that they share. skipped: columns
    and ladders that were not measured and need not be; parts: those without which only part of the sentence was
    measured; coarse: columns that are not weighed beside others; by_top1: the claim has no others, and top-1 errors
    stood for them; unmet: the premise that is not true here.
    """

    claim: Claim
    scene: Scene
    evidence: tuple[Evidence, ...] = ()
    skipped: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    coarse: frozenset[str] = frozenset()
    by_top1: bool = False
    unmet: str = ""
    tree: tuple[float, ...] = field(default=(), repr=False)

    @cached_property
    def needed(self) -> tuple[Evidence, ...]:
        """What must be shown for the claim to hold."""
        return tuple(e for e in self.evidence if e.required)

    @cached_property
    def weighed(self) -> tuple[Evidence, ...]:
        """What statistics could weigh."""
        return tuple(e for e in self.evidence if e.decided_by_spread)

    @property
    def refuted(self) -> Evidence | None:
        """A counted number that is not as claimed."""
        return next((e for e in self.evidence if e.counted and e.state is State.OPPOSITE), None)

    @property
    def opposite(self) -> Evidence | None:
        """The comparison that is most clearly the opposite of the claim."""
        found = [e for e in self.weighed if e.state is State.OPPOSITE]
        return min(found, key=lambda e: e.p_fails) if found else None

    @property
    def open(self) -> tuple[Evidence, ...]:
        """What must be shown and is not, and what need not be shown but is seen reversed."""
        return tuple(e for e in self.evidence if (e.required and e.state is not State.HOLDS) or e.reversed_here)

    @property
    def obstacles(self) -> tuple[str, ...]:
        """Why comparisons could not be weighed, other than that they were not measured."""
        reasons = [e.reason for e in self.evidence if e.reason and not e.reason.startswith(NOT_MEASURED)]
        reasons += ["error and loss show opposite signs" for e in self.evidence if e.conflict]
        return tuple(dict.fromkeys(reasons))

    @cached_property
    def partly(self) -> tuple[str, ...]:
        """What of the claim's sentence was not measured."""
        rows = [e.reason.removeprefix(NOT_MEASURED) for e in self.evidence if e.reason.startswith(NOT_MEASURED)]
        return tuple(dict.fromkeys([*self.parts, *rows])) if self.evidence else ()

    @property
    def runs(self) -> frozenset[Run]:
        """Every run that the evidence rests on."""
        return frozenset[Run]().union(*(e.runs for e in self.evidence))

    @property
    def p(self) -> float | None:
        """Two-sided p of what was measured, at its look; None if nothing was tested, or counted numbers refute it."""
        if not self.weighed or self.refuted:
            return None
        must = [e.p_holds for e in self.weighed if e.required]
        holds = 1.0 if self.obstacles else max(must, default=1.0)
        least = min(e.p_fails for e in self.weighed)
        fails = any_below(least, self.tree) if 0 < least < 1 else least
        return min(1.0, 2 * min(holds, fails))

    @property
    def outcome(self) -> Outcome:
        """The answer."""
        exact = all(isinstance(test, ExactTest) for test in self.claim.test)
        if not self.evidence or all(e.reason.startswith(NOT_MEASURED) for e in self.evidence):
            return Outcome.NOT_RUN
        if self.unmet:
            return Outcome.PREMISE
        if self.refuted:
            return Outcome.DIFFERS if exact else Outcome.OPPOSITE
        if self.opposite:
            return Outcome.OPPOSITE
        measured = [e for e in self.needed if not e.reason.startswith(NOT_MEASURED)]
        if self.obstacles or not all(e.answered for e in measured):
            return Outcome.UNDECIDED
        if any(e.state is not State.HOLDS for e in measured):
            return Outcome.SMALLER
        if self.partly or self.open:
            return Outcome.UNDECIDED
        return Outcome.EXACT if exact else Outcome.HOLDS


def assess(claim: Claim, scene: Scene) -> Assessment:
    """Weigh every test of `claim`.

    Of the columns and ladders of one test those not measured are skipped and named. Of the cases of a claim, and of its
    tests, those not measured make the verdict one on part of it.
    """
    columns = {column for test in claim.test for column in test.columns_named()}
    coarse = coarse_columns(columns, scene)
    if coarse != columns or not coarse:
        return _assess(claim, scene, coarse)
    told, here = by_top1(claim, scene)
    return replace(_assess(told, here, frozenset()), by_top1=told is not claim)


def _assess(claim: Claim, scene: Scene, coarse: frozenset[str]) -> Assessment:
    """The evidence on `claim` without that of the columns `coarse`."""
    scene = scene if may_use_loss(claim) else replace(scene, surrogate={})
    whole = [list(_conditions(test, scene)) for test in claim.test]
    asked = [[condition for condition in each if not _columns(condition) & coarse] for each in whole]
    chosen = [
        [condition for condition in conditions if _is_measured(condition, scene)] if conditions else []
        for conditions in asked
    ]
    tree = tree_of(claim.test, chosen)
    assessment = Assessment(claim, scene, tree=tree)
    evidence: list[Evidence] = []
    skipped: list[str] = []
    parts: list[str] = []
    for test, conditions, kept, given in zip(claim.test, asked, chosen, whole, strict=True):
        if given and not conditions:
            continue
        found = list(_evidence(test, kept, scene, tree))
        evidence += found
        absent = [_missing(condition, scene) for condition in conditions if condition not in kept]
        if found:
            skipped += absent
        else:
            parts.append(test.case or ", ".join(absent) or _whole(test))
    premise = [_unmet(p, scene) for p in claim.premise]
    return replace(
        assessment,
        evidence=(*evidence, *(_unknown_premise(premise) if evidence else ())),
        skipped=tuple(dict.fromkeys(skipped)),
        parts=tuple(dict.fromkeys(parts)),
        coarse=coarse,
        unmet="; ".join(text for met, text in premise if met is False),
    )


def may_use_loss(claim: Claim) -> bool:
    """Whether the test loss may stand for the test error.

    Not where the claim is about regularisation, or compares training with test: over-confidence moves the loss alone.
    """
    columns = {column for test in claim.test for column in test.columns_named()}
    gap = any(c.startswith("train_") for c in columns) and any(not c.startswith("train_") for c in columns)
    return claim.about != "regularisation" and not gap


def _conditions(test: ClaimTest, scene: Scene) -> Iterator[Condition]:
    if not isinstance(test, (CollapseTest, ExactTest)):
        yield from conditions_of(test, scene.table, scene.samples)


def _is_measured(condition: Condition, scene: Scene) -> bool:
    return any(not list(missing(c.cells, scene.samples)) for c in condition.comparisons)


def _columns(condition: Condition) -> set[str]:
    return {cell.metric or "" for comparison in condition.comparisons for cell in comparison.cells}


def _missing(condition: Condition, scene: Scene) -> str:
    """What was not measured, for a sentence: rows by name, or the whole condition."""
    cells = [cell for comparison in condition.comparisons for cell in missing(comparison.cells, scene.samples)]
    rows = list(dict.fromkeys(f"'{cell.row}'" for cell in cells))  # quoted, since names have commas
    columns = ", ".join(dict.fromkeys(spoken(cell.metric or "") for cell in cells))
    more = f" and {len(rows) - NAMED} more rows" if len(rows) > NAMED else ""
    return f"{columns} of {', '.join(rows[:NAMED])}{more}" if rows else condition.label


def _whole(test: ClaimTest) -> str:
    rows = list(dict.fromkeys(f"'{cell.row}'" for cell in test.cells()))
    more = f" and {len(rows) - NAMED} more rows" if len(rows) > NAMED else ""
    columns, named = ", ".join(map(spoken, test.metric)), f"{', '.join(rows[:NAMED])}{more}"
    return " of ".join(filter(None, (columns, named))) or test.kind


def tree_of(tests: Sequence[ClaimTest], chosen: Sequence[Sequence[Condition]]) -> tuple[float, ...]:
    """How a claim's comparisons hang together: those on means by their rows, collapses apart from them."""
    tried = [kept for test, kept in zip(tests, chosen, strict=True) if not getattr(test, "counted", False)]
    means = [c for kept in tried for condition in kept for c in condition.comparisons if c.refutes]
    apart = sum(len(test.rows) for test in tests if isinstance(test, CollapseTest))
    if not means:
        return (0.0,) * max(0, apart - 1)
    cells = list(dict.fromkeys(cell for c in means for cell in c.cells))
    weights = np.zeros((len(means), len(cells)))
    for line, comparison in zip(weights, means, strict=True):
        for cell, weight in zip(comparison.cells, comparison.against, strict=True):
            line[cells.index(cell)] += weight
    return (*correlations(weights, [c.one_sided for c in means]), *(0.0,) * apart)


def _evidence(test: ClaimTest, kept: list[Condition], scene: Scene, tree: tuple[float, ...]) -> Iterator[Evidence]:
    if isinstance(test, ExactTest):
        found = weigh_exact(test, scene)
        yield from () if found.reason.startswith(NOT_MEASURED) else (found,)
        return
    if isinstance(test, CollapseTest):
        for metric in test.metric:
            rows = weigh_collapse(test, metric, scene, len(tree) + 1)
            yield from rows if any(not e.reason.startswith(NOT_MEASURED) for e in rows) else ()
        return
    for comparison in (c for condition in kept for c in condition.comparisons):
        yield _weighed(test, comparison, scene, tree)


def _weighed(test: ClaimTest, comparison: Comparison, scene: Scene, tree: tuple[float, ...]) -> Evidence:
    if getattr(test, "counted", False):
        return weigh(comparison, scene, counted=True)
    if scene.surrogate and isinstance(test, (OrderTest, TrendTest, EqualTest, RatioTest)):
        return with_loss(comparison, scene, tree)
    return weigh(comparison, scene, tree)


def _unmet(premise: Premise, scene: Scene) -> tuple[bool | None, str]:
    """Whether the premise is met (None: not measured), and what to say where it is not."""
    sample = scene.samples.get(Cell(premise.row, premise.metric))
    if sample is None or not len(sample.values):
        return None, f"the premise was not measured: {spoken(premise.metric)} of '{premise.row}'"
    mean = float(np.mean(sample.values))
    bound, over = (premise.above, True) if premise.above is not None else (premise.below, False)
    assert bound is not None
    met = mean > bound if over else mean < bound
    wanted = f"{'above' if over else 'below'} {bound:g}"
    return met, f"{spoken(premise.metric)} of {premise.row} is {mean:.3g}, where it must be {wanted}: {premise.because}"


def _unknown_premise(premise: list[tuple[bool | None, str]]) -> list[Evidence]:
    """A premise that was not measured stands in the way like a comparison that could not be weighed."""
    return [Evidence("premise", reason=text) for met, text in premise if met is None]
