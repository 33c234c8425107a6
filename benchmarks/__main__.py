"""python -m benchmarks: prints each figure beside what it is to reach, all measured in this one run."""

import argparse
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from datetime import date

import torch

from benchmarks.loading import epoch_speed, per_image, resident
from benchmarks.processes import peak_together, together
from benchmarks.training import bare_loop, our_trainer, training_flops_per_image
from replicate.runs.provenance import cpu_name
from replicate.training.trainer import quiet_lightning

ROUNDS = 5
CORES = len(os.sched_getaffinity(0))


def alternate(
    first: Callable[[], float], second: Callable[[], float], rounds: int = ROUNDS
) -> tuple[float, float, float]:
    """Medians of both and of their ratio first / second, measured in turn so that a drifting machine cancels."""
    first(), second()
    pairs = [(first(), second()) for _ in range(rounds)]
    medians = [statistics.median(values) for values in zip(*pairs, strict=True)]
    return medians[0], medians[1], statistics.median(a / b for a, b in pairs)


def line(what: str, figure: str, goal: str = "") -> None:
    print(f"{what:58} {figure:>22}   {goal}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--steps", type=int, default=100, help="training steps of each measurement")
    steps = parser.parse_args(arguments).steps
    print(f"{date.today()}  {cpu_name()}, {CORES} cores, Python {platform.python_version()}, torch {torch.__version__}")
    torch.set_num_threads(1)
    with quiet_lightning():
        bare, trainer = bare_loop(), our_trainer()
        ours, plain, share = alternate(lambda: trainer(steps), lambda: bare(steps))
    line("bare PyTorch loop, ResNet-20, 16 px, batch 64, 1 thread", f"{plain:,.0f} images/s")
    line("our Trainer, the same", f"{ours:,.0f} images/s")
    line("Trainer / bare loop, median of pairs", f"{share:.3f}", "to reach: 0.95")
    many, one, gain = alternate(lambda: together(CORES, 1, steps), lambda: together(1, CORES, steps), rounds=3)
    line(f"our Trainer, {CORES} processes of 1 thread", f"{many:,.0f} images/s")
    line(f"our Trainer, 1 process of {CORES} threads", f"{one:,.0f} images/s")
    line("one process per core / one process, median of pairs", f"{gain:.2f}", "to reach: 1.35")
    peak = statistics.median(peak_together(CORES) for _ in range(3))
    flops = many * training_flops_per_image()
    line(f"matrix-product peak, {CORES} processes of 1 thread", f"{peak / 1e9:,.0f} GFLOP/s")
    line("training FLOP/s of one process per core", f"{flops / 1e9:,.0f} GFLOP/s")
    line("training FLOP/s / peak", f"{flops / peak:.2f}", "to reach: 0.45")
    memory, files = resident(), per_image()
    fast, slow, times = alternate(lambda: epoch_speed(memory), lambda: epoch_speed(files), rounds=3)
    line("resident loader, 32 px, pad-4 crop, flip, 1 thread", f"{fast:,.0f} images/s")
    line("torchvision per image, DataLoader with 2 workers", f"{slow:,.0f} images/s")
    line("resident / per image, median of pairs", f"{times:.1f}", "to reach: 10")


if __name__ == "__main__":
    main()
