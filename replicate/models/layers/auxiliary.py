"""What a network with auxiliary classifiers returns while it trains."""

from typing import NamedTuple

from torch import Tensor


class AuxOutput(NamedTuple):
    """Logits of the main head and of each auxiliary head, all of shape (batch, num_classes)."""

    logits: Tensor
    auxiliary: tuple[Tensor, ...]
