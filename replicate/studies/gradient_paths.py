"""Study `paths`: the gradient that single paths of a trained residual network carry (Veit et al. 2016, section 5).

The forward pass stays whole. Going back, `k` random blocks pass the gradient through their branch only and all others
through their shortcut only, so what reaches the images has come along one path through k blocks. Its norm falls with
k while the number of such paths, C(n, k), rises: the product says where the gradient lives.
The paper does not say in which mode batch normalisation is; here it is the tested network's (eval), on augmented
training batches of the recipe's size, with the gradient of the batch's mean loss.
"""

import math
from collections.abc import Collection, Iterator
from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from replicate.data.epochs import ResumableLoader
from replicate.data.random import generator
from replicate.data.resident import Batch
from replicate.experiments.run_config import TrainingConfig
from replicate.runs.records import Measurement, curve, singles
from replicate.runs.task import Outcome, Task
from replicate.studies.options import PathOptions
from replicate.studies.surgery import RemovableLayer, Slot, StoppedGradient, replaced, residual_parts
from replicate.studies.train import check_training, outcome_of
from replicate.studies.trained import loaders_of, trained

Values = NDArray[np.float64]
TAIL = 0.025  # of the gradient on either side of the lengths that carry it: together 5 %


def check(config: TrainingConfig[PathOptions]) -> None:
    """As study `train` checks."""
    check_training(config)


def run(task: Task[TrainingConfig[PathOptions]]) -> Outcome:
    """Measures the curves path_norm (mean norm of one path's gradient), path_share and gradient_share (percent).

    Single values: decay_slope (of the norm's decimal logarithm, per block), decay_fit (its R squared), effective_share
    (percent of the gradient on the paper's effective lengths), effective_paths (percent of the paths), carrying_low
    and carrying_high (the lengths that carry the middle 95 percent) and carrying_mean.
    """
    config, options = task.run.config, task.run.config.options
    subject = trained(task)
    loaders = loaders_of(task, config.data, config.recipe.batch_size, subject.device)
    batches = [(x[: options.images], y[: options.images]) for x, y in islice(endless(loaders.train), options.samples)]
    blocks = residual_parts(subject.network)
    norms = np.array(
        [mean_norm(subject.network, blocks, length, batches, task.run.seed) for length in range(len(blocks) + 1)]
    )
    return outcome_of(config, summary(norms, options), subject.status, loaders.checksum)


def endless(loader: ResumableLoader) -> Iterator[Batch]:
    """Epoch after epoch."""
    while True:
        yield from loader


def mean_norm(network: nn.Module, blocks: list[RemovableLayer], length: int, batches: list[Batch], seed: int) -> float:
    """The mean norm over one random path of `length` for each batch."""
    norms = []
    for number, (images, labels) in enumerate(batches):
        draw = generator(seed, "path", length, number)
        chosen = torch.randperm(len(blocks), generator=draw)[:length].tolist()
        norms.append(float(path_gradient(network, blocks, chosen, images, labels).double().norm()))
    return float(np.mean(norms))


def path_gradient(
    network: nn.Module, blocks: list[RemovableLayer], chosen: Collection[int], images: Tensor, labels: Tensor
) -> Tensor:
    """The gradient of the mean loss at the images along the path through the `chosen` blocks (their places) alone."""
    images = images.detach().requires_grad_()
    with replaced(single_path(blocks, chosen)):
        loss = F.cross_entropy(network(images), labels)
    return torch.autograd.grad(loss, images)[0]


def single_path(blocks: list[RemovableLayer], chosen: Collection[int]) -> dict[Slot, nn.Module]:
    """The changes after which the gradient goes through the chosen branches and the other blocks' shortcuts only."""
    sides = ("shortcut" if place in chosen else "branch" for place in range(len(blocks)))
    slots = [Slot(block.slot.owner, side) for block, side in zip(blocks, sides, strict=True)]
    return {slot: StoppedGradient(slot.module) for slot in slots}


def summary(norms: Values, options: PathOptions) -> Iterator[Measurement]:
    """All measurements from the mean norms of lengths 0 ... n."""
    blocks = len(norms) - 1
    paths = np.array([math.comb(blocks, length) for length in range(blocks + 1)], dtype=np.float64)
    path_share, gradient_share = 100 * paths / paths.sum(), 100 * shares(paths * norms)
    window = effective(options, blocks)
    slope, fit = exponential(norms)
    low, high = carrying(gradient_share)
    for metric, values in (("path_norm", norms), ("path_share", path_share), ("gradient_share", gradient_share)):
        yield from curve(metric, enumerate(values))
    found = {
        "decay_slope": slope,
        "decay_fit": fit,
        "effective_share": gradient_share[window].sum(),
        "effective_paths": path_share[window].sum(),
        "carrying_low": low,
        "carrying_high": high,
        "carrying_mean": (gradient_share * np.arange(blocks + 1)).sum() / 100,
    }
    yield from singles(found)


def shares(values: Values) -> Values:
    """Each value's share of the sum; not-a-number where the sum is zero."""
    total = values.sum()
    return values / total if total > 0 else np.full_like(values, math.nan)


def effective(options: PathOptions, blocks: int) -> slice:
    """The paper's effective lengths in a network of `blocks` blocks: those between the same shares of its depth."""
    return slice(math.ceil(options.low * blocks / options.of), math.floor(options.high * blocks / options.of) + 1)


def exponential(norms: Values) -> tuple[float, float]:
    """Slope of log10(norm) over the length by least squares, and R squared; not-a-number for fewer than 3 norms."""
    lengths = np.flatnonzero(norms > 0)
    if len(lengths) < 3:
        return math.nan, math.nan
    logarithms = np.log10(norms[lengths])
    slope = float(np.polyfit(lengths, logarithms, 1)[0])
    return slope, float(np.corrcoef(lengths, logarithms)[0, 1] ** 2) if np.ptp(logarithms) else math.nan


def carrying(gradient_share: Values) -> tuple[float, float]:
    """The first and the last length within the middle 95 percent of the gradient."""
    below = np.cumsum(gradient_share) / 100
    if not np.isfinite(below).all():
        return math.nan, math.nan
    return float(np.searchsorted(below, TAIL)), float(np.searchsorted(below, 1 - TAIL))
