"""python -m benchmarks.sweeps: what 10,000 runs cost before the first begins, when all are done, and in `list`."""

import argparse
import io
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import chdir, redirect_stdout, suppress
from datetime import date
from pathlib import Path
from unittest.mock import patch

from benchmarks.__main__ import line
from replicate.cli import app
from replicate.experiments.experiment import load_experiment
from replicate.experiments.run_config import Run
from replicate.paths import OWN
from replicate.runs.provenance import cpu_name
from replicate.runs.records import Measurement, Record, Timing, dump
from replicate.runs.store import RunStore
from replicate.sweep import executors, launch

NAME, VARIANTS, EPOCHS, GOAL = "many_runs", 40, 30, 10
WORDS = ("scale=smoke", "launcher=inline", "wandb=disabled")
HEADER = """# @package _global_
# Forty widths of one network, as often as is asked for: python -m benchmarks.sweeps
table: cifar10_depth
question: how long does a sweep take beside its runs?
cost: {smoke: "nothing, since no run is done"}
expected: seconds
scales: [smoke]
model: {name: resnet_cifar, depth: 8}
variants:
"""


class FirstRun(BaseException):
    """Raised where the first run would begin; no error, so that nobody on the way keeps it."""


def write_experiment(own: Path, variants: int = VARIANTS) -> None:
    """An experiment of the user's own folder, with a width for each variant."""
    folder = own / "experiment" / "resnet"
    folder.mkdir(parents=True)
    rows = [f"  w{number}: {{model: {{width: {1 + number / 100}}}}}\n" for number in range(variants)]
    (folder / f"{NAME}.yaml").write_text(HEADER + "".join(rows))


def record_of(run: Run) -> Record:
    """What a training of 30 epochs leaves, with invented numbers."""
    curves = [
        Measurement(metric=metric, index=epoch, value=run.seed / (epoch + place))
        for place, metric in enumerate(("train_loss", "train_error", "learning_rate"))
        for epoch in range(1, EPOCHS + 1)
    ]
    return Record(
        id=run.id,
        experiment=run.experiment,
        scale=run.scale,
        variant=run.variant,
        seed=run.seed,
        status="finished",
        config=run.config.identity(),
        measurements=(*curves, Measurement(metric="test_error", value=12.5)),
        parameters=1,
        multiply_adds=1,
        timing=Timing(seconds=60.0, images_per_second=800.0),
        provenance={"commit": None},
    )


def fill(store: RunStore, runs: Sequence[Run]) -> None:
    """A record for each run, written without the care that costs a flush of the disk each."""
    for run in runs:
        path = store.record_path(run.id)
        path.parent.mkdir(parents=True)
        path.write_bytes(dump(record_of(run)))


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds, so that other work on the machine does not count."""
    started = time.process_time()
    work()
    return time.process_time() - started


def start(words: Sequence[str]) -> None:
    """A sweep up to the moment when its first run would begin."""
    with patch.object(executors, "execute", side_effect=FirstRun), suppress(FirstRun):
        launch.run_experiment(NAME, words)


def skip(words: Sequence[str], runs: int) -> None:
    """A sweep of runs that are all done."""
    assert launch.run_experiment(NAME, words).done_before == runs


def measure(runs: int) -> dict[str, float]:
    """Processor seconds of each thing that is done with `runs` runs; in an empty current folder."""
    words = [*WORDS, f"seeds={runs // VARIANTS}"]
    experiment = load_experiment(NAME, words)
    starting = seconds(lambda: start(words))
    fill(RunStore(experiment.runs_dir), experiment.runs())
    skipping = seconds(lambda: skip(words, runs))
    with redirect_stdout(io.StringIO()):
        listing = seconds(lambda: app(["list", "--json"], standalone_mode=False))
    return {"starting": starting, "skipping": skipping, "list": listing}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweeps", description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    runs = parser.parse_args(arguments).runs
    print(f"{date.today()}  {cpu_name()}, {len(os.sched_getaffinity(0))} cores")
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        write_experiment(Path(folder) / "own")
        os.environ[OWN] = str(Path(folder) / "own")
        start([*WORDS, "variant=w0"])  # imports
        half = measure(runs // 2)
        Path("runs").rename("half")
        whole = measure(runs)
    for what, spent in whole.items():
        line(
            f"{what}, {runs:,} runs of {VARIANTS} variants",
            f"{spent:.2f} s of CPU time",
            f"half of them: {half[what]:.2f}",
        )
    line("in all", f"{sum(whole.values()):.2f} s of CPU time", f"to reach: {GOAL}")


if __name__ == "__main__":
    main()
