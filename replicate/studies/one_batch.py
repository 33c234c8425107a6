"""All training images of a run as one batch, and the time of a step on it: for studies that measure single steps."""

import time
from collections.abc import Callable

import torch

from replicate.data import load
from replicate.data.config import DataConfig
from replicate.data.resident import Batch


def whole_batch(data: DataConfig) -> Batch:
    """Every training image, normalised but not augmented, and its label."""
    splits = load(data)
    return (splits.train.images.float() - splits.mean) / splits.std, splits.train.labels


def seconds(step: Callable[[], None], gpu: bool) -> float:
    """Seconds of a step: on a CPU those of this process, which other processes lengthen least; on a GPU the clock's."""
    clock = time.perf_counter if gpu else time.process_time
    if gpu:
        torch.cuda.synchronize()
    begun = clock()
    step()
    if gpu:
        torch.cuda.synchronize()
    return clock() - begun
