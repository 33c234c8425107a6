"""Spread between seeds that papers printed for public data sets: what judges a paper-scale run without repeats."""

from functools import lru_cache
from math import log
from pathlib import Path
from typing import Any

import yaml

from replicate.verdicts.prior import FREEDOM, Prior, Spread

FILE = Path(__file__).with_name("declared.yaml")


def declared_prior(dataset: str) -> Prior | None:
    """The prior of a data set whose spread is declared: the same at every level, with the freedom that is lent."""
    spreads = _read().get(dataset.partition(" (")[0])  # some tables say in brackets which images
    return Prior({kind: _constant(float(entry["sd"])) for kind, entry in spreads.items()}) if spreads else None


def _constant(deviation: float) -> Spread:
    return Spread(2 * log(deviation), 0.0, FREEDOM, 1e-9, 1e9, 1.0, 0)


@lru_cache(maxsize=1)
def _read() -> dict[str, dict[str, dict[str, Any]]]:
    data: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return data
