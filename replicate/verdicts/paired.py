"""Two networks compared image by image, on one run of each: which of them is right where they differ."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

Bits = NDArray[np.uint8]
"""One bit an image, eight in a byte as numpy.packbits writes them: 1 where the network is right."""


@dataclass(frozen=True)
class Paired:
    """Two networks on the same images.

    first_only, second_only: images on which only that network is right. difference: error of the first less that of the
    second, a share of the images.
    """

    images: int
    first_only: int
    second_only: int

    @property
    def difference(self) -> float:
        return (self.second_only - self.first_only) / self.images

    @property
    def disagreement(self) -> float:
        """Share of the images on which one of the two is right."""
        return (self.first_only + self.second_only) / self.images


def paired(first: Bits, second: Bits, images: int) -> Paired:
    """Count the packed bits of two networks over the first `images` images. Raises ValueError for too few bits."""
    needed = (images + 7) // 8
    if images < 1 or min(len(first), len(second)) < needed:
        raise ValueError(f"{images} images need {needed} bytes, not {len(first)} and {len(second)}")
    a, b = (np.unpackbits(bits[:needed], count=images).astype(bool) for bits in (first, second))
    return Paired(images, int(np.sum(a & ~b)), int(np.sum(~a & b)))


def mcnemar(found: Paired, mid: bool = True) -> float:
    """Two-sided p that both are right equally often (McNemar 1947), by the binomial of the images on which they differ.

    mid: half of the probability of what was observed (Fagerland et al. 2013), which keeps the level and has more power
    than the exact test. 1 where the networks never differ.
    """
    low, both = min(found.first_only, found.second_only), found.first_only + found.second_only
    exact = min(1.0, 2 * float(special.bdtr(low, both, 0.5))) if both else 1.0
    return exact - float(stats.binom.pmf(low, both, 0.5)) if mid and both else exact


def bootstrap(found: Paired, draws: int = 10_000, level: float = 0.05, seed: int = 0) -> tuple[float, float]:
    """Percentile interval of the difference when images are drawn anew in pairs (Efron 1979).

    The resampled counts of a pair's three fates are multinomial, so that no image need be drawn. The interval is about
    these two networks on other images, not about other seeds of them.
    """
    shares = np.array([found.first_only, found.second_only, found.images - found.first_only - found.second_only])
    counts = np.random.default_rng(seed).multinomial(found.images, shares / found.images, draws)
    differences = (counts[:, 1] - counts[:, 0]) / found.images
    low, high = np.quantile(differences, [level / 2, 1 - level / 2])
    return float(low), float(high)
