"""A verdict in words: its outcome, and the evidence in one line."""

import math

from replicate.report.units import unit
from replicate.report.wording import capital
from replicate.verdicts import Verdict

EFFECT_DIGITS = 3  # significant digits of an effect and its interval


def evidence(verdict: Verdict) -> str:
    """`effect -1.2 % [-2.03, -0.37], n = 15, p = 0.1 (adjusted = 0.2), 9 seeds each would decide`, as far as known."""
    said = [effect(verdict), f"n = {verdict.n}" if verdict.n else "", p_value(verdict), seeds(verdict)]
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
    """p, and p after the correction for the other claims of the table where that differs."""
    if verdict.p is None:
        return ""
    alone = probability(verdict.p)
    if verdict.p_adjusted is None or verdict.p_adjusted == verdict.p:
        return f"p {alone}"
    return f"p {alone} (adjusted {probability(verdict.p_adjusted)})"


def probability(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.2g}"


def seeds(verdict: Verdict) -> str:
    """How many seeds would decide, for an undecided verdict that can tell."""
    return f"{verdict.seeds_text} seeds each would decide" if verdict.seeds_text else ""


def verdict_sentence(verdict: Verdict) -> str:
    """Everything in one line of Markdown: outcome, claim, evidence, explanation."""
    parts = [verdict.statement, evidence(verdict), verdict.detail]
    said = ". ".join(capital(part.rstrip(".")) for part in parts if part)
    return f"**{verdict.outcome.value}**: {said}."
