"""Randomness as pure functions of the seed and a name, so that a resumed run needs no saved state."""

import hashlib

import torch
from torch import Tensor


def derived_seed(seed: int, *stream: int | str) -> int:
    """63 bits that depend on (seed, stream) alone: the same in every process, on every machine.

    `stream` names what is drawn, as in derived_seed(seed, "augmentation", epoch, batch). Neighbouring names give
    unrelated numbers (SHA-256), where seed + epoch would give run 1 the second epoch of run 0.
    """
    digest = hashlib.sha256(repr((seed, *stream)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def generator(seed: int, *stream: int | str) -> torch.Generator:
    """A new CPU generator for (seed, stream); the global generator is neither read nor advanced."""
    return torch.Generator().manual_seed(derived_seed(seed, *stream))


def permutation(n: int, seed: int, epoch: int) -> Tensor:
    """The order in which epoch `epoch` of run `seed` sees its n images: int64 (n,)."""
    return torch.randperm(n, generator=generator(seed, "permutation", epoch))
