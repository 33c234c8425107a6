"""What an experiment will cost before anything is run."""

import time
from dataclasses import asdict, dataclass
from typing import Any

import torch

from replicate.data.shapes import data_shape
from replicate.experiments.experiment import load_experiment
from replicate.experiments.kinds import STUDIES
from replicate.experiments.run_config import Run
from replicate.models.counting import count
from replicate.runs.progress import clock
from replicate.sweep.executors import workers_of
from replicate.sweep.select import selected
from replicate.training.network import count_network

BACKWARD = 2  # a backward pass takes about two forward passes' multiply-adds: gradients of inputs and of weights
BYTES = 4
GPU_PEAK = {"V100 (fp32)": 15.7e12, "A100 (TF32)": 156e12, "H100 (TF32)": 495e12}  # FLOP/s, NVIDIA's data sheets, dense
GPU_SHARE = 0.25  # of the peak; convolutional training reaches 15 to 40 %
CPU_SHARE = 0.3  # of the measured matrix product, over this suite's laptop records


@dataclass(frozen=True)
class Plan:
    """Sums over the planned runs. Times are in seconds and estimates: operations over an assumed share of the peak."""

    experiment: str
    scale: str
    runs: int
    training_images: int
    training_flops: float
    disk_bytes: int
    seconds_here: float
    seconds_on: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self) -> str:
        gpus = ", ".join(f"{name} {clock(seconds)}" for name, seconds in self.seconds_on.items())
        return "\n".join(
            [
                f"{self.experiment} at {self.scale} scale: {self.runs} runs",
                f"training images   {self.training_images:,}",
                f"operations        {self.training_flops:.3g} FLOP (forward and backward)",
                f"disk              {self.disk_bytes / 1e6:,.1f} MB of weights and checkpoints",
                f"on this machine   {clock(self.seconds_here)} (estimate at {CPU_SHARE:.0%} of its matrix product)",
                f"on one GPU        {gpus} (estimate at {GPU_SHARE:.0%} of the peak)",
            ]
        )


def make_plan(name: str, words: list[str]) -> Plan:
    """Add up what the runs of experiment `name` will take. Raises UserError as running it would."""
    experiment = load_experiment(name, words)
    runs = selected(experiment, words)
    costs = [run_cost(run) for run in runs]
    flops = sum(cost[1] for cost in costs)
    workers = workers_of(experiment)
    return Plan(
        experiment=name,
        scale=experiment.scale,
        runs=len(runs),
        training_images=sum(cost[0] for cost in costs),
        training_flops=flops,
        disk_bytes=sum(cost[2] for cost in costs),
        seconds_here=flops / (matmul_peak() * workers * CPU_SHARE),
        seconds_on={gpu: flops / (peak * GPU_SHARE) for gpu, peak in GPU_PEAK.items()},
    )


def run_cost(run: Run) -> tuple[int, float, int]:
    """(training images, training FLOP, bytes kept at most) of one run."""
    config = run.config
    if not STUDIES[config.study].trains or config.data is None or config.recipe is None:
        model = dict(config.model)
        if "name" in model:  # a study of formulas or of a lone block has none
            count(model.pop("name"), tuple(config.options.given.get("input", (3, 224, 224))), **model)
        return 0, 0.0, 0
    size = count_network(config.model, config.data)
    per_epoch = -(-data_shape(config.data).train_images // config.recipe.batch_size)
    images = config.recipe.total_steps(per_epoch) * config.recipe.batch_size
    flops = 2.0 * size.multiply_adds * (1 + BACKWARD) * images
    return images, flops, 3 * BYTES * size.parameters  # weights, and a checkpoint with the optimiser's state


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
