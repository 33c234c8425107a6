"""The records that came with the repository, and the user's own that stand in for them; read without statistics."""

from collections.abc import Iterable
from pathlib import Path

from replicate.errors import UserError, first_line
from replicate.experiments.experiment import Experiment
from replicate.files import read_file
from replicate.runs.records import Record, parse_line, sealed_line
from replicate.runs.store import RunStore

RECORDS = "records.jsonl"
MOST_SEEDS = 16
"""The seeds that an answer may rest on: the last of the looks of replicate.verdicts.looks."""


def result_folder(results_dir: Path, paper: str, experiment: str, scale: str) -> Path:
    """Where the results of one experiment at one scale lie."""
    return results_dir / paper / experiment / scale


def folder_of(experiment: Experiment, results_dir: Path) -> Path:
    """Where the results of an experiment at its scale lie."""
    return result_folder(results_dir, experiment.settings.paper, experiment.name, experiment.scale)


def committed_records(results_dir: Path, paper: str, experiment: str, scale: str) -> list[Record]:
    """The records that came with the repository, so that a fresh clone can report without a run."""
    return read_records(result_folder(results_dir, paper, experiment, scale) / RECORDS)


def available_records(experiment: Experiment, store: RunStore, results_dir: Path) -> list[Record]:
    """The user's own runs of the experiment, further seeds among them, if there are any; else the committed ones."""
    done = store.finished()
    runs = {run.id: run for run in [*experiment.runs(), *experiment.runs(seeds=range(MOST_SEEDS))]} if done else {}
    own = [store.read(run) for run in runs if run in done]  # resolving a run takes long, so not without any record
    found = [record for record in own if record is not None]
    return found or read_records(folder_of(experiment, results_dir) / RECORDS)


def joint_records(experiment: Experiment, store: RunStore, results_dir: Path) -> list[Record]:
    """The committed runs of the experiment and the user's own, which stand in for committed ones of the same id.

    So a suite adds seeds to what is committed, and does none of it again.
    """
    committed = read_records(folder_of(experiment, results_dir) / RECORDS)
    own = available_records(experiment, store, results_dir)
    return list({record.id: record for record in [*committed, *own]}.values())


def read_records(path: Path) -> list[Record]:
    """The records of a records.jsonl, none if there is no such file.

    Raises UserError for a line that is damaged, stands twice or was changed by hand: its seal tells. Files of an older
    suite have no seals at all.
    """
    records: dict[str, Record] = {}
    any_sealed: bool | None = None
    for number, line in enumerate(lines_of(path), start=1):
        try:
            record, sealed = parse_line(line)
            if any_sealed is not None and sealed != any_sealed:
                raise ValueError("it has no seal, others have" if any_sealed else "it has a seal, others have none")
            if record.id in records and (sealed or records[record.id] != record):  # older files may repeat a record
                raise ValueError(f"{record.id} stands twice")
        except ValueError as error:
            why = first_line(error).splitlines()[0]
            raise UserError(f"{path}, line {number}, is no record ({why}); take the file from git again") from error
        records[record.id], any_sealed = record, sealed
    return list(records.values())


def lines_of(path: Path) -> list[bytes]:
    """The lines of a file, none if there is no such file. Raises UserError for a folder or pipe in its place."""
    try:
        return read_file(path).splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def records_file(records: Iterable[Record]) -> bytes:
    """A sealed line for each record, also for one that two variants share."""
    return "".join(f"{sealed_line(record)}\n" for record in {record.id: record for record in records}.values()).encode()
