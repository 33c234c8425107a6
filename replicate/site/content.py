"""Everything that the site shows, read once: papers, experiments, and what was found for each experiment and scale."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from replicate.experiments.catalogue import Entry, catalogue
from replicate.experiments.experiment import load_experiment
from replicate.experiments.scale import Scale
from replicate.papers import Claim, Paper, load_paper, paper_ids
from replicate.report import Findings, committed_records, judge
from replicate.report.findings import gather
from replicate.verdicts import Outcome, Verdict


@dataclass(frozen=True, eq=False)
class Result:
    """One experiment at one scale of which there are records."""

    entry: Entry
    findings: Findings
    verdicts: tuple[Verdict, ...]

    @property
    def scale(self) -> Scale:
        return self.findings.experiment.scale


@dataclass(frozen=True)
class Answer:
    """What one experiment says of a claim at one scale; `verdict` is None where it was not run."""

    entry: Entry
    scale: Scale
    verdict: Verdict | None

    @property
    def outcome(self) -> Outcome:
        return self.verdict.outcome if self.verdict else Outcome.NOT_RUN

    @property
    def anchor(self) -> str:
        """Where the experiment's page says it."""
        return f"{self.scale}-{self.verdict.claim}" if self.verdict else self.scale


@dataclass(frozen=True)
class Content:
    """Papers by id, experiments by name, results by experiment and scale from the smallest."""

    papers: tuple[Paper, ...]
    entries: tuple[Entry, ...]
    results: tuple[Result, ...]

    @cached_property
    def scales(self) -> tuple[Scale, ...]:
        """The scales worth a column: those at which a claim can be judged and an experiment is run."""
        return in_order({scale for entry in self.entries for scale in entry.judged_scales})

    def results_of(self, entry: Entry) -> tuple[Result, ...]:
        return tuple(result for result in self.results if result.entry.name == entry.name)

    def entries_of(self, paper: Paper) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if entry.paper == paper.id)

    def answers(self, paper: Paper, claim: Claim, scale: Scale) -> list[Answer]:
        """One answer for each experiment that tests the claim at the scale; none if nothing does."""
        asking = [e for e in self.entries_of(paper) if scale in e.scales and claim.id in e.claims]
        return [Answer(entry, scale, self.verdict(entry, scale, claim)) for entry in asking]

    def verdict(self, entry: Entry, scale: Scale, claim: Claim) -> Verdict | None:
        found = (v for r in self.results_of(entry) if r.scale == scale for v in r.verdicts if v.claim == claim.id)
        return next(found, None)

    def outcomes_of(self, paper: Paper) -> list[Outcome]:
        """Of every verdict on the paper's claims, at all scales."""
        return [v.outcome for result in self.results if result.entry.paper == paper.id for v in result.verdicts]


def in_order(scales: Iterable[Scale]) -> tuple[Scale, ...]:
    """Scales from the smallest to the published size, and what is exact."""
    return tuple(sorted(scales, key=list(Scale).index))


def read_content(results_dir: Path) -> Content:
    """Papers and experiments of the suite, and what `results_dir` holds of them. Raises UserError for damaged files."""
    entries = tuple(catalogue())
    papers = tuple(load_paper(paper) for paper in paper_ids())
    results = tuple(result for entry in entries for result in read_results(entry, results_dir))
    return Content(papers, entries, results)


def read_results(entry: Entry, results_dir: Path) -> Iterator[Result]:
    """The results of one experiment; records of a plan that the experiment's file no longer has count as none."""
    for scale in in_order(entry.judged_scales):
        records = committed_records(results_dir, entry.paper, entry.name, scale)
        if records:
            experiment = load_experiment(entry.name, [f"scale={scale}"])
            findings = gather(experiment, experiment.runs(), records)
            if findings.records:
                yield Result(entry, findings, tuple(judge(findings)))
