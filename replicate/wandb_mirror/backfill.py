"""Records that came with the repository, sent to wandb, so that a dashboard of the committed tables has content."""

import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from replicate.errors import UserError
from replicate.experiments.catalogue import find
from replicate.experiments.experiment import load_experiment
from replicate.experiments.run_config import Run
from replicate.files import canonical, digest
from replicate.report import findings_of, judge
from replicate.report.findings import Findings
from replicate.runs.committed import RECORDS, read_records
from replicate.runs.records import Record
from replicate.runs.store import RunStore
from replicate.wandb_mirror.ledger import Ledger
from replicate.wandb_mirror.mirrored import (
    Mirror,
    axis,
    define_axes,
    end,
    head,
    levels,
    mirror_of,
    published_values,
    references,
    rows,
)
from replicate.wandb_mirror.session import attempt, mode_of, open_run
from replicate.wandb_mirror.summary import mirror_summary

AT_ONCE = 8  # runs; opening one is mostly waiting for the server


@dataclass(frozen=True)
class Sent:
    """How many runs were written to wandb now, how many had been before, and how many could not be."""

    now: int = 0
    before: int = 0
    failed: int = 0

    def __add__(self, other: "Sent") -> "Sent":
        return Sent(self.now + other.now, self.before + other.before, self.failed + other.failed)


@dataclass(frozen=True)
class Past:
    """A finished run as wandb will show it under `name`."""

    name: str
    mirror: Mirror
    run: Run
    record: Record

    @property
    def content(self) -> str:
        """The digest of all that is sent."""
        published = published_values(self.mirror, self.run)
        content = [head(self.mirror, self.run, self.record.provenance, published), self.record.model_dump(mode="json")]
        return digest(canonical(content))[:12]


def mirror_results(results: Path, name: str | None, words: Sequence[str]) -> Sent:
    """Send what lies in `results`, of one experiment or of all. What a server refuses is a line. Raises UserError."""
    if name is not None:
        find(name)
    owners = owners_of(results)
    wanted = [word.removeprefix("scale=") for word in words if word.startswith("scale=")]
    rest = [word for word in words if not word.startswith("scale=")]
    sent = Sent()
    for experiment, scale, path in committed(results):
        if name in (None, experiment) and (not wanted or scale in wanted):
            sent += mirror_experiment(experiment, [f"scale={scale}", *rest], read_records(path), owners)
    return sent


def committed(results: Path) -> Iterator[tuple[str, str, Path]]:
    """Experiment, scale and records of every folder in `results`."""
    for path in sorted(results.rglob(RECORDS)):
        with path.open(encoding="utf-8") as lines:
            first = json.loads(next(lines, "{}"))
        if first:
            yield first["experiment"], first["scale"], path


def owners_of(results: Path) -> dict[str, str]:
    """Run -> the group under whose name wandb has it: experiments may share runs, but a wandb run has one group."""
    owners: dict[str, str] = {}
    for experiment, scale, path in committed(results):
        for line in path.read_text(encoding="utf-8").splitlines():
            owners.setdefault(json.loads(line)["id"], f"{experiment}-{scale}")
    return owners


def mirror_experiment(name: str, words: list[str], records: Sequence[Record], owners: dict[str, str]) -> Sent:
    """Send the runs of an experiment's plan and the summary of its sweep."""
    experiment = load_experiment(name, words)
    findings, store = findings_of(experiment, records), RunStore(experiment.runs_dir)
    if mode_of(experiment.wandb) == "disabled":
        raise UserError("wandb is disabled by wandb=disabled, WANDB_MODE or WANDB_DISABLED: nothing can be sent")
    ledger, pasts = Ledger(store.root), list(past_runs(findings, owners))
    new = [past for past in pasts if not ledger.has(past.name, past.content)]
    if new:
        print(f"replicate: {name}: {len(new)} runs to send", file=sys.stderr, flush=True)

    def send_one(past: Past) -> bool:
        done = attempt(lambda: send(past, store.root))
        if done:
            ledger.add(past.name, past.content)
        return done

    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = sum(pool.map(send_one, new))
    summary = mirror_summary(findings, judge(findings), store)
    return Sent(done + summary, len(pasts) - len(new), len(new) - done)


def past_runs(findings: Findings, owners: dict[str, str]) -> Iterator[Past]:
    """The finished runs of a plan, under the names that wandb has for them."""
    mirror, plan = mirror_of(findings.experiment), {run.id: run for run in findings.runs}
    for record in findings.records:
        shared = owners.get(record.id, mirror.group) != mirror.group
        yield Past(f"{record.id}-{mirror.group}" if shared else record.id, mirror, plan[record.id], record)


def send(past: Past, runs_dir: Path) -> None:
    """Write the run; where the server has a part of it, the rest. Raises whatever wandb does."""
    mirror, record, x = past.mirror, past.record, axis(past.mirror.study)
    published = published_values(mirror, past.run)
    lines, settings = references(mirror, published), head(mirror, past.run, record.provenance, published)
    opened = open_run(mirror.mode, runs_dir, id=past.name, **settings)
    run = opened.run
    define_axes(run, x)
    run.config.update(settings["config"], allow_val_change=True)
    for row in rows(record, x)[run.starting_step :]:
        run.log({**row, **(levels(lines) if x == "epoch" else {})})
    end(run, record, lines, x)
    opened.close()
