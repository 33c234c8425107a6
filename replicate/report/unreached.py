"""Trainings that ended before their curve fell to the level asked for: they needed more steps than they had."""

from collections.abc import Sequence

import pandas as pd

from replicate.data.shapes import data_shape
from replicate.experiments.run_config import Run, RunConfig
from replicate.verdicts.frame import UNREACHED

STEPS = "steps_to_reach"


def with_unreached(frame: pd.DataFrame, runs: Sequence[Run]) -> pd.DataFrame:
    """`frame` in which such a run has the steps of its whole training as its least number, and says so in its status.

    Without a number it would be left out, which flatters the row that did not reach the level.
    """
    missed = (frame["metric"] == STEPS) & frame["value"].isna()
    if not missed.any():
        return frame
    lasted = {(run.variant, run.seed): training_steps(run.config) for run in runs}
    steps = [lasted[at] for at in zip(frame.loc[missed, "variant"], frame.loc[missed, "seed"], strict=True)]
    marked = frame.copy()
    marked.loc[missed, "value"] = [float(count) for count in steps]
    marked.loc[missed, "status"] = UNREACHED
    return marked


def training_steps(config: RunConfig) -> int:
    """Steps of the training that `config` describes."""
    assert config.data is not None
    assert config.recipe is not None
    return config.recipe.total_steps(-(-data_shape(config.data).train_images // config.recipe.batch_size))
