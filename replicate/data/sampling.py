"""Which images an epoch shows, and in which order: a pure function of (seed, epoch)."""

import torch
from torch import Tensor

from replicate.data.config import Sampling
from replicate.data.random import generator, permutation


def epoch_order(labels: Tensor, seed: int, epoch: int, sampling: Sampling | None = None) -> Tensor:
    """The places of the images that epoch `epoch` shows, in order: int64 (n,) for `labels` (n,).

    None shows every image once. `balanced` shows every class as often as any other.
    """
    return permutation(len(labels), seed, epoch) if sampling is None else balanced_order(labels, seed, epoch)


def balanced_order(labels: Tensor, seed: int, epoch: int) -> Tensor:
    """Class-aware sampling (Shen et al. 2016, "Relay Backpropagation", section 3.3): int64 (n,) for `labels` (n,).

    Round after round draws an image of every class, in a new order of the classes. The images of a class come in
    random order, again and again until the epoch is full; the paper goes on with its lists in the next epoch, here
    each epoch begins new ones, so that it does not depend on those before.
    """
    draw = generator(seed, "balanced", epoch)
    members = [torch.nonzero(labels == label).flatten() for label in torch.unique(labels)]
    rounds = -(-len(labels) // len(members))
    lists = torch.stack([repeated(images, rounds, draw) for images in members], dim=1)
    classes = torch.rand(rounds, len(members), generator=draw).argsort(dim=1)
    return lists.gather(1, classes).flatten()[: len(labels)]


def repeated(images: Tensor, length: int, draw: torch.Generator) -> Tensor:
    """Random orders of `images`, one after the other, `length` in all."""
    orders = [torch.randperm(len(images), generator=draw) for _ in range(-(-length // len(images)))]
    return images[torch.cat(orders)[:length]]


def times_before(order: Tensor) -> Tensor:
    """How often the image at each place of `order` has come before: int64 (n,)."""
    ordered, places = order.sort(stable=True)
    before = torch.arange(len(order)) - torch.searchsorted(ordered, ordered)
    return torch.empty_like(order).scatter_(0, places, before)
