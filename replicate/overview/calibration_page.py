"""docs/calibration.md: how often the verdicts are wrong, at the spread that this suite's own runs have."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from replicate.errors import UserError
from replicate.files import write_atomic
from replicate.report.table import markdown_table
from replicate.report.write import EACH, RECORDS, read_records
from replicate.verdicts.calibration import SEEDS, TRUTHS, Case, calibrate, default_cases, printed_spread

SWEEPS = 2000
LONGER = 10
"""So many times more sweeps for a line whose rate of wrong decisions may not be told from the 5 % that it must keep."""
METRIC = "test_error"

TEXT = """# Calibration

How often are the verdicts wrong? `replicate calibration` simulates {sweeps:,} sweeps for each line of the table below,
of which the truth is known, and gives them to the code that judges the real ones. A line that comes near 5 % of wrong
decisions is simulated over {longer:,}. It writes this page; equal numbers come out every time.

- **truth**: `published`: the paper's own numbers are the true means; `half`: the effect is half as large; `none`:
  neither answer is right (for an order or a trend all rows are alike; for equality, ratio and growth the truth sits on
  the bound of what the claim allows; for a collapse every second run fails).
- **spread**: the standard deviation between runs. {spread:g} points is the median over the variants in results/; a
  paper printed {printed:.2g} for five runs of ResNet-110. Times and sizes scatter by a share of their mean. "2 x" means
  that one row scatters twice as much as the others.
- **wrong**: every decision where the truth is `none`, "contradicted" where the claim is true. The engine allows 5 %; a
  rate of 5 % over {longer:,} sweeps lies within {noise:.1f} points of the true one in all but one of 10,000 cases.

The largest rate of wrong decisions in the table is {worst:.1f} %; a true rate of 5 % may show as up to {chance:.1f} %.
What the table does not show: at three seeds and very uneven spreads Welch's test errs a little more often (5.8 % at
spreads of 5 to 1); and a claim that shares its table with others is judged more strictly than here (Holm): it errs less
and is undecided more often.

{table}
"""


def write_calibration(path: Path, results: Path, sweeps: int = SWEEPS) -> None:
    """Simulate, and write the page. Raises UserError when it cannot be written."""
    text = page(results, sweeps)
    try:
        write_atomic(path, text.encode())
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


def page(results: Path, sweeps: int = SWEEPS) -> str:
    """The page as Markdown."""
    spread = observed_spread(results)
    lines = product(default_cases(spread), TRUTHS, SEEDS)
    rates = pd.concat([simulated(*line, sweeps) for line in lines], ignore_index=True)
    noise = 100 * noise_of_five(LONGER * sweeps)
    return TEXT.format(
        sweeps=sweeps,
        longer=LONGER * sweeps,
        spread=spread,
        printed=printed_spread(),
        noise=noise,
        chance=5 + noise,
        worst=100 * float(rates["wrong"].max()),
        table=markdown_table(in_words(rates)).replace("---: |", "--- |", 4),
    )


def simulated(case: Case, truth: str, seeds: int, sweeps: int) -> pd.DataFrame:
    """The rates of one line; over more sweeps if they come near the 5 % that are allowed."""
    rates = calibrate([case], [seeds], [truth], sweeps)
    near = float(rates["wrong"].iloc[0]) > 0.05 - noise_of_five(sweeps)
    return calibrate([case], [seeds], [truth], LONGER * sweeps) if near else rates


def noise_of_five(sweeps: int) -> float:
    """How far from 5 % a true rate of 5 % is found over `sweeps` sweeps, but for one of 10,000 cases; a share."""
    return 3.9 * float(0.05 * 0.95 / sweeps) ** 0.5


def observed_spread(results: Path) -> float:
    """Median standard deviation of the test error between the seeds of a variant in `results`, to a tenth of a point.

    A median, since a variant of which one run diverged says nothing of the others; rounded, so that one more
    experiment rarely changes the page. Diverged runs are left out. Raises UserError without any such variant.
    """
    values: dict[tuple[str, str], list[float]] = {}
    for path in sorted(results.glob(f"{EACH}/{RECORDS}")):
        for record in read_records(path):
            error = record.value(METRIC)
            if error is not None and record.status == "finished":
                values.setdefault((path.parent.as_posix(), record.variant), []).append(error)
    spreads = [np.std(many, ddof=1) for many in values.values() if len(many) > 1]
    if not spreads:
        raise UserError(f"{results} has no trained variant of two runs, of which the spread could be had")
    return max(0.1, round(float(np.median(spreads)), 1))


def in_words(rates: pd.DataFrame) -> pd.DataFrame:
    """One line for each claim, truth and number of seeds, as a person reads it."""
    return pd.DataFrame(
        {
            "kind": rates["kind"],
            "claim": rates["claim"],
            "spread": [spread(*line) for line in zip(rates["spread"], rates["relative"], rates["uneven"], strict=True)],
            "truth": rates["truth"],
            "seeds": rates["seeds"],
            **{f"{name} %": [f"{100 * rate:.1f}" for rate in rates[name]] for name in OUTCOMES},
        }
    )


OUTCOMES = ("reproduced", "contradicted", "undecided", "wrong")


def spread(size: float, relative: bool, uneven: float) -> str:
    """`0.4 points`, `2 % of the mean`, `0.4 points, 2 x`."""
    text = f"{100 * size:g} % of the mean" if relative else f"{size:g} points"
    return text if uneven == 1 else f"{text}, {uneven:g} x"
