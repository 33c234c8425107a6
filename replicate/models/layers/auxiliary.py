"""The output of a network with auxiliary classifiers in training mode."""

from typing import NamedTuple

from torch import Tensor


class AuxOutput(NamedTuple):
    """Logits of the main head and of each auxiliary head, all of shape (batch, num_classes)."""

    logits: Tensor
    auxiliary: tuple[Tensor, ...]
