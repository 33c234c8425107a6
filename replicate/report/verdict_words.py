"""A verdict in words: its outcome, and the evidence in one line."""

import math

from replicate.report.units import unit
from replicate.report.wording import capital
from replicate.verdicts import Verdict

EFFECT_DIGITS = 3  # significant digits of an effect and its interval


def evidence(verdict: Verdict) -> str:
    """`effect -1.2 % [-2.03, -0.37], n = 15, p = 0.1`, as far as known."""
    said = [effect(verdict), f"n = {verdict.n}" if verdict.n else "", p_value(verdict)]
    return ", ".join(part for part in said if part)


def effect(verdict: Verdict) -> str:
    """The effect with its unit and 95 % interval."""
    if verdict.effect is None or math.isnan(verdict.effect):
        return ""
    sign = unit(verdict.unit).sign
    interval = "" if verdict.low is None or verdict.high is None else f" [{bound(verdict.low)}, {bound(verdict.high)}]"
    return f"effect {bound(verdict.effect)}{' ' + sign if sign else ''}{interval}"


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


def verdict_sentence(verdict: Verdict) -> str:
    """Everything in one line of Markdown: outcome, claim, evidence, explanation."""
    parts = [verdict.statement, evidence(verdict), verdict.detail]
    said = ". ".join(capital(part.rstrip(".")) for part in parts if part)
    return f"**{verdict.outcome.value}**: {said}."
