"""One fault: a folder, the undisturbed run to compare with, and the judgement."""

import hashlib
import random
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults import sitting
from benchmarks.faults.hooks import EVENTS, FUSE, Hook, keep_log
from replicate.files import canonical
from replicate.runs.records import parse

PLAIN = (sitting.EXPERIMENT, "scale=smoke", "wandb=disabled", "launcher=inline", "machine.checkpoint_seconds=0")
TINY = ("variant=A,B", "model.depth=8", "data.train_images=60", "data.test_images=20", "recipe.batch_size=10")
TRAINING = (*PLAIN, *TINY, "recipe.epochs=2")
"""Two runs of twelve batches, a checkpoint after each."""
REPORTING = ("path_lengths", "wandb=disabled", "launcher=inline")
"""Computed in seconds, and so with results/, a figure and all; smoke scale writes none."""
KEPT = re.compile(r"lock|progress\.json|(lock|record\.json|last\.ckpt)\.damaged-\d+")
"""What may lie in a run's folder besides its record and weights."""


@dataclass(frozen=True)
class Reference:
    """An undisturbed sitting: how long it took, what it left, and where."""

    folder: Path
    words: tuple[str, ...]
    seconds: float
    content: dict[str, str]
    batches: int


def content(folder: Path) -> dict[str, str]:
    """What a sweep left: records without timing and provenance, digests of weights, results/ byte by byte.

    Anything that should not be there is in it, too, under its name.
    """
    return dict([*run_files(folder / "runs"), *result_files(folder / "results")])


def run_files(runs: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(runs.glob("*/*")):
        name = f"{path.parent.name}/{path.name}"
        if path.parent.name.startswith(".") or KEPT.fullmatch(path.name):
            continue
        if path.name == "record.json":
            yield name, canonical(parse(path.read_bytes()).outcome())
        else:
            yield name, digest(path)


def result_files(results: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(results.rglob("*")):
        if path.is_file() and path.name != ".lock":
            yield path.relative_to(results.parent).as_posix(), digest(path)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def events(log: Path, kind: str) -> list[tuple[str, int]]:
    """(run, batch) of each line of that kind in the log; batch 0 where there is none."""
    lines = log.read_text().splitlines() if log.exists() else []
    words = [line.split() for line in lines]
    return [(run, int(rest[0]) if rest else 0) for what, run, *rest in words if what == kind]


TRACEBACK = "Traceback (most recent call last)"
"""On the terminal, where one line was due."""


class Unexpected(Exception):
    """Something else than the store went wrong."""


def expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise Unexpected(otherwise)


class Trial:
    """A folder in which the command of `reference` meets one fault. Kinds of fault call the methods.

    `until_judged` holds what is to be undone at the end.
    """

    def __init__(self, folder: Path, reference: Reference, draw: random.Random, words: tuple[str, ...] = ()) -> None:
        self.folder, self.reference, self.draw = folder, reference, draw
        self.words = (*reference.words, *words)
        self.log, self.fuse = folder / EVENTS, folder / FUSE
        self.until_judged = ExitStack()
        folder.mkdir(mode=0o777)
        folder.chmod(0o777)  # whatever the umask: a sitting of root is nobody's

    def start(self, *hooks: Hook) -> sitting.Sitting:
        return sitting.start(self.words, self.folder, (keep_log(self.log), *hooks))

    def run(self, *hooks: Hook) -> int:
        return self.start(*hooks).wait()

    def bring_runs(self) -> None:
        """Begin with the finished runs of the reference, so that only the report is left to do."""
        shutil.copytree(self.reference.folder / "runs", self.folder / "runs", copy_function=shutil.copy)
        for path in [self.folder / "runs", *(self.folder / "runs").rglob("*")]:
            path.chmod(0o777)

    def events(self, kind: str) -> list[tuple[str, int]]:
        return events(self.log, kind)

    def trained(self, batches: int) -> Callable[[], bool]:
        """Whether that many batches were trained."""
        return lambda: len(self.events("trained")) >= batches

    def files(self, name: str) -> list[Path]:
        return sorted((self.folder / "runs").glob(f"*/{name}"))

    @property
    def batches(self) -> int:
        """Batches of the whole sweep."""
        return self.reference.batches

    def repeated(self) -> int:
        """Batches that were trained again."""
        return sum(times - 1 for times in Counter(self.events("trained")).values())

    def recorded_again(self) -> int:
        """Records that were written again."""
        return sum(times - 1 for times in Counter(self.events("recorded")).values())


@dataclass(frozen=True)
class Allowance:
    """What a fault may cost: batches trained again and records written again."""

    batches: int = 0
    records: int = 0


@dataclass(frozen=True)
class Judgement:
    """How a trial ended. All four are False, or the suite has lost, altered or doubled somebody's run, or did not say
    in a line what was wrong."""

    lost: bool
    different: bool
    doubled: bool
    unclear: bool
    detail: str

    @property
    def good(self) -> bool:
        return not (self.lost or self.different or self.doubled or self.unclear)


def judge(trial: Trial, allowance: Allowance, code: int) -> Judgement:
    """Compare what is there after the same command was run again, and ended with `code`, with the reference."""
    wanted, found = trial.reference.content, content(trial.folder)
    lost = sorted(set(wanted) - set(found))
    different = sorted(name for name, value in found.items() if wanted.get(name, "nothing") != value)
    repeated, again = trial.repeated(), trial.recorded_again()
    detail = f"exit {code}, lost {lost}, different {different}, {repeated} batches and {again} records again"
    return Judgement(
        lost=bool(lost) or code != 0,
        different=bool(different),
        doubled=repeated > allowance.batches or again > allowance.records,
        unclear=TRACEBACK in (trial.folder / "output").read_text(encoding="utf-8", errors="replace"),
        detail=f"{detail}, allowed {allowance}",
    )
