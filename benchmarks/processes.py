"""The same work in several processes at once: files of their own, since spawned processes import them by name."""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

import torch

from benchmarks.training import our_trainer
from replicate.training.trainer import quiet_lightning


def train_in_process(threads: int, steps: int) -> float:
    """Our Trainer's images/s in a fresh process."""
    torch.set_num_threads(threads)
    with quiet_lightning():
        trainer = our_trainer()
        trainer(10)
        return trainer(steps)


def together(processes: int, threads: int, steps: int) -> float:
    """Summed images/s of `processes` that train at the same time."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        return sum(pool.map(train_in_process, [threads] * processes, [steps] * processes))


def peak_together(processes: int) -> float:
    """Summed FLOP/s of a matrix product in `processes` at the same time, one thread each."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        return sum(pool.map(matmul_peak, [1024] * processes, [2.0] * processes))


def matmul_peak(size: int = 1024, seconds: float = 0.3) -> float:
    """FLOP/s of a square float32 matrix product in one thread, measured now."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        a, b = torch.randn(size, size), torch.randn(size, size)
        torch.mm(a, b)
        best, began = float("inf"), time.perf_counter()
        while time.perf_counter() - began < seconds:
            start = time.perf_counter()
            torch.mm(a, b)
            best = min(best, time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    return 2 * size**3 / best
