"""Study `efficiency`: a trained network's error beside what it costs to run: time and memory measured on this machine.

batch_milliseconds belongs to the machine that measured it, as memory does to the library; compare within one table.
"""

import time
from statistics import median

import torch
import torch.nn.functional as F
from torch import nn

from replicate.data.resident import Batch
from replicate.experiments.run_config import TrainingConfig
from replicate.models.layers.auxiliary import AuxOutput
from replicate.runs.records import Measurement
from replicate.runs.task import Outcome, Task
from replicate.statements.measure import saved_for_backward
from replicate.studies.train import check_training
from replicate.studies.trained import finished_training, loaders_of, trained, training_run
from replicate.training.network import count_network

BATCH = 64  # images
WARM_UP = 2  # batches before the first that counts
TIMED = 11
FROM_TRAINING = ("test_error", "train_error")


def check(config: TrainingConfig) -> None:
    """As study `train`. Raises UserError."""
    check_training(config)


def run(task: Task[TrainingConfig]) -> Outcome:
    """Measures test_error and train_error of the training, batch_milliseconds (the middle of eleven passes of 64 test
    images, in eval mode) and kept_bytes (what autograd keeps for a training step on them, parameters left out).
    """
    config = task.run.config
    record = finished_training(task, training_run(task.run))
    subject = trained(task)
    loaders = loaders_of(task, config.data, BATCH, subject.device)
    images, labels = next(iter(loaders.test))
    batch = images[:BATCH].to(subject.device), labels[:BATCH].to(subject.device)
    found = {name: record.value(name) for name in FROM_TRAINING}
    found |= {"batch_milliseconds": milliseconds(subject.network, batch), "kept_bytes": kept(subject.network, batch)}
    size = count_network(config.model, config.data)
    return Outcome(
        measurements=tuple(Measurement(metric=metric, value=value) for metric, value in found.items()),
        status=subject.status,
        parameters=size.parameters,
        multiply_adds=size.multiply_adds,
        images_per_second=record.timing.images_per_second,
        data_checksum=loaders.checksum,
    )


@torch.no_grad()
def milliseconds(network: nn.Module, batch: Batch) -> float:
    """Of a forward pass: this process's own on a CPU, which other processes lengthen least; of the clock on a GPU."""
    gpu = batch[0].is_cuda
    clock = time.perf_counter if gpu else time.process_time
    taken = []
    for _ in range(WARM_UP + TIMED):
        if gpu:
            torch.cuda.synchronize()
        begun = clock()
        network(batch[0])
        if gpu:
            torch.cuda.synchronize()
        taken.append(clock() - begun)
    return 1000 * median(taken[WARM_UP:])


def kept(network: nn.Module, batch: Batch) -> int:
    """Bytes that autograd keeps between the two passes of a training step; the network is left in eval mode."""
    network.train()
    try:
        with saved_for_backward(network) as storages:
            outputs = network(batch[0])
            loss = F.cross_entropy(outputs.logits if isinstance(outputs, AuxOutput) else outputs, batch[1])
        assert loss.requires_grad
        return storages.bytes
    finally:
        network.eval()
