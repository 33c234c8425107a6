"""The ids of all runs, listed: records stay valid only as long as their configuration hashes to the same id.

A laptop regime may change, and its runs with it; then list its ids anew: python -m tests.test_run_ids
"""

from collections import defaultdict
from pathlib import Path

import pytest

from replicate.experiments.catalogue import Entry, catalogue
from replicate.experiments.experiment import load_experiment
from replicate.experiments.scale import Scale

LIST = Path(__file__).parent / "data" / "run_ids.tsv"
LISTED = (Scale.LAPTOP, Scale.PAPER, Scale.EXACT)
Ids = dict[tuple[str, str], str]
"""(Scale, variant) -> id of the run with seed 0."""


def listed() -> dict[str, Ids]:
    """Experiment -> its listed ids."""
    found: dict[str, Ids] = defaultdict(dict)
    for line in LIST.read_text(encoding="utf-8").splitlines():
        experiment, scale, variant, run = line.split("\t")
        found[experiment][scale, variant] = run
    return dict(found)


def ids_now(entry: Entry) -> Ids:
    """The ids that the experiment's file gives now; composed once for all scales."""
    composed = load_experiment(entry.name, [f"scale={entry.scales[-1]}"])
    at = {scale: composed.declared_at(scale) for scale in entry.scales if scale in LISTED}
    return {(scale, variant): at[scale].run(variant, 0).id for scale in at for variant in at[scale].variants}


@pytest.mark.parametrize("entry", catalogue(), ids=lambda entry: entry.name)
def test_runs_keep_their_ids(entry: Entry) -> None:
    assert ids_now(entry) == listed().get(entry.name, {})


def test_the_list_names_no_experiment_that_is_gone() -> None:
    assert listed().keys() <= {entry.name for entry in catalogue()}


if __name__ == "__main__":
    lines = [
        f"{entry.name}\t{scale}\t{variant}\t{run}\n"
        for entry in catalogue()
        for (scale, variant), run in ids_now(entry).items()
    ]
    LIST.write_text("".join(lines), encoding="utf-8")
