"""Study `evaluate`: one trained network, or several, under an evaluation protocol.

The networks come from runs of study `train` with the same network, data and recipe, which are done now if they are
missing, or have public weights. An evaluation that is stopped goes on at the batch that it had reached.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from math import isnan

from torch import nn

from replicate.data import IMAGENET
from replicate.data.imagenet_files import imagenet_root
from replicate.data.loaders import check_data
from replicate.data.shapes import data_shape
from replicate.errors import UserError
from replicate.evaluation.dense import fully_convolutional
from replicate.evaluation.protocol import Evaluation
from replicate.evaluation.score import FILE, Network, Tallies, add_batch, batch_answer, load_tallies, save_tallies
from replicate.evaluation.stream import PART, Feed, make_feed
from replicate.experiments.run_config import DataRunConfig, training_config
from replicate.runs.progress import Progress
from replicate.runs.records import Status, singles
from replicate.runs.task import Outcome, Task
from replicate.studies.pretrained import check_pretrained, pretrained
from replicate.studies.train import check_training, outcome_of
from replicate.studies.trained import LoadedNetwork, trained
from replicate.training.device import accelerator_device

Config = DataRunConfig[Evaluation]


def check(config: Config) -> None:
    """The networks can be trained or loaded, and the data are there."""
    if config.data.name == IMAGENET:
        imagenet_root(config.data, [PART])
    else:
        check_data(config.data)
    if needs_training(config):
        check_training(training_config(config))
    else:
        check_pretrained(config, config.options.weights)


def needs_training(config: Config) -> bool:
    """Whether the networks come from runs of study train. Raises UserError unless exactly one source is named."""
    if [config.options.weights is not None, config.options.untrained, config.recipe is not None].count(True) != 1:
        raise UserError("study evaluate needs one of options.weights, options.untrained and recipe.name")
    return config.recipe is not None


def run(task: Task[Config]) -> Outcome:
    """Measures test_error and test_top5_error (percent) and test_loss (nats); those of a reading end in its name."""
    config, evaluation = task.run.config, task.run.config.options
    subjects = [member(task, number) for number in range(evaluation.members)]
    feed = make_feed(config.data, evaluation, data_shape(config.data).classes, task.machine.loader_workers)
    forms = [networks(subject.network, evaluation) for subject in subjects]
    tallies = evaluate(task, forms, feed, evaluation)
    found = {f"{name}{suffix}": value for suffix, tally in tallies.items() for name, value in tally.rates().items()}
    found["classes"] = float(data_shape(config.data).classes)
    no_numbers = any(isnan(tally.loss) for tally in tallies.values())
    diverged = no_numbers or any(subject.status == "diverged" for subject in subjects)
    status: Status = "diverged" if diverged else "finished"
    return outcome_of(config, singles(found), status, feed.checksum, networks=evaluation.members)


def member(task: Task[Config], number: int) -> LoadedNetwork:
    """Network `number` of m. Run s has those of seeds s m ... s m + m - 1, so that no two runs share a network."""
    evaluation = task.run.config.options
    seed = task.run.seed * evaluation.members + number
    seeded = replace(task, run=task.run.model_copy(update={"seed": seed}))
    return trained(seeded) if task.run.config.recipe is not None else pretrained(seeded, evaluation.weights)


def networks(network: nn.Module, evaluation: Evaluation) -> list[Network]:
    """For each protocol the network, in its fully convolutional form where the protocol is dense."""
    dense = fully_convolutional(network)
    return [dense if protocol.dense else network for protocol in evaluation.every_protocol]


def evaluate(task: Task, forms: Sequence[Sequence[Network]], feed: Feed, evaluation: Evaluation) -> Tallies:
    """Count errors over all batches, from where an earlier attempt stopped."""
    device = accelerator_device(task.machine.accelerator)
    asked = evaluation.asked
    tallies = load_tallies(task.folder, asked)
    before, began, saved = tallies[""].batches, time.monotonic(), time.monotonic()
    seen_before = tallies[""].images
    for done, batch in enumerate(feed.batches(before), before + 1):
        answers = batch_answer(forms, batch, evaluation.average, device)
        add_batch(tallies, answers, batch.labels.to(device), asked)
        now = time.monotonic()
        if now - saved >= task.machine.checkpoint_seconds:
            save_tallies(tallies, task.folder)
            saved = now
        speed = (tallies[""].images - seen_before) / (now - began)
        task.report(Progress(done, len(feed), 1, 1, speed, now - began, before))
    (task.folder / FILE).unlink(missing_ok=True)
    return tallies
