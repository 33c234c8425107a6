"""Curves with 95 % intervals over seeds. wandb's own bands are one deviation or the extremes, so these are logged."""

from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from replicate.report.findings import LEVEL, Findings
from replicate.wandb_mirror.mirrored import axis


def intervals(findings: Findings) -> pd.DataFrame:
    """A line for each variant, curve and index: mean, low and high end of its t-interval (NaN for one run), n."""
    points = findings.frame.dropna(subset=["index", "value"])
    found = points.groupby(["variant", "metric", "index"], sort=False)["value"].agg(["mean", "std", "count"])
    half = special.stdtrit(found["count"] - 1, (1 + LEVEL) / 2) * found["std"] / np.sqrt(found["count"])
    table = found.assign(low=found["mean"] - half, high=found["mean"] + half, n=found["count"]).reset_index()
    return table[["variant", "metric", "index", "mean", "low", "high", "n"]]


def interval_steps(findings: Findings) -> list[dict[str, Any]]:
    """The same as steps of a history: `train_error/32x4d` is the mean, followed by /low and /high."""
    x = axis(findings.experiment.settings.study)
    steps: dict[float, dict[str, Any]] = {}
    for line in intervals(findings).to_dict("records"):
        step, name = steps.setdefault(line["index"], {x: line["index"]}), curve_name(line["metric"], line["variant"])
        ends = {name: line["mean"], f"{name}/low": line["low"], f"{name}/high": line["high"]}
        step.update({key: value for key, value in ends.items() if not np.isnan(value)})
    return [steps[index] for index in sorted(steps)]


def curve_name(metric: str, variant: str) -> str:
    """How the curve of a variant is called in the run of the sweep's summary."""
    return f"{metric}/{variant}"
