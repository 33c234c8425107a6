"""A verdict in words: what was found first, then what it rests on."""

import math

from replicate.papers.units import unit
from replicate.report.wording import capital
from replicate.verdicts import Verdict

EFFECT_DIGITS = 3  # significant digits of an effect and its interval


def basis(verdict: Verdict) -> str:
    """`-1.2 points [-2.03, -0.37], 15 runs, p = 0.1`: the deciding comparison in its own unit, as far as known."""
    runs = f"{verdict.n} run{'s' if verdict.n != 1 else ''}" if verdict.n else ""
    return ", ".join(filter(None, (effect(verdict), runs, p_value(verdict))))


def effect(verdict: Verdict) -> str:
    """The effect with its unit and 95 % interval."""
    if verdict.effect is None or math.isnan(verdict.effect):
        return ""
    sign = unit(verdict.unit).sign
    interval = "" if verdict.low is None or verdict.high is None else f" [{bound(verdict.low)}, {bound(verdict.high)}]"
    return f"{bound(verdict.effect)}{' ' + sign if sign else ''}{interval}"


def bound(value: float) -> str:
    """Three digits, and every digit of what is large; an open end of an interval in words."""
    if math.isinf(value):
        return "no upper bound" if value > 0 else "no lower bound"
    return f"{value:,.0f}" if abs(value) >= 10**EFFECT_DIGITS else f"{value:.{EFFECT_DIGITS}g}"


def p_value(verdict: Verdict) -> str:
    """The two-sided p of the claim at its look."""
    return "" if verdict.p is None else f"p {probability(verdict.p)}"


def probability(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.2g}"


def verdict_sentence(verdict: Verdict, answer: str) -> str:
    """Everything in one line of Markdown: the answer, the claim, what was found, what it rests on."""
    known = basis(verdict)
    said = ". ".join(capital(part.rstrip(".")) for part in (verdict.statement, verdict.detail) if part)
    return f"**{answer}**: {said}.{f' ({known}.)' if known else ''}"
