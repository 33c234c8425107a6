"""The ids of all runs, listed: records stay valid only as long as their configuration hashes to the same id.

A laptop regime may change, and its runs with it; then list its ids anew: python -m tests.experiments.test_run_ids
"""

from replicate.experiments.scale import Scale
from tests.helpers.composed import ENTRIES, RUN_IDS, Ids, experiment_at, listed_ids, over_experiments

LISTED = (Scale.LAPTOP, Scale.PAPER, Scale.EXACT)


def ids_now(experiment: str) -> Ids:
    """The ids that the experiment's file gives now."""
    at = {scale: experiment_at(experiment, scale) for scale in ENTRIES[experiment].scales if scale in LISTED}
    return {(scale, variant): at[scale].run(variant, 0).id for scale in at for variant in at[scale].variants}


@over_experiments(ENTRIES)
def test_runs_keep_their_ids(experiment: str) -> None:
    assert ids_now(experiment) == listed_ids().get(experiment, {})


def test_the_list_names_no_experiment_that_is_gone() -> None:
    assert listed_ids().keys() <= ENTRIES.keys()


if __name__ == "__main__":
    lines = [
        f"{experiment}\t{scale}\t{variant}\t{run}\n"
        for experiment in ENTRIES
        for (scale, variant), run in ids_now(experiment).items()
    ]
    RUN_IDS.write_text("".join(lines), encoding="utf-8")
