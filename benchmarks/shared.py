"""python -m benchmarks.shared: a store and a results/ that processes of two process-id spaces read and write at once.

Needs the right to make process-id namespaces (unshare, as root). Prints how many reads and writes were torn or failed.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from replicate.report.verdict_file import VERDICTS, read_verdicts, verdict_paths
from replicate.report.write import results_lock, write_files, write_index
from replicate.runs.committed import RECORDS, read_records, records_file
from replicate.runs.store import RunStore

SPACES, PROCESSES = 2, 4
READS_A_WRITE, READS_AN_INDEX = 20, 500


def work(store: RunStore, results: Path, reads: int, seed: int) -> Counter[str]:
    """Read records, results and verdicts at random; write them anew now and then. What is written never changes."""
    drawn, counted = random.Random(seed), Counter[str]()
    runs = sorted(store.finished())
    folders = sorted(path.parent for path in verdict_paths(results))
    wanted = {folder: [record.id for record in read_records(folder / RECORDS)] for folder in folders}
    for number in range(reads):
        run, folder = drawn.choice(runs), drawn.choice(folders)
        counted["reads"] += 1
        try:
            record = store.read(run)
            whole = record is not None and record.id == run
            records = read_records(folder / RECORDS)
            read_verdicts(folder / VERDICTS)
            counted["torn"] += not (whole and [each.id for each in records] == wanted[folder])
            if number % READS_A_WRITE == seed % READS_A_WRITE and record is not None:
                store.write(record)
                with results_lock(results):
                    write_files(folder, {RECORDS: records_file(records)})
                counted["writes"] += 1
            if number % READS_AN_INDEX == (seed * 61) % READS_AN_INDEX:
                write_index(results)
                counted["indices"] += 1
        except Exception as error:
            counted["errors"] += 1
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
    return counted


def prepared(folder: Path, results: Path) -> None:
    """A store and a results/ made of committed records of two experiments."""
    store = RunStore(folder / "runs")
    store.prepare()
    for name in ("resnet/resnet_degradation/laptop", "resnext/resnext_cardinality/laptop"):
        shutil.copytree(results / name, folder / "results" / name)
        for record in read_records(results / name / RECORDS):
            store.folder(record.id).mkdir()
            store.write(record)


def space(folder: Path, reads: int, number: int) -> subprocess.Popen[str]:
    """The processes of one process-id namespace, whose first is number 1 there."""
    child = f"{sys.executable} -m benchmarks.shared --child {folder} --reads {reads} --seed"
    script = " & ".join(f"{child} {number * PROCESSES + each}" for each in range(PROCESSES)) + " & wait"
    command = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", script]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shared", description=__doc__)
    parser.add_argument("--reads", type=int, default=20_000, help="reads of all processes together")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.child is not None:
        counted = work(RunStore(asked.child / "runs"), asked.child / "results", asked.reads, asked.seed)
        print(json.dumps(dict(counted) | {"pid": os.getpid()}), flush=True)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        prepared(Path(folder), asked.results)
        share = -(-asked.reads // (SPACES * PROCESSES))
        spaces = [space(Path(folder), share, number) for number in range(SPACES)]
        told = [json.loads(line) for each in spaces for line in each.communicate()[0].splitlines()]
        parts = [path.name for path in Path(folder).rglob("*.part")]
    total = sum((Counter({key: value for key, value in one.items() if key != "pid"}) for one in told), Counter[str]())
    print(f"{len(told)} processes in {SPACES} process-id spaces, numbers {sorted(one['pid'] for one in told)}")
    print(
        f"{total['reads']:,} reads, {total['writes']:,} writes, {total['indices']:,} indices; "
        f"torn {total['torn']}, errors {total['errors']}, parts left {len(parts)}"
    )
    return int(len(told) != SPACES * PROCESSES or total["torn"] + total["errors"] + len(parts) > 0)


if __name__ == "__main__":
    raise SystemExit(main())
