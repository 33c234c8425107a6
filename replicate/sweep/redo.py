"""Committed runs done again: a few of results/, taken at random, in a store of their own, compared number by number."""

import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from replicate.errors import UserError
from replicate.experiments.catalogue import Entry
from replicate.experiments.experiment import load_experiment
from replicate.experiments.kinds import STUDIES
from replicate.runs.committed import RECORDS, read_records, result_folder
from replicate.runs.records import Record
from replicate.runs.store import RunStore
from replicate.sweep.launch import do_runs

TIMED = ("convolution_speed", "step_time", "memory")
"""Studies that measure this machine, in seconds and bytes: their numbers are not the same twice."""
KIND = ("cpu", "gpu", "accelerator", "threads", "channels_last", "compile")
PACKAGES = ("torch", "torchvision", "numpy")
RELATIVE, POINTS = 0.25, 5.0
"""Tolerance on another kind of processor, where roundings grow with every step of a training as another seed would:
a share of the value, or that many percentage points of an error, whichever is more."""
ROUNDING = 1e-6  # the share of a value that is not trained


@dataclass(frozen=True)
class Verified:
    """A committed record beside the same run done again. `differences`: each a measurement and its two values."""

    record: Record
    bitwise: bool
    differences: tuple[str, ...]

    def line(self) -> str:
        """What became of it, in one line."""
        record = self.record
        name = f"{record.experiment} {record.scale} {record.variant} seed {record.seed}"
        if self.differences:
            more = f" and {len(self.differences) - 3} more" if len(self.differences) > 3 else ""
            return f"{name}: DIFFERS in {'; '.join(self.differences[:3])}{more}"
        return f"{name}: equal {'to the bit' if self.bitwise else 'within the tolerance of another kind of processor'}"


def choose(entries: Sequence[Entry], results: Path, scale: str | None, count: int, draw: int) -> list[Record]:
    """`count` of the committed records, of as many experiments as there are; equal draws choose the same.

    Raises UserError for a file whose seals do not match, and where there is nothing to choose from.
    """
    source = random.Random(draw)
    found = [records for entry in entries if (records := committed(entry, results, scale))]
    if not found:
        raise UserError("no committed records to verify: they come with a checkout, in results/")
    source.shuffle(found)
    for records in found:
        source.shuffle(records)
    turns = (records.pop() for _ in range(max(map(len, found))) for records in found if records)
    return [record for record, _ in zip(turns, range(count), strict=False)]


def committed(entry: Entry, results: Path, scale: str | None) -> list[Record]:
    """The committed records of one experiment that a run on this machine can be compared with."""
    if entry.study in TIMED:
        return []
    scales = [one for one in entry.scales if scale in (None, one)]
    paths = [result_folder(results, entry.paper, entry.name, one) / RECORDS for one in scales]
    # a record that two experiments share is verified as the one whose name it has
    return [record for path in paths for record in read_records(path) if record.experiment == entry.name]


def verify_record(record: Record) -> Verified:
    """Do the record's run again and compare."""
    with tempfile.TemporaryDirectory(prefix="verify-") as folder:
        overrides = [f"scale={record.scale}", f"runs_dir={folder}", "launcher=inline", "wandb=disabled"]
        experiment = load_experiment(record.experiment, overrides)
        run = experiment.run(record.variant, record.seed)
        if run.id != record.id:
            return Verified(record, False, (f"its id, {record.id}: the experiment's file now says {run.id}",))
        store = RunStore(Path(folder))
        do_runs([(experiment, run)], store, quiet=True)
        again = store.read(run.id)
        if again is None:
            trace = store.trace_path(run.id)
            why = trace.read_text(encoding="utf-8").strip().splitlines()[-1] if trace.exists() else "no record"
            return Verified(record, False, (f"that it failed now: {why}",))
        return compared(record, again)


def compared(record: Record, again: Record) -> Verified:
    """The two records of one run, to the bit where the same kind of machine made both."""
    bitwise = kind(record.provenance) == kind(again.provenance)
    trained = STUDIES[str(record.config["study"])].trains
    return Verified(record, bitwise, tuple(differences(record, again, bitwise, trained)))


def kind(provenance: dict[str, Any]) -> dict[str, Any]:
    """What must be the same for equal bits: the processor, how it is used, and the libraries.

    Older records do not say which accelerator they used: it follows from the GPU.
    """
    used = {"accelerator": "cpu" if provenance.get("gpu") is None else "cuda"}
    return {
        **{key: provenance.get(key) for key in KIND},
        **used,
        **{name: provenance["packages"].get(name) for name in PACKAGES},
    }


def differences(record: Record, again: Record, bitwise: bool, trained: bool) -> Iterator[str]:
    """Each number that differs, with the committed value and today's."""
    for name in ("status", "parameters", "multiply_adds"):
        before, now = getattr(record, name), getattr(again, name)
        if before != now:
            yield f"{name} ({before} committed, {now} now)"
    before, now = numbers(record), numbers(again)
    for key in [*before, *(key for key in now if key not in before)]:
        if key not in before or key not in now:
            yield f"{label(key)} ({'committed' if key in before else 'now'} only)"
        elif not (before[key] == now[key] if bitwise else close(key, before[key], now[key], trained)):
            yield f"{label(key)} ({before[key]} committed, {now[key]} now)"


Key = tuple[str, float | None]
"""A metric and its index."""


def numbers(record: Record) -> dict[Key, float | None]:
    return {(m.metric, m.index): m.value for m in record.measurements}


def label(key: Key) -> str:
    return key[0] if key[1] is None else f"{key[0]} at {key[1]:g}"


def close(key: Key, before: float | None, now: float | None, trained: bool) -> bool:
    """Whether two values agree across kinds of processors: curves of a training are not compared point by point."""
    if trained and key[1] is not None:
        return True
    if before is None or now is None:
        return before is now
    if not trained:
        return abs(before - now) <= ROUNDING * abs(before)
    points = POINTS if "error" in key[0] else 0.0
    return abs(before - now) <= max(RELATIVE * abs(before), points)
