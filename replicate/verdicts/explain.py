"""A verdict as one sentence for a person."""

from replicate.verdicts.estimates import LEVEL, MAX_SEEDS
from replicate.verdicts.evidence import Evidence
from replicate.verdicts.verdict import Outcome
from replicate.verdicts.weighed import Weighed


def explain(weighed: Weighed, outcome: Outcome, shown: Evidence | None, seeds: int | None) -> str:
    """What was found, in which comparison, and what was left out."""
    if not weighed.claim.test:
        return "No test is bound to this claim."
    parts = [_finding(weighed, outcome, shown, seeds), *_asides(weighed)]
    return "; ".join(filter(None, parts)) + "."


def _finding(weighed: Weighed, outcome: Outcome, shown: Evidence | None, seeds: int | None) -> str:
    if shown is None:
        return f"Not measured: {', '.join(weighed.skipped)}"
    if shown.finding:
        return shown.finding
    if outcome is Outcome.REPRODUCED:
        count = len(weighed.evidence)
        return f"{f'All {count} comparisons hold, the weakest' if count > 1 else 'Holds'}: {describe(shown)}"
    if outcome is Outcome.CONTRADICTED:
        return f"The opposite was measured of: {describe(shown)}"
    if not weighed.tested:
        return f"Cannot be decided: {weighed.blocked}"
    alone = weighed.p is not None and weighed.p <= LEVEL
    among = f" among the claims of its table, though p = {weighed.p:.2g} alone" if alone else ""
    return f"Not decided{among}: {describe(shown)}{_more(seeds)}"


def describe(evidence: Evidence) -> str:
    """The comparison, its effect and interval."""
    if evidence.effect is None:
        return evidence.label
    digits = ".4g" if evidence.counted else ".3g"
    effect = f"{evidence.label}: {evidence.effect:{digits}} {evidence.unit}".rstrip()
    if evidence.counted or evidence.low is None or evidence.high is None:
        return effect
    return f"{effect} (95 % interval {evidence.low:.3g} to {evidence.high:.3g})"


def _more(seeds: int | None) -> str:
    if seeds is None:
        return ""
    if seeds > MAX_SEEDS:
        return f"; at this effect and spread even {MAX_SEEDS} seeds would not decide"
    return f"; {seeds} seeds per variant would decide at this effect and spread"


def _asides(weighed: Weighed) -> list[str]:
    """What a reader must know besides: obstacles, runs that diverged, conditions without measurements."""
    asides = [weighed.blocked] if weighed.tested and weighed.blocked else []
    for row, (diverged, runs) in sorted(_diverged(weighed).items()):
        asides.append(f"{diverged} of {runs} runs of {row} diverged")
    if weighed.skipped and weighed.evidence:
        asides.append(f"not measured: {', '.join(weighed.skipped)}")
    return asides


def _diverged(weighed: Weighed) -> dict[str, tuple[int, int]]:
    counts = {}
    for cell in (cell for e in weighed.evidence for cell in e.cells):
        sample = weighed.samples.get(cell)
        if sample is not None and (sample.diverged.any() or sample.lost):
            counts[cell.row] = (int(sample.diverged.sum()) + sample.lost, len(sample.values) + sample.lost)
    return counts
