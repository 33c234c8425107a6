"""Fault after fault, each followed by the same command again and a comparison; and the table of them all."""

import random
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.disks import mountable
from benchmarks.faults.hooks import EVENTS
from benchmarks.faults.kinds import KINDS, Kind
from benchmarks.faults.sitting import Hanging, rehearse, warm
from benchmarks.faults.trial import (
    REPORTING,
    TRAINING,
    Judgement,
    Reference,
    Trial,
    Unexpected,
    content,
    events,
    judge,
)

TRIES = 25  # of a fault that comes too late, since the command was over


@dataclass(frozen=True)
class Line:
    """What became of one kind of fault."""

    kind: str
    judgements: tuple[Judgement, ...]

    def count(self, name: str) -> int:
        return sum(getattr(judgement, name) for judgement in self.judgements)


def reference(folder: Path, words: tuple[str, ...]) -> Reference:
    """Run `words` undisturbed."""
    trial = Trial(folder, Reference(folder, words, 0, {}, 0), random.Random(0))
    began = time.monotonic()
    if trial.run() != 0:
        raise SystemExit(f"the undisturbed command failed:\n{(folder / 'output').read_text()}")
    seconds = time.monotonic() - began
    return Reference(folder, words, seconds, content(folder), len(events(folder / EVENTS, "trained")))


def hold(kind: Kind, trial: Trial) -> Judgement | None:
    """One fault and what came of it; None when it came too late."""
    try:
        with trial.until_judged:
            allowance = kind.disturb(trial)
            return judge(trial, allowance, trial.run()) if allowance is not None else None
    except (Hanging, Unexpected) as error:
        return Judgement(
            lost=True, different=False, doubled=False, unclear=False, detail=f"{type(error).__name__} {error}"
        )


def strike(kind: Kind, folder: Path, base: Reference, seed: str) -> Judgement:
    """Try until the fault strikes. A folder with a bad end stays, to be looked at."""
    for attempt in range(TRIES):
        place = folder / f"{kind.name.replace(' ', '-')}-{seed}-{attempt}"
        judgement = hold(kind, Trial(place, base, random.Random(place.name), kind.words))
        if judgement is None or judgement.good:
            shutil.rmtree(place, ignore_errors=True)
        if judgement is not None:
            if not judgement.good:
                print(f"{kind.name}, {place}: {judgement.detail}", file=sys.stderr, flush=True)
            return judgement
    raise SystemExit(f"{kind.name}: the fault never came in time")


def campaign(folder: Path, each: int, rare: int, kinds: Sequence[Kind] = KINDS) -> Iterator[Line]:
    """`each` faults of every kind, `rare` of the slow ones; yields a line after each kind."""
    warm()
    for words in {(*(REPORTING if kind.reporting else TRAINING), *kind.words) for kind in kinds}:
        if "launcher=local" not in words:
            rehearse(words)
    bases = {
        False: reference(folder / "training", TRAINING),
        True: reference(folder / "reporting", REPORTING),
    }
    possible = mountable(folder)
    for kind in kinds:
        if kind.mounts and not possible:
            print(f"{kind.name}: left out, no tmpfs can be mounted here", file=sys.stderr)
            continue
        count = min(each, rare) if kind.rare else each
        base = bases[kind.reporting]
        yield Line(kind.name, tuple(strike(kind, folder, base, str(number)) for number in range(count)))
