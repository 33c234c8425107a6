"""How far seeds scatter at an error level, fitted on the suite's own records: what lends freedom to three seeds.

Smyth 2004 (limma): a row's variance is scaled F about a prior one. The prior's logarithm is linear in the logarithm of
the row's mean, one line for each kind of metric, fitted by the moments of the log variances (his section 6.2).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from scipy import special

from replicate.verdicts.frame import PILOT, Values
from replicate.verdicts.quantities import KINDS, OTHER

FILE = Path(__file__).with_name("prior.yaml")
FREEDOM = 4.0
"""At most so many degrees of freedom are lent, although the records would give more: spreads elsewhere may differ."""
LEAST_VARIANTS = 20
TRAINED = "train"
LEARNT = 0.9  # a network that ends beyond this share of guessing has not learnt, its seeds say nothing of the others
FLOOR = 1.0  # percent: below, errors are single images, whose logarithm would bend the line of all others


@dataclass(frozen=True)
class Spread:
    """One kind's line: log variance = intercept + slope x log mean, between the means `low` and `high` of the fit.

    freedom: as fitted. typical: the median mean.
    """

    intercept: float
    slope: float
    freedom: float
    low: float
    high: float
    typical: float
    variants: int

    @property
    def lent(self) -> float:
        """Degrees of freedom that a row borrows."""
        return min(FREEDOM, self.freedom)

    def variance(self, means: Values) -> Values:
        """Prior variance of a run at each mean; NaN for a mean of 0 or less.

        Beyond the fitted range nothing is extrapolated: above it the variance stays, below it falls with the mean
        itself, as that of counted errors does.
        """
        positive = np.where(means > 0, means, np.nan)
        inside = np.clip(positive, self.low, self.high)
        below = np.minimum(1.0, positive / self.low) if self.low > 0 else 1.0
        return np.exp(self.intercept + self.slope * np.log(inside)) * below


@dataclass(frozen=True)
class Prior:
    """The spread of each kind of metric, and of which records it is: experiments, scale and commit."""

    kinds: Mapping[str, Spread]
    experiments: tuple[str, ...] = ()
    commit: str = ""

    @staticmethod
    def load(path: Path | None = None) -> "Prior":
        """The prior that lies beside this file, or another one."""
        return _read(path or FILE)

    def dump(self, path: Path | None = None) -> None:
        """Write the prior as YAML, numbers to six digits."""
        kinds = {name: {k: _rounded(v) for k, v in asdict(spread).items()} for name, spread in self.kinds.items()}
        data = {"commit": self.commit, "experiments": list(self.experiments), "kinds": kinds}
        (path or FILE).write_text(HEADER + yaml.safe_dump(data, sort_keys=False, width=120), encoding="utf-8")


HEADER = """# How far the seeds of a variant scatter: log variance = intercept + slope x log mean, fitted on the
# records in results/ (`replicate calibration --refit`). Errors in percent, losses in nats; `other`: the rest.
"""


@lru_cache(maxsize=8)
def _read(path: Path) -> Prior:
    data: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    kinds = {name: Spread(**fields) for name, fields in data["kinds"].items()}
    return Prior(kinds, tuple(data["experiments"]), data["commit"])


def _rounded(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.6g}")


def fit_prior(frame: pd.DataFrame, commit: str = "") -> Prior:
    """Fit the prior on final values.

    frame: one row a run and metric, columns experiment, study, variant, seed, status, metric, value (final); of each
    variant the metric `classes`, where it is measured, tells what guessing gives. Errors and losses are those of study
    `train`; a network damaged afterwards scatters by other causes. Diverged runs, pilot seeds, variants that have not
    learnt and those that make almost no errors are left out. A kind of fewer than 20 variants joins the others.
    """
    rows = _variants(frame)
    kinds = {kind: part for kind in KINDS if len(part := rows[rows["kind"] == kind]) >= LEAST_VARIANTS}
    kinds[OTHER] = rows[~rows["kind"].isin(kinds)]
    fitted = {
        kind: fit_spread(*(part[column].to_numpy(float) for column in ("mean", "variance", "freedom")))
        for kind, part in kinds.items()
        if len(part) >= LEAST_VARIANTS
    }
    if OTHER in fitted:  # numbers of every unit and size: no range to stay in
        fitted[OTHER] = replace(fitted[OTHER], low=0.0, high=inf)
    used = rows[rows["kind"].isin(fitted)]
    return Prior(fitted, tuple(sorted(set(used["experiment"]))), commit)


def _variants(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a variant and metric: mean, variance, degrees of freedom, kind."""
    keys = ["experiment", "study", "variant"]
    classes = frame[frame["metric"] == "classes"].groupby(keys)["value"].first().rename("classes")
    usable = frame[(frame["status"] == "finished") & (frame["seed"] < PILOT) & (frame["metric"] != "classes")]
    grouped = usable.groupby([*keys, "metric"])["value"]
    rows = grouped.agg(mean="mean", variance="var", runs="count").reset_index().join(classes, on=keys)
    rows = rows[(rows["runs"] > 1) & (rows["variance"] > 0) & (rows["mean"].abs() > 0)]
    kind = rows["metric"].where(rows["study"] == TRAINED, OTHER)
    rows = rows.assign(kind=kind, freedom=rows["runs"] - 1.0, mean=rows["mean"].abs())
    return rows[~(rows["mean"] > LEARNT * _guessing(rows)) & ~_without_errors(rows, keys)]


def _without_errors(rows: pd.DataFrame, keys: list[str]) -> "pd.Series[bool]":
    """Errors below the floor, and the losses on the same images."""
    few = rows[rows["metric"].isin(("test_error", "train_error")) & (rows["mean"] < FLOOR)]
    images = {(*place, metric.partition("_")[0]) for *place, metric in few[[*keys, "metric"]].itertuples(index=False)}
    found = [
        kind != OTHER and (*place, kind.partition("_")[0]) in images
        for *place, kind in rows[[*keys, "kind"]].itertuples(index=False)
    ]
    return pd.Series(found, index=rows.index, dtype=bool)


def _guessing(rows: pd.DataFrame) -> "pd.Series[float]":
    """What guessing gives in each row's metric; NaN where that is not known."""
    one, five = 100 / rows["classes"], 100 * np.minimum(1.0, 5 / rows["classes"])
    levels = {"test_error": 100 - one, "train_error": 100 - one, "test_top5_error": 100 - five}
    levels |= dict.fromkeys(("test_loss", "train_loss"), np.log(rows["classes"]))
    known = pd.DataFrame(levels, index=rows.index)
    places = known.columns.get_indexer(pd.Index(rows["metric"]))
    found = known.to_numpy(float)[np.arange(len(rows)), places]
    return pd.Series(np.where(places >= 0, found, np.nan), index=rows.index)


def fit_spread(means: Values, variances: Values, freedoms: Values) -> Spread:
    """Fit one kind: (k,) means, variances and degrees of freedom of k variants."""
    logs = np.log(means)
    line, freedom = moments(variances, freedoms, np.column_stack([np.ones_like(logs), logs]))
    shift = float(special.digamma(freedom / 2) - np.log(freedom / 2))
    bounds = (float(np.min(means)), float(np.max(means)), float(np.median(means)))
    return Spread(float(line[0]) + shift, float(line[1]), freedom, *bounds, len(means))


MOST_FREEDOM = 1e6  # where the spreads scatter no more than chance makes them


def moments(variances: Values, freedoms: Values, design: Values) -> tuple[Values, float]:
    """Coefficients of the expected log variance on `design` (k, q), and the prior's degrees of freedom.

    The log of a scaled F has the mean log s0^2 + psi(d/2) - log(d/2) - psi(d0/2) + log(d0/2) and the variance
    psi'(d/2) + psi'(d0/2), which is solved for d0.
    """
    logs = np.log(variances) - special.digamma(freedoms / 2) + np.log(freedoms / 2)
    line, *_ = np.linalg.lstsq(design, logs, rcond=None)
    rest = logs - design @ line
    excess = float(rest @ rest) / (len(logs) - design.shape[1]) - float(np.mean(special.polygamma(1, freedoms / 2)))
    return line, min(MOST_FREEDOM, 2 * inverse_trigamma(excess)) if excess > 0 else MOST_FREEDOM


def inverse_trigamma(value: float) -> float:
    """The y of which psi'(y) = value > 0, by Newton's method on 1 / psi' (Smyth 2004, appendix)."""
    y = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(special.polygamma(1, y))
        step = trigamma * (1 - trigamma / value) / float(special.polygamma(2, y))
        y += step
        if -step / y < 1e-10:
            break
    return y
