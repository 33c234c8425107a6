"""Study `convolution_speed`: one convolution by every algorithm: its error, its products, its time.

Times are medians of repeated calls in single precision and depend on the machine; products do not.
"""

from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from time import perf_counter

import torch
from torch import Tensor

from replicate.data.random import generator
from replicate.experiments.run_config import RunConfig
from replicate.runs.records import Measurement, curve, singles
from replicate.runs.task import Outcome, Task
from replicate.statements import algorithms as by
from replicate.statements.measure import multiplications
from replicate.studies.options import SpeedOptions

TOLERANCES = {"winograd_4x4": 1e-4, "separable": 1e-4}
"""Largest error allowed, as a share of the largest output; 2e-5 where none is named."""
TOLERANCE = 2e-5


def applicable(kernel: int) -> dict[str, by.Algorithm]:
    """The algorithms for kernels of that size: minimal filtering is here for 3x3, as Lavin and Gray 2016 have it."""
    return {name: run for name, run in by.ALGORITHMS.items() if kernel == 3 or not name.startswith("winograd")}


def problem(name: str, kernel: int, maps: int, channels: int, seed: int, device: str) -> tuple[Tensor, Tensor]:
    """An image and kernels whose `channels` output maps have `maps` pixels a side; for two passes one rank-1 kernel."""
    rng, side = generator(seed, "convolution", kernel, maps), maps + kernel - 1
    if name == "separable":
        column, row = torch.randn(2, kernel, generator=rng)
        kernels = torch.outer(column, row)[None, None]
    else:
        kernels = torch.randn(channels, channels, kernel, kernel, generator=rng)
    images = torch.randn(1, kernels.shape[1], side, side, generator=rng)
    return images.to(device), kernels.to(device)


def relative_error(result: Tensor, images: Tensor, kernels: Tensor) -> float:
    """The largest difference from torch's convolution in double precision, as a share of its largest output."""
    exact = by.torch_conv(images.double(), kernels.double())
    return ((result - exact).abs().max() / exact.abs().max()).item()


def checked(name: str, run: by.Algorithm, images: Tensor, kernels: Tensor) -> float:
    """The error of one algorithm. Raises ValueError when it is larger than its tolerance."""
    error = relative_error(run(images, kernels), images, kernels)
    if not error <= TOLERANCES.get(name, TOLERANCE):
        raise ValueError(f"{name} is off by {error:.1e} of the largest output, more than its tolerance")
    return error


def products(name: str, run: by.Algorithm, images: Tensor, kernels: Tensor) -> float:
    """Multiplications of data with weights for each output and input channel; transforms are not among them.

    A complex product is counted as the four of its parts.
    """
    outputs = by.torch_conv(images, kernels).numel() * images.shape[1]
    stage = transformed(name, images, kernels)
    if stage is None:
        return multiplications(run, images, kernels) / outputs
    multiply, data, weights = stage
    return multiplications(multiply, data, weights) * (4 if data.is_complex() else 1) / outputs


def transformed(name: str, images: Tensor, kernels: Tensor) -> tuple[by.Product, Tensor, Tensor] | None:
    """The product stage of an algorithm that works on transforms, with what it is given."""
    if name == "fft":
        size = images.shape[2:]
        return by.spectral_product, torch.fft.rfft2(images), torch.fft.rfft2(kernels, s=size)
    if name.startswith("winograd"):
        side = int(name[-1])
        tiles = by.winograd_tiles(images, side, kernels.shape[2])
        return by.winograd_product, tiles, by.winograd_kernels(kernels, side)
    return None


def milliseconds(call: Callable[[], object], device: str, budget: float) -> float:
    """Median time of one call over `budget` seconds of calls, at least three; a GPU is waited for."""

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    call()
    times: list[float] = []
    while len(times) < 3 or sum(times) < budget:
        wait()
        started = perf_counter()
        call()
        wait()
        times.append(perf_counter() - started)
    return 1e3 * median(times)


def run(task: Task[RunConfig[SpeedOptions]]) -> Outcome:
    """For every algorithm and map its time, under its name; on the largest map its error and its products.

    Raises ValueError when an algorithm is further from torch's result than its tolerance.
    """
    return Outcome(tuple(measure(task.run.config.options, task.run.seed, device_of(task))))


def device_of(task: Task) -> str:
    return "cuda" if task.machine.accelerator != "cpu" and torch.cuda.is_available() else "cpu"


def measure(options: SpeedOptions, seed: int, device: str) -> Iterator[Measurement]:
    """The measurements, one algorithm after the other."""
    for name, algorithm in applicable(options.kernel).items():
        times = {}
        for maps in sorted(options.maps):
            given = problem(name, options.kernel, maps, options.channels, seed, device)
            error = checked(name, algorithm, *given)
            times[maps] = milliseconds(partial(algorithm, *given), device, options.milliseconds / 1e3)
        needed = products(name, algorithm, *given)
        saving = products("direct", by.direct, *given) / needed
        yield from curve(name, times.items())
        yield from singles({f"{name}_error": error, f"{name}_products": needed, f"{name}_saving": saving})
