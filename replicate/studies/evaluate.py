"""Study `evaluate`: one trained network, or several, under an evaluation protocol.

The networks are runs of study `train` with the same network, data and recipe, trained now if nobody has, or networks
with public weights. An evaluation that is stopped goes on at the batch that it had reached.
"""

import time
from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from replicate.data import IMAGENET
from replicate.data.imagenet_files import imagenet_root
from replicate.data.loaders import check_data
from replicate.data.shapes import data_shape
from replicate.errors import UserError
from replicate.evaluation.dense import fully_convolutional
from replicate.evaluation.protocol import Evaluation, read_options
from replicate.evaluation.score import FILE, Network, Tallies, add_batch, batch_answer, load_tallies, save_tallies
from replicate.evaluation.stream import PART, Feed, make_feed
from replicate.experiments.run_config import RunConfig
from replicate.runs.progress import Progress
from replicate.runs.records import Measurement, Status
from replicate.runs.task import Outcome, Task
from replicate.studies.pretrained import check_pretrained, pretrained
from replicate.studies.train import check_training
from replicate.studies.trained import Subject, trained
from replicate.training.network import count_network
from replicate.training.trainer import accelerator_device


def check(config: RunConfig) -> None:
    """The protocols make sense, the networks can be had, the data are there."""
    evaluation = read_options(config.options)
    assert config.data is not None
    if config.data.name == IMAGENET:
        imagenet_root(config.data, [PART])
    else:
        check_data(config.data)
    if not needs_training(config, evaluation):
        check_pretrained(config, evaluation.weights)
    else:
        check_training(config)


def needs_training(config: RunConfig, evaluation: Evaluation) -> bool:
    """Whether the networks come from runs of study train. Raises UserError where nothing says what they come from."""
    given = [evaluation.weights is not None, evaluation.untrained, config.recipe is not None]
    if sum(given) != 1:
        raise UserError("study evaluate needs one of options.weights, options.untrained and recipe.name")
    return config.recipe is not None


def run(task: Task) -> Outcome:
    """Measures test_error and test_top5_error (percent) and test_loss (nats), of each reading with its name behind."""
    config = task.run.config
    assert config.data is not None
    evaluation = read_options(config.options)
    subjects = [member(task, evaluation, number) for number in range(evaluation.members)]
    feed = make_feed(config.data, evaluation, data_shape(config.data).classes, task.machine.loader_workers)
    forms = [networks(subject.network, evaluation) for subject in subjects]
    tallies = evaluate(task, forms, feed, evaluation)
    found = {f"{name}{suffix}": value for suffix, tally in tallies.items() for name, value in tally.rates().items()}
    found["classes"] = float(data_shape(config.data).classes)
    size = count_network(config.model, config.data)
    status: Status = "diverged" if any(subject.status == "diverged" for subject in subjects) else "finished"
    return Outcome(
        measurements=tuple(Measurement(metric=metric, value=value) for metric, value in found.items()),
        status=status,
        parameters=evaluation.members * size.parameters,
        multiply_adds=size.multiply_adds,
        data_checksum=feed.checksum,
    )


def member(task: Task, evaluation: Evaluation, number: int) -> Subject:
    """Network `number` of m. Run s has those of seeds s m ... s m + m - 1, so that no two runs share a network."""
    seed = task.run.seed * evaluation.members + number
    own = replace(task, run=task.run.model_copy(update={"seed": seed}))
    if task.run.config.recipe is not None:
        return trained(own)
    return pretrained(own, evaluation.weights)


def networks(network: nn.Module, evaluation: Evaluation) -> list[Network]:
    """For each protocol the network, in its fully convolutional form where the protocol is dense."""
    dense = fully_convolutional(network)
    return [dense if protocol.dense else network for protocol in evaluation.every_protocol]


def evaluate(task: Task, forms: Sequence[Sequence[Network]], feed: Feed, evaluation: Evaluation) -> Tallies:
    """Count errors over all batches, from where an earlier sitting stopped."""
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
