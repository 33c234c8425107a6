"""A verdict in prose for a reader."""

from math import exp

from replicate.papers.claims import Cell
from replicate.verdicts.claim import Assessment
from replicate.verdicts.comparisons import Shape
from replicate.verdicts.evidence import Evidence, Scene, State
from replicate.verdicts.prose import COUNTS, sentence
from replicate.verdicts.quantities import spoken
from replicate.verdicts.verdict import Outcome

NAMED = 3  # open comparisons named before it says "and 4 more"


def explain(found: Assessment, shown: Evidence | None) -> str:
    """What was found, in which comparison, what this many seeds could see, and what was left out."""
    if not found.claim.test:
        return "No test is bound to this claim."
    outcome = found.outcome
    if outcome is Outcome.NOT_RUN or shown is None:
        return f"Not measured: {', '.join([*found.parts, *found.skipped]) or 'any run'}."
    if outcome is Outcome.PREMISE:
        return f"{_capital(found.unmet)}."
    said = [_finding(found, shown), _less(shown), _small(found, shown), _sight(found, shown), *_asides(found)]
    return " ".join(f"{part.rstrip('.')}." for part in said if part)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _finding(found: Assessment, shown: Evidence) -> str:
    """`9 of 10 comparisons hold; open: original has 1.4 % more error than ...`."""
    said, total = _sentence(found, shown), len(found.needed)
    if total < 2 and not shown.reversed_here:
        return said
    hold = sum(e.state is State.HOLDS for e in found.needed)
    if shown.state is State.OPPOSITE:
        whole = "The ladder as a whole goes as claimed"
        return f"{said}. {whole if hold == total else f'{hold} of {total} comparisons hold'}"
    if hold == total and not shown.reversed_here:
        return f"All {total} comparisons hold{f'; the weakest: {said}' if found.weighed else ''}"
    others = [f"{e.label}{' (seen reversed)' if e.reversed_here else ''}" for e in found.open if e is not shown]
    more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
    also = f"; also open: {'; '.join(others[:NAMED])}{more}" if others else ""
    seen = "seen reversed" if shown.reversed_here else "open"
    return f"{hold} of {total} comparisons hold; {seen}: {said or shown.label}{also}"


def _sentence(found: Assessment, shown: Evidence) -> str:
    """The comparison that decides; nothing where an obstacle, which is told, stands in its way."""
    if shown.reason:
        return ""
    said = sentence(shown, found.scene)
    if shown.beside is not None:
        said += f" (the loss decides; by error: {sentence(shown.beside, found.scene)})"
    if shown.seeds == 1 and not shown.counted:
        said += ". One run a row, judged with the spread that is declared for this data set"
    return said


def _less(shown: Evidence) -> str:
    """Whether a factor that contradicts its bound is still on the claimed side of 1."""
    comparison, low, high = shown.comparison, shown.low, shown.high
    if shown.state is not State.OPPOSITE or comparison is None or comparison.shape is not Shape.RATIO:
        return ""
    if low is None or high is None:
        return ""
    least, most = exp(comparison.region.low), exp(comparison.region.high)
    too_little = (low > 1 and high < least) or (high < 1 and low > most)
    return "The direction is the claimed one, the size is not" if too_little else ""


def _small(found: Assessment, shown: Evidence) -> str:
    """Whether the paper's own effect would have been called small."""
    if found.outcome is not Outcome.SMALLER:
        return ""
    margin = found.scene.margin
    if shown.published_relative is None:
        return f"Smaller than {100 * margin:g} %"
    itself = abs(shown.published_relative)
    if itself < margin:
        return f"Smaller than {100 * margin:g} %, as the paper's own effect is"
    return f"Smaller than {100 * margin:g} %, where the paper's effect is {100 * itself:.1f} %"


def _sight(found: Assessment, shown: Evidence) -> str:
    """`Three seeds see effects above 12 %`."""
    if found.outcome not in (Outcome.UNDECIDED, Outcome.SMALLER) or shown.smallest is None:
        return ""
    seeds = COUNTS.get(shown.seeds, str(shown.seeds))
    noun = "seed sees" if shown.seeds == 1 else "seeds see"
    return f"{seeds.capitalize()} {noun} effects above {_percent(shown.smallest)}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"


def _asides(found: Assessment) -> list[str]:
    """What a reader must know besides: obstacles, runs that diverged, what was not measured."""
    asides = [_capital(reason) for reason in found.obstacles]
    for row, (diverged, runs) in sorted(_diverged(found, found.scene).items()):
        asides.append(f"{diverged} of {runs} runs of {row} diverged")
    for cell, (short, runs) in _unreached(found, found.scene).items():
        number = _capital(f"{spoken(cell.metric or '')} of {cell.row}")
        asides.append(f"{number}: {short} of {runs} runs ended before, and count with the length of their training")
    if found.partly:
        asides.append(f"Only part of the claim was measured; not: {', '.join(found.partly)}")
    if found.skipped:
        asides.append(f"Not measured: {', '.join(found.skipped)}")
    if found.coarse:
        columns = ", ".join(spoken(column) for column in sorted(found.coarse))
        asides.append(f"{_capital(columns)} left out: of so few classes guessing finds half")
    if found.by_top1:
        asides.append("Top-1 errors stand for top-5 errors: of so few classes guessing finds half")
    return asides


def _diverged(found: Assessment, scene: Scene) -> dict[str, tuple[int, int]]:
    counts = {}
    for cell in (cell for e in found.evidence for cell in e.cells):
        sample = scene.samples.get(cell)
        if sample is not None and (sample.diverged.any() or sample.lost):
            lost = len(sample.lost)
            counts[cell.row] = (int(sample.diverged.sum()) + lost, len(sample.values) + lost)
    return counts


def _unreached(found: Assessment, scene: Scene) -> dict[Cell, tuple[int, int]]:
    cells = sorted({cell for e in found.evidence for cell in e.cells if cell in scene.samples}, key=str)
    samples = {cell: scene.samples[cell] for cell in cells}
    return {cell: (len(sample.unreached), len(sample.values)) for cell, sample in samples.items() if sample.unreached}
