"""`replicate plan EXP --power`: seeds for the published effect at the measured spread, against statsmodels."""

import json
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.power import tt_ind_solve_power
from typer.testing import CliRunner

from replicate.cli import app
from replicate.errors import UserError
from replicate.overview.seeds_needed import as_text, power_plan
from replicate.papers import load_paper
from replicate.verdicts.estimates import MAX_SEEDS
from replicate.verdicts.power import Power, seeds_for_published
from tests.runs_by_hand import frame
from tests.site_results import write_made_up_results

PAPER = load_paper("preact")
CLAIM = PAPER.claim("bn_after_addition_hurts_imagenet")
TABLE = PAPER.tables[CLAIM.table or ""]
ROWS = {row.variant: row.published["top1_error"] for row in TABLE.rows}


def runs(spread: float, seeds: int = 4, mean: float = 50.0) -> pd.DataFrame:
    """Every row about the same `mean`, with exactly that standard deviation."""
    values = np.linspace(-1, 1, seeds)
    return frame({row: mean + spread * values / np.std(values, ddof=1) for row in ROWS}, "top1_error")


@pytest.mark.parametrize("spread", [0.2, 0.5, 1.0, 2.0])
def test_two_rows_need_what_statsmodels_says(spread: float) -> None:
    [found] = seeds_for_published([CLAIM], TABLE, runs(spread))
    first, second = (float(value or 0) for value in ROWS.values())
    wanted = tt_ind_solve_power(abs(first - second) / spread, alpha=0.05, power=0.8)
    assert found.effect == pytest.approx(-abs(first - second))
    assert found.seeds == max(2, ceil(wanted))
    assert found.have == 4


def test_only_the_spread_of_the_runs_counts() -> None:
    low, high = (seeds_for_published([CLAIM], TABLE, runs(0.7, mean=mean))[0].seeds for mean in (5.0, 80.0))
    assert low == high


def test_a_spread_that_hides_the_effect_needs_more_than_anyone_has() -> None:
    [found] = seeds_for_published([CLAIM], TABLE, runs(500.0))
    assert found.seeds == MAX_SEEDS + 1
    assert found.seeds_text == f"> {MAX_SEEDS}"


def test_claims_that_share_a_table_share_the_level() -> None:
    alone, shared = (seeds_for_published(claims, TABLE, runs(1.0))[0] for claims in ([CLAIM], [CLAIM] * 3))
    assert (shared.seeds or 0) > (alone.seeds or 0)


def test_a_ratio_keeps_its_relative_spread() -> None:
    paper = load_paper("stochastic_depth")
    claim = paper.claim("sd_gain_without_augmentation")
    table = paper.tables[claim.table or ""]
    rows = [cell.row for cell in claim.test[0].cells()]
    about = np.array([9.8, 10.0, 10.2])

    def measured(scale: float) -> pd.DataFrame:
        return pd.concat(frame(dict.fromkeys(rows, scale * about), metric) for metric in claim.test[0].metric)

    found = [seeds_for_published([claim], table, measured(scale)) for scale in (1.0, 1000.0)]
    assert found[0][0].seeds == found[1][0].seeds is not None


def test_what_needs_no_seeds_says_why() -> None:
    paper = load_paper("preact")
    collapse = paper.claim("scaling_breaks_training")
    unmeasured = paper.claim("preact_regularises")
    found = seeds_for_published([collapse, unmeasured], paper.tables["shortcut_types"], runs(1.0))
    assert [power.seeds for power in found] == [None, None]
    assert found[0].reason == "whether runs fail is no matter of a published number"
    assert found[1].reason.startswith("not measured")


def test_the_command_prints_every_claim_of_the_experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write_made_up_results(tmp_path / "results").parent)
    words = ["plan", "resnext_cardinality", "--power"]
    found = [Power(**line) for line in json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)]
    assert [power.claim for power in found][:2] == ["cardinality_beats_width", "saturation_at_small_width"]
    assert found[0].effect == pytest.approx(22.2 - 23.9)
    assert CliRunner().invoke(app, words).stdout == as_text(found) + "\n"


def test_without_records_there_is_no_spread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no records at laptop scale"):
        power_plan("resnext_cardinality", [], tmp_path)
