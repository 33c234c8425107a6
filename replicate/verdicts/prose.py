"""One comparison in words, with the sign and the unit that a reader expects."""

from math import isfinite

from replicate.papers.claims import Cell
from replicate.verdicts.comparisons import Comparison, Shape
from replicate.verdicts.evidence import Evidence, Scene
from replicate.verdicts.quantities import ERRORS, spoken

NUMERALS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
COUNTS = dict(enumerate(NUMERALS.split(), start=1))
POINTS = {"percentage points": "points", "percent": "%", "ratio": "", "count": "", "exponent": "", "share of runs": ""}

Numbers = tuple[float, float, float]
"""An effect and its interval."""


def named(column: str, scene: Scene) -> str:
    """A column as a person says it; one that is named after its data says what it holds: test error (cifar10 plus)."""
    words = spoken(column)
    kind = scene.measured.get(column, column)
    told = any(word in column for word in ("error", "accuracy", "loss"))
    return words if told or kind not in ERRORS else f"{kind.replace('_', ' ')} ({words})"


def sentence(evidence: Evidence, scene: Scene) -> str:
    """What was measured, in which interval, and what the paper printed of it."""
    comparison = evidence.comparison
    if evidence.finding or comparison is None or evidence.effect is None:
        return evidence.finding or evidence.label
    match comparison.shape:
        case Shape.PAIR | Shape.ALIKE | Shape.COLUMNS:
            said = _pair(evidence, comparison, scene)
        case Shape.TREND | Shape.ENDS | Shape.STEP:
            said = _trend(evidence, comparison, scene)
        case _:
            said = _value(evidence, comparison, scene)
    return said


def _pair(evidence: Evidence, comparison: Comparison, scene: Scene) -> str:
    """`32x4d has 2.0 % less error than 1x64d (-8.6 to +5.1 %); the paper 7.1 % less`."""
    first, second = comparison.cells
    accuracy = scene.quantity(first.metric).accuracy
    better_first = accuracy and not comparison.complement and comparison.shape is Shape.PAIR
    sign = -1.0 if better_first else 1.0
    subject, other = (second, first) if better_first or comparison.weights[0] < 0 else (first, second)
    numbers, unit = _scale(evidence, scene, sign)
    metric = named(first.metric or "", scene)
    metric = "error" if comparison.complement else metric
    if first.metric == second.metric:
        words = ("less", "more")
        said = f"{subject.row} has {_size(numbers, unit, words)} {metric} than {other.row}"
    else:
        words = ("below", "above")
        ends = (_place(subject, scene), _place(other, scene))
        said = f"{ends[0]} lies {_size(numbers, unit, words)} {ends[1]}"
    paper = _paper(evidence, unit, sign, words)
    margin = f"; the claim allows {_allowed(comparison)}" if comparison.shape is Shape.ALIKE else ""
    return f"{said}{_interval(numbers, unit)}{paper}{margin}"


def _allowed(comparison: Comparison) -> str:
    """`5 %` of the level, or `0.2 points`."""
    unit = "" if "%" in comparison.said else POINTS.get(comparison.unit, comparison.unit)
    return f"{comparison.said} {unit}".rstrip()


def _place(cell: Cell, scene: Scene) -> str:
    return f"{named(cell.metric or '', scene)} of {cell.row}"


def _scale(evidence: Evidence, scene: Scene, sign: float) -> tuple[Numbers, str]:
    """Effect and interval as shares of the level; in the unit where there is no level, or for an accuracy."""
    assert evidence.effect is not None
    low, high = _open(evidence.low, -1), _open(evidence.high, 1)
    numbers, unit = (evidence.effect, low, high), POINTS.get(evidence.unit, evidence.unit)
    comparison = evidence.comparison
    plain = comparison is None or comparison.complement or not scene.quantity(evidence.cells[0].metric).accuracy
    if evidence.relative is not None and plain:
        numbers, unit = (100 * evidence.relative[0], 100 * evidence.relative[1], 100 * evidence.relative[2]), "%"
    if sign > 0:
        return numbers, unit
    value, low, high = (_turned(number, comparison, unit) for number in numbers)
    return (value, high, low), unit


def _turned(number: float, comparison: Comparison | None, unit: str) -> float:
    """The effect seen from the other row: its negative, or the inverse of a ratio."""
    of_a_ratio = comparison is not None and comparison.logarithmic and unit == "%"
    return 100 / (1 + number / 100) - 100 if of_a_ratio else -number


def _open(end: float | None, side: int) -> float:
    return end if end is not None else side * float("inf")


def _size(numbers: Numbers, unit: str, words: tuple[str, str]) -> str:
    return f"{_digits(abs(numbers[0]), unit)} {unit} {words[numbers[0] > 0]}".replace("  ", " ")


def _digits(value: float, unit: str) -> str:
    return f"{value:.{0 if abs(value) >= 99.95 else 1}f}" if unit == "%" else f"{value:.3g}"


def _interval(numbers: Numbers, unit: str) -> str:
    """`(-8.6 to +5.1 %)`; nothing for a plain number."""
    value, low, high = numbers
    if low == value == high or not isfinite(low + high):
        return ""
    ends = [f"{'+' if end > 0 else ''}{_digits(end, unit)}" for end in (low, high)]
    return f" ({' to '.join(ends)} {unit}".rstrip() + ")"


def _paper(evidence: Evidence, unit: str, sign: float, words: tuple[str, str]) -> str:
    """`; the paper 7.1 % less`, where its table prints the rows."""
    found = evidence.published_relative if unit == "%" else evidence.published
    if found is None:
        return ""
    value = sign * (100 * found if unit == "%" else found)
    return f"; the paper {_size((value, value, value), unit, words)}"


def _trend(evidence: Evidence, comparison: Comparison, scene: Scene) -> str:
    """`top-1 error, depth 50, falls by 2.0 % with cardinality from 1 to 32 (-8.6 to +5.1 %); the paper -7.1 %`."""
    sign = -1.0 if comparison.weights[-1] < 0 else 1.0  # a loss in place of an accuracy
    numbers, unit = _scale(evidence, scene, sign)
    metric = named(comparison.cells[0].metric or "", scene)
    place, along = comparison.said.split("|", 1)
    group = place.partition(", ")[2]
    where = f", {group}," if group else ""
    direction = "rises" if numbers[0] > 0 else "falls"
    size = f"{_digits(abs(numbers[0]), unit)} {unit}".rstrip()
    published = evidence.published_relative if unit == "%" else evidence.published
    whose = "the paper's error" if evidence.beside is not None else "the paper"
    factor = 100 * sign if unit == "%" else sign
    paper = (
        ""
        if published is None
        else f"; {whose} {'+' * (published * sign > 0)}{_digits(factor * published, unit)} {unit}"
    )
    return f"{metric}{where} {direction} by {size} {along}{_interval(numbers, unit)}{paper}".rstrip()


def _value(evidence: Evidence, comparison: Comparison, scene: Scene) -> str:
    """A value beside its bound: one row, a weighted sum, a ratio or a power."""
    assert evidence.effect is not None
    numbers = (evidence.effect, _open(evidence.low, -1), _open(evidence.high, 1))
    unit = POINTS.get(evidence.unit, evidence.unit)
    if comparison.shape is Shape.LEVEL:
        unit = "%" if unit == "points" else unit
        subject = _place(comparison.cells[0], scene)
    elif comparison.shape is Shape.RATIO:
        subject = comparison.label.removesuffix(f" {comparison.said}")
    else:
        subject = comparison.said
    digits = ".4g" if evidence.counted else ".3g"
    ends = "" if evidence.counted or not isfinite(numbers[1] + numbers[2]) else (
        f" ({numbers[1]:.3g} to {numbers[2]:.3g})"
    )  # fmt: skip
    share = ""
    if comparison.shape is Shape.CONTRAST and evidence.relative is not None:
        share = f", {100 * evidence.relative[0]:+.1f} % of the level"
    verb = "" if comparison.shape is Shape.EXPONENT else "is "
    paper = f"; the paper {evidence.published:.4g}" if evidence.published is not None else ""
    return f"{subject} {verb}{numbers[0]:{digits}} {unit}".rstrip() + f"{ends}{share}{_claimed(comparison)}{paper}"


def _claimed(comparison: Comparison) -> str:
    """`; the claim: below 45`."""
    low, high = comparison.region.low, comparison.region.high
    if comparison.shape is Shape.RATIO:
        return f"; the claim: {comparison.said}"
    if comparison.shape is Shape.EXPONENT:
        return f"; the claim: {(low + high) / 2:g} within {(high - low) / 2:.3g}"
    return f"; the claim: below {high:g}" if isfinite(high) else f"; the claim: above {low:g}"
