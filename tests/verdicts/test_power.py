"""Which effects so many seeds see, by the prior spread and by no observed effect: `replicate plan EXP --power`."""

import json
from dataclasses import asdict
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import tt_ind_solve_power
from typer.testing import CliRunner

from replicate.cli import app
from replicate.overview.seeds_needed import as_text, power_plan
from replicate.papers import load_paper
from replicate.runs.committed import MOST_SEEDS
from replicate.verdicts.effects import SEEN, seeds_for, seen_by
from replicate.verdicts.looks import LOOKS, PLAN, Look
from replicate.verdicts.moderated import Borrowed, estimate
from replicate.verdicts.prior import FREEDOM, Prior
from replicate.verdicts.sight import Sight, sights
from tests.helpers.runs_by_hand import claim

PAPER = load_paper("resnext")
TABLE = PAPER.tables["cardinality_vs_width"]
MEASURED = {"top1_error": "test_error"}


def shown(effect: float, sweeps: int = 4000) -> list[float]:
    """How often two rows that lie `effect` standard deviations apart are shown to by each look."""
    runs = np.random.default_rng(0).standard_normal((sweeps, 2, LOOKS[-1]))
    runs[:, 1] += effect
    found, shares = np.zeros(sweeps, bool), []
    for look in PLAN:
        part = runs[..., : look.runs]
        borrowed = Borrowed(np.ones((sweeps, 2)), np.full(2, FREEDOM))
        at = estimate(part.mean(-1), part.var(-1, ddof=1), look.runs, np.array([1.0, -1.0]), borrowed)
        found |= at.p_below(0.0) <= look.alpha
        shares.append(float(np.mean(found)))
    return shares


def test_records_of_all_looks_are_read() -> None:
    assert LOOKS[-1] == MOST_SEEDS


@pytest.mark.parametrize("seeds", LOOKS)
def test_the_looks_show_the_tabulated_effects_with_power_of_four_fifths(seeds: int) -> None:
    assert shown(SEEN[seeds])[LOOKS.index(seeds)] == pytest.approx(0.8, abs=0.025)


def test_a_single_look_with_borrowed_freedom_is_a_t_test() -> None:
    look = Look(5, 0.025, 0.05)
    runs = np.random.default_rng(1).standard_normal((20_000, 2, 5))
    effect = seen_by(look, freedom=4.0)  # five runs a row of their own
    p = stats.ttest_ind(runs[:, 0], runs[:, 1] + effect, axis=1, alternative="less").pvalue
    assert np.mean(p <= 0.025) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(("relative", "coefficient"), [(0.05, 0.037), (-0.1, 0.037), (0.02, 0.03)])
def test_seeds_for_an_effect_are_those_of_statsmodels_but_for_the_unknown_spread(
    relative: float, coefficient: float
) -> None:
    expected = tt_ind_solve_power(abs(relative) / coefficient, alpha=0.05, power=0.8)
    assert abs(seeds_for(relative, coefficient) - ceil(expected)) <= 2
    assert seeds_for(relative, coefficient, 4.0) >= seeds_for(relative, coefficient)


def test_a_plan_compares_what_it_sees_with_what_was_published() -> None:
    [found] = sights([PAPER.claim("cardinality_beats_width")], TABLE, 3, measured=MEASURED)
    assert found.comparison.startswith("top-1 error, depth")
    assert found.published is not None
    assert -0.1 < found.published < 0
    assert (found.can_see, found.metric) == (False, "test_error")
    more = [
        sights([PAPER.claim("cardinality_beats_width")], TABLE, seeds, measured=MEASURED)[0] for seeds in (2, 8, 16)
    ]
    assert more[0].sees is None
    assert (found.sees or 0) > (more[1].sees or 0) > (more[2].sees or 0)
    assert len({found.needed, *(sight.needed for sight in more)}) == 1


def test_the_loss_can_stand_in_for_the_error() -> None:
    error, loss = (
        sights([PAPER.claim("cardinality_beats_width")], TABLE, 5, measured=MEASURED, surrogate=surrogate)[0]
        for surrogate in ({}, {"top1_error": "test_loss"})
    )
    assert loss.metric == "test_loss"
    assert 0.5 < (loss.needed or 0) / (error.needed or 1) < 1.5  # over all regimes their seeds scatter alike


def test_the_level_that_is_expected_decides_the_spread() -> None:
    widths = PAPER.claim("cardinality_beats_width")
    low, high = (sights([widths], TABLE, 5, measured=MEASURED, levels={"test_error": level})[0] for level in (15, 40))
    known = Prior.load().kinds["test_error"].variance(np.array([15.0, 40.0])) ** 0.5 / [15, 40]
    assert (high.sees or 0) / (low.sees or 1) == pytest.approx(known[1] / known[0])


def test_what_needs_no_seeds_says_why() -> None:
    paper = load_paper("preact")
    collapse = paper.claim("scaling_breaks_training")
    only_collapse = collapse.model_copy(update={"test": tuple(t for t in collapse.test if t.kind == "collapse")})
    exact = collapse.model_copy(update={"test": claim({"kind": "exact"}).test})
    found = sights([only_collapse, exact], paper.tables["shortcut_types"], 3)
    assert [sight.needed for sight in found] == [None, None]
    assert found[0].reason == "whether runs fail is no matter of a published number"
    assert found[1].reason == "counted, not trained: one run decides"


def test_the_command_prints_every_claim_of_the_experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["plan", "resnext_cardinality", "--power"]
    found = [Sight(**line) for line in json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)]
    expected = power_plan("resnext_cardinality", ["scale=laptop"], tmp_path)
    assert [asdict(sight) for sight in found] == [asdict(sight) for sight in expected]
    assert CliRunner().invoke(app, words).stdout == as_text(expected) + "\n"
    assert "seeds see effects above" in as_text(expected)
