"""docs/findings.md: what was found of each paper, one sentence a claim, and what it cost to find out."""

from collections.abc import Iterator, Sequence

from replicate.experiments.catalogue import Entry
from replicate.overview.standing import Standing, standings
from replicate.papers import load_paper, paper_ids
from replicate.report.forest import forest
from replicate.report.verdict_file import Answered, VerdictFile
from replicate.report.verdict_words import basis
from replicate.report.wording import cite, plural
from replicate.verdicts import Outcome

INTRODUCTION = """# Findings

What the committed runs say of each paper's claims on trained networks, claim by claim: the answer, the measured effect
with its interval, the published one. Generated from results/ by `replicate readme`; every number follows from records.

`here` is the laptop's task: 1,000 to 10,000 small grey images, networks of a few layers ([what each regime can
show](laptop_scale.md)). `smaller than 10 %` says that no large effect is there; where the paper's own effect is smaller
than that, it says so. Only runs at the paper's scale reproduce or contradict."""

ABOUT_FOREST = "Measured effects with their intervals beside the published ones, one line a claim"

REGIMES = {
    "short": "few epochs of 10,000 images, which show how well optimisation goes",
    "small": "few images without augmentation, learnt by heart, which show regularisation and capacity",
    "noisy": "few images of which a share has random labels",
    "long": "10,000 images until they are learnt, for what is taken apart afterwards",
}


def findings_page(found: Sequence[VerdictFile], catalogued: Sequence[Entry]) -> str:
    """The page as Markdown."""
    trained = [(data, answer) for data in found for answer in data.verdicts if answer.trained]
    parts = [INTRODUCTION, summary(found, [one for one in standings(catalogued, found) if one.trained])]
    parts += forest_image(found, "../results")
    entries = {entry.name: entry for entry in catalogued}
    for paper_id in sorted(paper_ids(), key=lambda paper: (load_paper(paper).year or 9999, paper)):
        own = [(data, answer) for data, answer in trained if data.paper == paper_id]
        if own:
            parts += [f'<a id="{paper_id}"></a>\n\n## {cite(load_paper(paper_id))}', *experiments_of(own, entries)]
    return "\n\n".join(parts) + "\n"


def forest_image(found: Sequence[VerdictFile], results: str) -> list[str]:
    """The forest of `results`, a folder as a page names it, with what it leaves out; nothing without any effect."""
    drawn = forest(found)
    rest = f"\n\n{drawn.left_out}" if drawn.left_out else ""
    return [f"![{ABOUT_FOREST}]({results}/forest.svg){rest}"] if drawn.lines else []


def summary(found: Sequence[VerdictFile], claims: Sequence[Standing]) -> str:
    """How many claims are answered, and at which cost."""
    answers = [one.answered for one in claims if one.answered is not None]
    count = {outcome: sum(answer.outcome is outcome for answer in answers) for outcome in Outcome}
    told = [
        f"{count[Outcome.HOLDS]} hold",
        f"{count[Outcome.OPPOSITE]} are the opposite",
        f"{count[Outcome.SMALLER]} are smaller than asked",
        f"{count[Outcome.PREMISE]} lack their premise",
    ]
    run = sum(bool(one.answers) for one in claims)
    hours = sum(data.runs.hours for data in found if any(answer.trained for answer in data.verdicts))
    rate = f", {len(answers) / hours:.2g} answers an hour of one core" if hours else ""
    return (
        f"**{len(answers)} of {plural(len(claims), 'claim')} on trained networks have an answer**: {', '.join(told)}. "
        f"{run - len(answers)} are undecided or answered in part, {len(claims) - run} were not run. "
        f"The runs took {hours:.1f} core-hours{rate}."
    )


def experiments_of(own: Sequence[tuple[VerdictFile, Answered]], entries: dict[str, Entry]) -> Iterator[str]:
    """A paragraph and a list of answers for each experiment of a paper."""
    for name in dict.fromkeys(data.experiment for data, _ in own):
        answers = [(data, answer) for data, answer in own if data.experiment == name]
        regime = entries[name].regime if name in entries else None
        how = f" Regime {regime}: {REGIMES[regime]}." if regime else ""
        first = answers[0][0]
        yield f"[{name}](../results/{first.folder}/table.md), {first.scale} scale, {first.runs.done} runs.{how}"
        yield "\n".join(sentence(answer) for _, answer in answers)


def sentence(answer: Answered) -> str:
    """One claim: its answer, what was found, and in brackets what that rests on."""
    known = basis(answer)
    return f"- **{answer.answer}**: {answer.statement}. {answer.detail}{f' ({known})' if known else ''}"
