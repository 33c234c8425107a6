"""The rank of the true class among all classes: the one rule of ties for every error, top-1 and top-5."""

import torch
from torch import Tensor


def ranks(scores: Tensor, labels: Tensor) -> Tensor:
    """How many classes come before the true one: (n,) from scores (n, classes) and labels (n,).

    Among equal scores the lower class comes first, as in argmax: a network whose last ReLU has died gives every class
    the same score and must not count as right. If scores are NaN, all classes come before the true one; argmax would
    call such images of class 0 right.
    """
    true = scores.gather(1, labels[:, None])
    later = torch.arange(scores.shape[1], device=scores.device) >= labels[:, None]
    behind = (scores < true) | ((scores == true) & later)
    return (~behind).sum(1)
