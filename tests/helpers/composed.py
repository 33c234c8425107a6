"""Experiments as their files declare them. Hydra composes each once for all tests of a process, whatever the scale."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from pathlib import Path
from typing import TypeVar

import pytest

from replicate.experiments.catalogue import catalogue
from replicate.experiments.experiment import Experiment, load_experiment
from replicate.experiments.run_config import Run
from replicate.experiments.scale import Scale

RUN_IDS = Path(__file__).parents[1] / "experiments" / "run_ids.tsv"
Ids = dict[tuple[str, str], str]
"""(Scale, variant) -> id of the run with seed 0."""

ENTRIES = {entry.name: entry for entry in catalogue()}
AT_ONCE = 8  # conftest.py puts the tests of one experiment side by side
Test = TypeVar("Test", bound=Callable[..., None])


def over_experiments(names: Iterable[str]) -> Callable[[Test], Test]:
    """A test for each of these experiments, as its argument `experiment`."""
    each = pytest.mark.parametrize("experiment", list(names))
    return lambda test: pytest.mark.by_experiment(each(test))


def over_paper_cases(test: Test) -> Test:
    """A test for each of :data:`PAPER_CASES`, as its arguments `experiment` and `variant`."""
    return pytest.mark.by_experiment(pytest.mark.parametrize(("experiment", "variant"), PAPER_CASES)(test))


@lru_cache(AT_ONCE)
def composed(name: str) -> Experiment:
    """The experiment at the last of its scales."""
    return load_experiment(name, [f"scale={ENTRIES[name].scales[-1]}"])


@lru_cache(3 * AT_ONCE)
def experiment_at(name: str, scale: Scale) -> Experiment:
    """The experiment at one of its scales."""
    return composed(name).declared_at(scale)


@cache
def listed_ids() -> dict[str, Ids]:
    """Experiment -> its listed ids."""
    found: dict[str, Ids] = defaultdict(dict)
    for line in RUN_IDS.read_text(encoding="utf-8").splitlines():
        experiment, scale, variant, run = line.split("\t")
        found[experiment][scale, variant] = run
    return dict(found)


PAPER_CASES = [
    (name, variant)
    for name, entry in ENTRIES.items()
    if entry.study in ("train", "evaluate")
    for scale, variant in listed_ids().get(name, {})
    if scale == Scale.PAPER
]
"""Experiment and variant of all that trains at paper scale; taken from the list of ids, which its test holds complete,
so that nothing is composed before the first test."""


@cache
def paper_run(experiment: str, variant: str) -> tuple[str, Run]:
    """The paper, and the run with seed 0 at paper scale."""
    return ENTRIES[experiment].paper, experiment_at(experiment, Scale.PAPER).run(variant, 0)


@cache
def paper_deviations(experiment: str) -> tuple[str, ...]:
    return tuple(experiment_at(experiment, Scale.PAPER).deviations)
