"""Where the true class stands among all, when a network is tested."""

import torch
from torch import Tensor


def ranks(scores: Tensor, labels: Tensor) -> Tensor:
    """How many classes stand before the true one: (n,) from scores (n, classes) and labels (n,).

    Among equal scores the lower number stands first, as argmax has it: a network whose last ReLU has died gives every
    class the same score, and knows nothing. Where scores are no numbers, all classes stand before the true one.
    """
    true = scores.gather(1, labels[:, None])
    later = torch.arange(scores.shape[1], device=scores.device) >= labels[:, None]
    behind = (scores < true) | ((scores == true) & later)
    return (~behind).sum(1)
