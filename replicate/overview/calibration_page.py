"""docs/calibration.md: how often the verdicts are wrong, how often they decide, and what stays undecided."""

from pathlib import Path

import numpy as np
import pandas as pd

from replicate.errors import UserError
from replicate.files import write_atomic
from replicate.report.table import markdown_table
from replicate.verdicts.calibration import any_of, calibrate, collapses, looked_at_once
from replicate.verdicts.looks import LOOKS
from replicate.verdicts.prior import Prior
from replicate.verdicts.scenarios import NO_EFFECT, SHARES

SWEEPS = 4000
TABLE = 5
UNSTABLE = "one end"
"""Spreads in which one row scatters more than its level lets expect: the known limit of the engine."""

TEXT = """# Calibration

How often are the verdicts wrong? `replicate calibration` simulates {sweeps:,} sweeps for each cell below, of which the
truth is known, and gives them to the code that judges the real ones. It writes this page; equal numbers come out every
time.

Runs scatter as the suite's records do at a test error of {level:.3g} %: {spread:.2g} points between seeds. Sweeps are
looked at after {looks} seeds. With one or two seeds nothing is decided.

- **as in the records**: each row's own variance departs from that of its level as the records' do; **one end 3 x**: the
  first row scatters three times as far as its level lets expect; **prior 2 x too small**: all rows scatter twice as far
  as the engine expects.
- **{none}**: all rows are alike, and "holds" and "opposite" are both wrong; at a bound the answer of the other side is.
  The published effects are those of ResNeXt's Table 3 (7.1 % between its ends, 0.4 to 3.8 % from step to step).

## Wrong answers

Percent of the sweeps in which a wrong answer was given at any look up to the last. The engine allows 5 %; a true 5 %
shows as up to {chance:.1f} % here. The largest rate is {worst:.1f} %, and {unstable:.1f} % where one row scatters three
or five times as far as its level lets expect: such a row needs a steadier training before more seeds.

{wrong}

Each claim is judged alone: among {claims} claims without effect in one table, one or more is decided in {family:.1f} %
of the sweeps.

## Right answers where an effect is true

Percent of the sweeps in which the claim holds, after so many seeds.

{power}

## What stays undecided

Percent of the sweeps. "Smaller than 10 %" is an answer too, and often the right one for half of a published effect.

{open}

## Training that fails

A row is said to fail if at least three of four runs do, not to fail if at most one of four does; in between neither
answer is wrong.

{collapse}

## A fixed number of seeds

At paper scale the number of seeds is fixed and looked at once, with the spread that is declared for the data set or,
where none is, that of the runs alone.

{once}
"""


def write_calibration(path: Path, sweeps: int = SWEEPS) -> None:
    """Simulate, and write the page. Raises UserError when it cannot be written."""
    text = page(sweeps)
    try:
        write_atomic(path, text.encode())
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


def page(sweeps: int = SWEEPS) -> str:
    """The page as Markdown."""
    prior = Prior.load().kinds["test_error"]
    rates = calibrate(sweeps)
    unstable = rates["spread"].str.startswith(UNSTABLE)
    may_err = rates["truth"].map(lambda truth: SHARES.get(truth, 0.0) == 0.0)
    return TEXT.format(
        sweeps=sweeps,
        level=prior.typical,
        spread=float(prior.variance(np.array(prior.typical))) ** 0.5,
        looks=f"{', '.join(map(str, LOOKS[:-1]))} and {LOOKS[-1]}",
        none=NO_EFFECT,
        chance=5 + 100 * noise_of_five(sweeps),
        worst=100 * float(rates.loc[~unstable, "wrong"].max()),
        unstable=100 * float(rates.loc[unstable, "wrong"].max()),
        wrong=wide(rates[may_err].pivot_table("wrong", ["claim", "truth"], "spread", "max", sort=False)),
        claims=TABLE,
        family=100 * any_of(TABLE, sweeps),
        power=by_seeds(rates[~may_err], "holds"),
        open=by_seeds(rates[~may_err], "undecided"),
        collapse=percentages(collapses(sweeps), ["truth", "seeds"], ["holds", "opposite", "undecided", "wrong"]),
        once=percentages(looked_at_once(sweeps), ["truth", "spread", "seeds"], ["holds", "opposite", "wrong"]),
    )


def noise_of_five(sweeps: int) -> float:
    """How far from 5 % a true rate of 5 % is found over `sweeps` sweeps, but for one of 10,000 cases; a share."""
    return 3.9 * float(0.05 * 0.95 / sweeps) ** 0.5


def by_seeds(rates: pd.DataFrame, column: str) -> str:
    """One line a claim, truth and spread; one column a number of seeds."""
    table = rates.pivot_table(column, ["claim", "truth", "spread"], "seeds", sort=False)
    return wide(table.rename(columns=lambda seeds: f"{seeds} seeds"))


def wide(shares: pd.DataFrame) -> str:
    """A frame of shares in percent, with its index in front."""
    lines = shares.map(lambda share: f"{100 * share:.1f}").reset_index()
    return markdown_table(lines)


def percentages(rates: pd.DataFrame, names: list[str], shares: list[str]) -> str:
    return wide(rates.set_index(names)[shares])
