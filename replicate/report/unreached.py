"""Trainings that ended before their curve fell to the level asked for: they needed more steps than they had."""

from collections.abc import Sequence

import pandas as pd

from replicate.experiments.run_config import Run
from replicate.verdicts.frame import UNREACHED

STEPS = "steps_to_reach"


def with_unreached(frame: pd.DataFrame, runs: Sequence[Run]) -> pd.DataFrame:
    """`frame` in which such a run has the steps of its whole training as its least number, and says so in its status.

    Without a number it would be left out, which flatters the row that did not reach the level.
    """
    missed = (frame["metric"] == STEPS) & frame["value"].isna()
    if not missed.any():
        return frame
    lasted = {(run.variant, run.seed): float(run.config.steps) for run in runs}
    places = zip(frame.loc[missed, "variant"], frame.loc[missed, "seed"], strict=True)
    marked = frame.copy()
    marked.loc[missed, "value"] = [lasted[at] for at in places]
    marked.loc[missed, "status"] = UNREACHED
    return marked
