"""Study `lesion`: the test error of a trained network that has lost or exchanged blocks (Veit et al. 2016, section 4).

Nothing is retrained and no statistic of batch normalisation is estimated anew. options.lesion says what is done:

each    every single deletion. Curve deleted_error over the block's number, with `stage` and `transition` of each block;
        test_error is the mean over the deletions. Rises over the undamaged network: rise_most stays above nine tenths
        of those at blocks that keep their shape, rise_elsewhere is the largest of them, rise_transition the smallest
        at the blocks that change it. least_error is the smallest error that any deletion leaves.
delete  options.delete of options.of blocks at random, in that proportion of the network's; options.draws times.
swap    options.swap exchanges of two random blocks of equal shape, options.draws times, with Kendall's tau of the
        new order in drawn_tau and its mean in `tau`.

The last two measure the curve drawn_error over the draws and test_error, their median. Every lesion measures
undamaged_error. Errors are in percent, rises in percentage points. Study `lesion_pretrained` does the same to a
network with weights from a file, or untrained.
"""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn

from replicate.data.loaders import check_data
from replicate.data.random import generator
from replicate.data.resident import Batch
from replicate.data.shapes import data_shape
from replicate.experiments.run_config import DataRunConfig, training_config
from replicate.runs.records import Measurement, curve, singles
from replicate.runs.task import Outcome, Task
from replicate.studies.options import LesionOptions
from replicate.studies.pretrained import check_pretrained, pretrained
from replicate.studies.surgery import RemovableLayer, Slot, deletion, parts, replaced, residual_parts, single_deletions
from replicate.studies.train import check_training, outcome_of
from replicate.studies.trained import LoadedNetwork, loaders_of, trained
from replicate.training.ranking import ranks

Config = DataRunConfig[LesionOptions]

EVALUATION_BATCH = 500
MOST = 0.9  # the share of blocks that "nearly all" is taken for


@dataclass(frozen=True)
class LesionTask:
    """A network, the test batches to look at, and the seed of the draws."""

    network: nn.Module
    batches: Sequence[Batch]
    options: LesionOptions
    seed: int


def check(config: Config) -> None:
    """Where it trains, as study `train` checks; else the weights are there."""
    if config.recipe is not None:
        check_training(training_config(config))
    else:
        check_pretrained(config, config.options.weights)
        check_data(config.data)


def run(task: Task[Config]) -> Outcome:
    """Measures what the options ask for, on the test data."""
    config, options = task.run.config, task.run.config.options
    subject = trained(task) if config.recipe is not None else pretrained(task, options.weights)
    batches, checksum = test_batches(task, subject)
    lesion = LesionTask(subject.network, batches, options, task.run.seed)
    undamaged = {"undamaged_error": error(subject.network, batches), "classes": data_shape(config.data).classes}
    measurements = (*LESIONS[options.lesion](lesion), *singles(undamaged))
    return outcome_of(config, measurements, subject.status, checksum)


def test_batches(task: Task[Config], subject: LoadedNetwork) -> tuple[list[Batch], str]:
    """The test images as batches on the network's device, and the data's checksum."""
    data, device = task.run.config.data, subject.device
    data = data.model_copy(update={"test_images": task.run.config.options.images or data.test_images})
    loaders = loaders_of(task, data, EVALUATION_BATCH, device)
    return [(images.to(device), labels.to(device)) for images, labels in loaders.test], loaders.checksum


@torch.no_grad()
def error(network: nn.Module, batches: Iterable[Batch]) -> float:
    """Top-1 error in percent."""
    return percent((wrong(network(images), labels), len(labels)) for images, labels in batches)


def wrong(logits: Tensor, labels: Tensor) -> Tensor:
    """How many images are classified wrongly."""
    return (ranks(logits, labels) >= 1).sum()


def percent(counts: Iterable[tuple[Tensor, int]]) -> float:
    """The share of (wrong, all) over the batches."""
    mistakes, images = zip(*counts, strict=True)
    return 100 * float(torch.stack(mistakes).sum()) / sum(images)


def each(lesion: LesionTask) -> list[Measurement]:
    """Every single deletion."""
    chosen = parts(lesion.network)
    errors = errors_after_each(lesion, chosen)
    undamaged = error(lesion.network, lesion.batches)
    return [
        *curve("deleted_error", errors.items()),
        *curve("stage", ((part.number, part.stage) for part in chosen)),
        *curve("transition", ((part.number, part.transition) for part in chosen)),
        *singles({"test_error": statistics.fmean(errors.values()), "least_error": min(errors.values())}),
        *rises({part: errors[part.number] - undamaged for part in chosen}),
    ]


def errors_after_each(lesion: LesionTask, chosen: list[RemovableLayer]) -> dict[int, float]:
    """Block number -> error in percent after its deletion."""
    counts: dict[int, list[tuple[Tensor, int]]] = {part.number: [] for part in chosen}
    for images, labels in lesion.batches:
        for part, logits in single_deletions(lesion.network, chosen, images):
            counts[part.number].append((wrong(logits, labels), len(labels)))
    return {number: percent(counted) for number, counted in counts.items()}


def rises(by_part: Mapping[RemovableLayer, float]) -> list[Measurement]:
    """What sums up the rises in error, of blocks that keep their shape and of those that change it."""
    keeping = torch.tensor([rise for part, rise in by_part.items() if not part.transition], dtype=torch.float64)
    changing = [rise for part, rise in by_part.items() if part.transition]
    found = {"rise_most": float(keeping.quantile(MOST)), "rise_elsewhere": float(keeping.max())}
    return singles(found | ({"rise_transition": min(changing)} if changing else {}))


def delete(lesion: LesionTask) -> list[Measurement]:
    """Random deletions of several blocks."""
    chosen, options = parts(lesion.network), lesion.options
    count = min(len(chosen), max(1, round(options.delete * len(chosen) / options.of)))
    errors = {}
    for number in range(1, options.draws + 1):
        draw = generator(lesion.seed, "deletion", count, number)
        taken = [chosen[place] for place in torch.randperm(len(chosen), generator=draw)[:count].tolist()]
        errors[number] = error_with(lesion, deletion(taken))
    return [*drawn(errors), *singles({"deleted": count})]


def swap(lesion: LesionTask) -> list[Measurement]:
    """Random exchanges of blocks."""
    blocks, options = residual_parts(lesion.network), lesion.options
    errors, taus = {}, {}
    for number in range(1, options.draws + 1):
        order = swapped_order(blocks, options.swap, generator(lesion.seed, "swap", options.swap, number))
        errors[number] = error_with(lesion, reordering(blocks, order))
        taus[number] = kendall_tau(order)
    return [*drawn(errors), *curve("drawn_tau", taus.items()), *singles({"tau": statistics.fmean(taus.values())})]


LESIONS: dict[str, Callable[[LesionTask], list[Measurement]]] = {"each": each, "delete": delete, "swap": swap}


def drawn(errors: Mapping[int, float]) -> list[Measurement]:
    return [*curve("drawn_error", errors.items()), *singles({"test_error": statistics.median(errors.values())})]


def error_with(lesion: LesionTask, changes: Mapping[Slot, nn.Module]) -> float:
    """The error in percent while `changes` are in force."""
    with replaced(changes):
        return error(lesion.network, lesion.batches)


def reordering(blocks: Sequence[RemovableLayer], order: Sequence[int]) -> dict[Slot, nn.Module]:
    """The changes that give block i the branch of block order[i]; shortcuts stay, since they are the identity."""
    return {
        block.slot: blocks[source].slot.module
        for place, (block, source) in enumerate(zip(blocks, order, strict=True))
        if place != source
    }


def swapped_order(blocks: Sequence[RemovableLayer], swaps: int, draw: torch.Generator) -> list[int]:
    """The order of the branches after `swaps` exchanges of two random ones that have the same layers and shapes.

    The paper's rule of equal shapes leaves the first block of a stage in its place.
    """
    shapes = [layout(block.slot.module) for block in blocks]
    pairs = [pair for pair in combinations(range(len(blocks)), 2) if shapes[pair[0]] == shapes[pair[1]]]
    order = list(range(len(blocks)))
    for place in torch.randint(len(pairs), (swaps,), generator=draw).tolist() if pairs else []:
        a, b = pairs[place]
        order[a], order[b] = order[b], order[a]
    return order


def layout(branch: nn.Module) -> dict[str, Any]:
    """Names and shapes of the parameters, and the strides: what two branches must share to change places."""
    strides = {name: layer.stride for name, layer in branch.named_modules() if isinstance(layer, nn.Conv2d)}
    return {name: tuple(value.shape) for name, value in branch.state_dict().items()} | strides


def kendall_tau(order: Sequence[int]) -> float:
    """Kendall's rank correlation of `order`, which has no ties, with 0, 1, ...: 1 is intact, -1 reversed (1938)."""
    pairs = list(combinations(order, 2))
    return sum(1 if first < second else -1 for first, second in pairs) / len(pairs) if pairs else 1.0
