"""What verdicts must not claim: too few runs, missing rows, several claims; and how many seeds would decide."""

from math import nan
from typing import Any

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower

from replicate.papers import Table, load_paper, paper_ids
from replicate.papers.claims import ExactTest
from replicate.verdicts import COLUMNS, Outcome, judge, judge_all
from replicate.verdicts.estimates import Estimate, Region, seeds_to_decide
from replicate.verdicts.judge import holm
from tests.runs_by_hand import HIGH, LOW, ROWS, TREND, claim, frame, order, verdict

# what cannot be decided -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"a": [22.0], "b": HIGH}, "a spread needs two"),
        ({"a": [22.0, 22.0], "b": [23.0, 23.0]}, "do not differ at all"),
        ({"a": LOW, "b": HIGH, "c": [nan]}, "no run of c"),
    ],
)
def test_no_certainty_without_spread(values: dict[str, list[float]], reason: str) -> None:
    found = verdict(values, order(*values))
    assert (found.outcome, found.seeds_needed) == (Outcome.UNDECIDED, None)
    assert reason in found.detail


@pytest.mark.parametrize("test", [TREND, {**TREND, "kind": "growth", "exponent": 1, "tolerance": 0.1}])
def test_identical_runs_show_no_trend(test: dict[str, Any]) -> None:
    fields = {k: v for k, v in test.items() if test["kind"] == "trend" or k != "direction"}
    found = verdict({"a": [3.0, 3.0], "b": [2.0, 2.0], "c": [1.0, 1.0]}, fields)
    assert (found.outcome, found.p) == (Outcome.UNDECIDED, None)


def test_diverged_run_stands_at_chance_or_blocks() -> None:
    runs = frame({"a": LOW, "b": [nan, nan, nan]}, diverged={"b": 3})
    known, unknown = (judge(claim(order("a", "b")), ROWS, runs, chance) for chance in ({"error": 90.0}, None))
    assert known.outcome is Outcome.REPRODUCED
    assert known.effect == pytest.approx(np.mean(LOW) - 90)
    assert unknown.outcome is Outcome.UNDECIDED
    assert "3 runs of b diverged" in unknown.detail


def test_half_measured_test_cannot_support_but_can_refute() -> None:
    supporting = verdict({"a": LOW, "b": HIGH}, order("a", "b", "c"))
    refuting = verdict({"a": HIGH, "b": LOW}, order("a", "b", "c"))
    assert (supporting.outcome, refuting.outcome) == (Outcome.UNDECIDED, Outcome.CONTRADICTED)
    assert "not measured: error of 'c'" in supporting.detail


def test_another_part_must_be_measured_but_another_case_need_not() -> None:
    other = {**order("a", "b"), "metric": "size"}
    values = {"a": LOW, "b": HIGH}
    assert verdict(values, order("a", "b"), other).outcome is Outcome.UNDECIDED
    cases = [{**order("a", "b"), "case": "depth 1"}, {**other, "case": "depth 2"}]
    found = verdict(values, *cases)
    assert found.outcome is Outcome.REPRODUCED
    assert found.detail.endswith("not measured: depth 2.")


def test_nothing_measured_is_not_run() -> None:
    assert verdict({"c": LOW}, order("a", "b")).outcome is Outcome.NOT_RUN
    assert judge(claim(order("a", "b")), ROWS, pd.DataFrame(columns=list(COLUMNS))).outcome is Outcome.NOT_RUN
    assert judge(claim(), ROWS, frame({"a": LOW})).detail == "No test is bound to this claim."


def test_curves_end_at_their_last_point_and_single_values_win() -> None:
    runs = frame({"a": LOW, "b": HIGH})
    early = runs.assign(index=0.0, value=99.0)
    late = runs.assign(index=5.0, value=runs["value"])
    expected = judge(claim(order("a", "b")), ROWS, runs)
    assert judge(claim(order("a", "b")), ROWS, pd.concat([late, early])) == expected
    assert judge(claim(order("a", "b")), ROWS, pd.concat([runs, early])) == expected


def test_a_bad_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks value"):
        judge(claim(order("a", "b")), ROWS, frame({"a": LOW}).drop(columns="value"))
    with pytest.raises(ValueError, match="two variants measure 'a'"):
        judge(claim(order("a", "b")), ROWS, pd.concat([frame({"a": LOW}), frame({"a": LOW}).assign(variant="w")]))


def test_a_variant_without_a_row_goes_by_its_own_name() -> None:
    runs = frame({"a": LOW, "b": HIGH})
    named = runs.assign(variant=runs["row"], row=None)
    assert judge(claim(order("a", "b")), ROWS, named).outcome is Outcome.REPRODUCED


# several claims, seeds needed -----------------------------------------------------------------------------------------


def test_holm_corrects_the_claims_of_a_table_and_keeps_both_values() -> None:
    slightly = [22.6, 22.5, 22.9]
    claims = [claim(order("a", "b"), name="x"), claim(order("a", "c"), name="y"), claim(order("z", "a"), name="z")]
    alone = judge(claims[0], ROWS, frame({"a": LOW, "b": slightly}))
    together = judge_all(claims, ROWS, frame({"a": LOW, "b": slightly, "c": [22.2, 22.1, 22.3]}))
    assert alone.outcome is Outcome.REPRODUCED
    assert [v.outcome for v in together] == [Outcome.UNDECIDED, Outcome.UNDECIDED, Outcome.NOT_RUN]
    assert together[0].p == alone.p
    assert together[0].p_adjusted == pytest.approx(2 * float(alone.p or 0))
    assert "though p = " in together[0].detail
    assert together[0].seeds_needed is not None
    assert together[0].seeds_needed > 3


@pytest.mark.parametrize("p_values", [[0.01, None, 0.04, 0.03], [0.02, 0.02, 0.5], [0.9, 0.6], [None]])
def test_holm_is_that_of_statsmodels(p_values: list[float | None]) -> None:
    numbers = [p for p in p_values if p is not None]
    expected = iter(multipletests(numbers, method="holm")[1] if numbers else [])
    assert holm(p_values) == pytest.approx([None if p is None else next(expected) for p in p_values])


@pytest.mark.parametrize(("effect", "spread"), [(0.5, 0.4), (0.2, 0.4), (1.0, 0.5)])
def test_seeds_needed_is_the_power_calculation_of_statsmodels(effect: float, spread: float) -> None:
    expected = TTestIndPower().solve_power(effect / spread, alpha=0.05, power=0.8)
    found = seeds_to_decide(Estimate(-effect, (spread**2, spread**2), (3, 3)), Region(high=0.0))
    assert found == np.ceil(expected)


def test_more_than_a_thousand_seeds_is_said_so() -> None:
    found = verdict({"a": [22.0, 22.5, 22.2], "b": [22.01, 22.5, 22.2]}, order("a", "b"))
    assert found.seeds_text == ">1000"
    assert "even 1000 seeds would not decide" in found.detail


def test_seeds_for_equality_shrink_with_the_margin() -> None:
    estimate = Estimate(0.05, (0.04, 0.04), (3, 3))
    needed = [seeds_to_decide(estimate, Region(-margin, margin)) for margin in (0.1, 0.2, 0.4)]
    assert needed == sorted(needed, reverse=True)
    assert needed[-1] < needed[0]


# the papers' own numbers ----------------------------------------------------------------------------------------------


def published_runs(printed: Table, counted: set[str], seeds: int = 8) -> pd.DataFrame:
    """The published numbers as if measured, with next to no spread; a row that failed diverges."""
    noise = np.random.default_rng(0).standard_normal
    parts = []
    for row in (row for row in printed.rows if row.variant in printed.params()):
        for metric, value in row.published.items():
            if isinstance(value, (bool, str)) or (value is None and not row.published.get("fail")):
                continue  # a rank, a verdict, or what the paper shows as a curve
            spread = 0.0 if metric in counted else 1e-4
            values = [nan if value is None else float(value) * (1 + spread * noise()) for _ in range(seeds)]
            parts.append(frame({row.variant: values}, metric, {row.variant: seeds} if value is None else None))
    return pd.concat(parts) if parts else pd.DataFrame(columns=list(COLUMNS))


PRINTS_ITS_LIMIT = {"time_15_20", "path_length_binomial", "peak_memory"}
"""Claims of which the paper prints the limit itself ("at most 20 %", "more than 95 %") or a rounded value ("400 KB", of
401.408): it does not pass its own."""


def bound_tables() -> list[tuple[str, str]]:
    papers = [load_paper(paper_id) for paper_id in paper_ids()]
    return sorted({(p.id, c.table) for p in papers for c in p.claims if c.test and c.table})


@pytest.mark.parametrize(("paper_id", "name"), bound_tables())
def test_every_bound_claim_is_confirmed_by_the_papers_own_numbers(paper_id: str, name: str) -> None:
    printed = load_paper(paper_id).tables[name]
    claims = [c for c in load_paper(paper_id).claims_of(name) if c.test]
    counts = [t for c in claims for t in c.test if isinstance(t, ExactTest) or getattr(t, "counted", False)]
    counted = {metric for test in counts for metric in test.columns_named() or printed.units}
    guessing = dict.fromkeys(printed.units, 90.0)
    for found in judge_all(claims, printed, published_runs(printed, counted), guessing):
        if found.claim in PRINTS_ITS_LIMIT:
            continue
        confirmed = found.outcome in (Outcome.REPRODUCED, Outcome.EXACT)
        assert confirmed or "ot measured: " in found.detail, f"{found.claim}: {found.detail}"
