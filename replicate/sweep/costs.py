"""How long a run will take on this machine: from records where there are any, else from its operations.

Plans, budgets and the order of a suite take their times from here; the `cost:` of an experiment's file is written by
hand.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from replicate.data.config import DataConfig
from replicate.experiments.kinds import STUDIES
from replicate.experiments.run_config import Run, RunConfig
from replicate.runs.records import Record

BACKWARD = 2  # a backward pass takes about two forward passes' multiply-adds: gradients of inputs and of weights
BYTES = 4
FLOPS_A_SECOND = 2e10  # of one core on small networks, where no record tells: median of the laptop records
UNKNOWN = 20.0  # seconds of a run that neither trains nor has a record


@dataclass(frozen=True)
class Work:
    """What a run computes: training images, floating-point operations of its training, bytes that it leaves at most.

    memory: bytes of a training step in float32, at least: weights with gradient and momentum, and for each image of a
    micro-batch what every layer gives, which the backward pass needs. Kernels take workspace besides.
    """

    images: int = 0
    flops: float = 0.0
    bytes: int = 0
    memory: int = 0


@dataclass(frozen=True)
class Estimate:
    """Seconds of a run on one core; `measured`: another seed of the same run is on record."""

    seconds: float
    measured: bool


@dataclass
class CostBook:
    """Seconds of finished runs by what they are without their seed, and the speed that this gives for all others."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    speeds: list[float] = field(default_factory=list)
    work: dict[str, Work] = field(default_factory=dict)

    def learn(self, records: Iterable[Record]) -> None:
        """Take in what finished runs took, and how fast their trainings computed."""
        for record in records:
            self.seconds[without_seed(record.id)].append(record.timing.seconds)
            if record.timing.images_per_second and record.multiply_adds:
                self.speeds.append(training_flops(record.multiply_adds) * record.timing.images_per_second)

    def estimate(self, run: Run) -> Estimate:
        """How long `run` will take: the median of its other seeds, else its operations at the speed seen so far."""
        known = self.seconds.get(without_seed(run.id))
        if known:
            return Estimate(median(known), True)
        work = self.work_of(run)
        return Estimate(max(1.0, work.flops / self.speed) if work.flops else UNKNOWN, False)

    @property
    def speed(self) -> float:
        """Floating-point operations a second of one core."""
        return median(self.speeds) if self.speeds else FLOPS_A_SECOND

    def work_of(self, run: Run) -> Work:
        """What the run computes; counted once for all of its seeds. Raises UserError if it cannot be built."""
        key = without_seed(run.id)
        if key not in self.work:
            self.work[key] = work_of(run.config)
        return self.work[key]


def training_flops(multiply_adds: float) -> float:
    """Floating-point operations of a training step on one image."""
    return 2.0 * multiply_adds * (1 + BACKWARD)


def without_seed(run_id: str) -> str:
    """What all seeds of a run share of its id."""
    return run_id.rpartition("-s")[0]


def work_of(config: RunConfig) -> Work:
    """What a run of `config` computes. Raises UserError for a network that cannot be built."""
    from replicate.models.counting import count  # here, since a sweep begins its workers before it imports torch
    from replicate.training.network import count_network

    if not STUDIES[config.study].trains or config.data is None or config.recipe is None:
        model = dict(config.model)
        if "name" in model:  # a study of formulas or of a lone block has none
            count(model.pop("name"), tuple(config.options.given.get("input", (3, 224, 224))), **model)
        return Work()
    size = count_network(config.model, config.data)
    images = config.steps * config.recipe.batch_size
    parts = config.trainer.parts if config.trainer is not None else 1
    batch = -(-config.recipe.batch_size // parts)
    return Work(
        images=images,
        flops=training_flops(size.multiply_adds) * images,
        bytes=3 * BYTES * size.parameters,  # weights, and a checkpoint with the optimiser's state
        memory=BYTES * (3 * size.parameters + batch * kept_numbers(config.model, config.data)),
    )


def kept_numbers(model: Mapping[str, Any], data: DataConfig) -> int:
    """Numbers that the layers of a network give for one image, each once; no memory is taken to count them."""
    import torch

    from replicate.data.shapes import data_shape
    from replicate.models import create_model
    from replicate.models.counting import OperationCounter
    from replicate.training.network import network_options

    name, options = network_options(model, data)
    shape, kept = data_shape(data), 0

    def add(layer: torch.nn.Module, given: object, output: object) -> None:
        nonlocal kept
        kept += output.numel() if isinstance(output, torch.Tensor) else 0

    with torch.device("meta"), torch.no_grad():
        network = create_model(name, **options).eval()
        for layer in network.modules():
            if not any(True for _ in layer.children()):
                layer.register_forward_hook(add)
        with OperationCounter():  # knows the shapes of calls that were counted before
            network(torch.zeros(1, shape.channels, shape.size, shape.size))
    return kept
