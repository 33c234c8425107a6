"""Everything that the site shows, read once: papers, experiments, and what was found for each experiment and scale."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from replicate.experiments.catalogue import Entry, catalogue
from replicate.experiments.experiment import load_experiment
from replicate.experiments.scale import Scale
from replicate.overview.standing import standings
from replicate.papers import Claim, Paper, load_paper, paper_ids
from replicate.report import Findings, findings_of, judge
from replicate.report.forest import Forest, forest
from replicate.report.networks import NETWORKS
from replicate.report.verdict_file import verdict_file
from replicate.report.write import FIGURE
from replicate.runs.committed import committed_records, folder_of
from replicate.verdicts import Outcome, Verdict

COUNTED = {Outcome.HOLDS: Outcome.EXACT, Outcome.OPPOSITE: Outcome.DIFFERS}
LAST = 9999  # the year of the source documents, which stand behind the papers


@dataclass(frozen=True, eq=False)
class Result:
    """One experiment at one scale of which there are records."""

    entry: Entry
    findings: Findings
    verdicts: tuple[Verdict, ...]
    figure: bytes | None = None

    def outcome(self, verdict: Verdict) -> Outcome:
        """What the verdict says; a count that is as claimed is exact, one that is not differs."""
        counted = self.scale is Scale.EXACT
        return COUNTED.get(verdict.outcome, verdict.outcome) if counted else verdict.outcome

    @property
    def outcomes(self) -> list[Outcome]:
        return [self.outcome(verdict) for verdict in self.verdicts]

    @property
    def drawn(self) -> str:
        """Where the site has its figure."""
        return f"data/{self.entry.name}/{self.scale}/{FIGURE}"

    @property
    def scale(self) -> Scale:
        return self.findings.experiment.scale


@dataclass(frozen=True)
class Answer:
    """What one experiment says of a claim at one scale; `verdict` is None where it was not run."""

    entry: Entry
    scale: Scale
    verdict: Verdict | None
    result: Result | None = None

    @property
    def outcome(self) -> Outcome:
        return self.result.outcome(self.verdict) if self.verdict and self.result else Outcome.NOT_RUN

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
    networks: bytes | None = None

    @cached_property
    def trained(self) -> frozenset[tuple[str, str]]:
        """The claims, as (paper, claim), that take trained networks to answer."""
        standing = standings(self.entries, [])
        return frozenset((one.paper, one.claim) for one in standing if one.trained)

    def forest(self, paper: Paper | None = None) -> Forest:
        """The effects of all papers, or of one."""
        results = [r for r in self.results if paper is None or r.entry.paper == paper.id]
        return forest(verdict_file(result.findings, result.verdicts) for result in results)

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
        return [self.answer(entry, scale, claim) for entry in asking]

    def answer(self, entry: Entry, scale: Scale, claim: Claim) -> Answer:
        results = [result for result in self.results_of(entry) if result.scale == scale]
        found = (Answer(entry, scale, v, result) for result in results for v in result.verdicts if v.claim == claim.id)
        return next(found, Answer(entry, scale, None))

    def outcomes_of(self, paper: Paper) -> list[Outcome]:
        """Of every verdict on the paper's claims, at all scales."""
        return [outcome for r in self.results if r.entry.paper == paper.id for outcome in r.outcomes]


def in_order(scales: Iterable[Scale]) -> tuple[Scale, ...]:
    """Scales from the smallest to the published size, and what is exact."""
    return tuple(sorted(scales, key=list(Scale).index))


def read_content(results_dir: Path) -> Content:
    """Papers and experiments of the suite, and what `results_dir` holds of them. Raises UserError for damaged files."""
    entries = tuple(catalogue())
    papers = tuple(sorted(map(load_paper, paper_ids()), key=lambda paper: (paper.year or LAST, paper.id)))
    results = tuple(result for entry in entries for result in read_results(entry, results_dir))
    networks = results_dir / NETWORKS
    return Content(papers, entries, results, networks.read_bytes() if networks.is_file() else None)


def read_results(entry: Entry, results_dir: Path) -> Iterator[Result]:
    """The results of one experiment; records of a plan that the experiment's file no longer has count as none."""
    for scale in in_order(entry.judged_scales):
        records = committed_records(results_dir, entry.paper, entry.name, scale)
        if records:
            experiment = load_experiment(entry.name, [f"scale={scale}"])
            findings = findings_of(experiment, records)
            if findings.records:
                figure = folder_of(experiment, results_dir) / FIGURE
                drawn = figure.read_bytes() if figure.is_file() else None
                yield Result(entry, findings, tuple(judge(findings)), drawn)
