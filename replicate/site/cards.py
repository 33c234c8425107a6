"""Finding cards for the front page, and what was measured where no claim is bound."""

from collections.abc import Sequence
from dataclasses import dataclass

from replicate.report.forest import ORDER
from replicate.report.numbers import numbers
from replicate.report.table import AGREES, EXACT, count_lines
from replicate.report.verdict_file import rests_on_training
from replicate.report.wording import plural
from replicate.site.content import Content, Result
from replicate.verdicts import Verdict

MOST_CARDS = 6


@dataclass(frozen=True)
class Card:
    """One finding: a claim on trained networks with its answer, at the scale at which it was found."""

    result: Result
    verdict: Verdict

    @property
    def badge(self) -> str:
        return f"{self.result.findings.answer(self.verdict)} · {self.result.scale} scale"


def cards(content: Content) -> list[Card]:
    """The findings with the strongest evidence, answers first, one an experiment."""
    found = [
        Card(result, verdict)
        for result in content.results
        for verdict in result.verdicts
        if verdict.outcome in ORDER and rests_on_training(result.findings, verdict.claim)
    ]
    found.sort(key=lambda card: (ORDER.index(card.verdict.outcome), 1.0 if card.verdict.p is None else card.verdict.p))
    first = {card.result.entry.name: card for card in reversed(found)}
    return [card for card in found if first[card.result.entry.name] is card][:MOST_CARDS]


def measured_words(results: Sequence[Result]) -> str:
    """`48 runs measured, 12 of 14 numbers agree`; nothing without results. For what has no verdict to show."""
    if not results:
        return ""
    runs = f"{plural(sum(len(result.findings.records) for result in results), 'run')} measured"
    compared = [agrees for result in results for agrees in agreements(result)]
    return f"{runs}, {sum(compared)} of {plural(len(compared), 'number')} agree" if compared else runs


def agreements(result: Result) -> list[bool]:
    """For each printed number that may be compared, whether ours agrees: to its digits, or within chance."""
    if result.findings.counted:
        said = [line["result"] for line in count_lines(result.findings) if line["result"]]
        return [word in (EXACT, AGREES) for word in said]
    return [not number.result.startswith("differs") for number in numbers(result.findings)]
