"""What verdicts must not claim: too few runs, missing rows; and the papers' own numbers confirm their claims."""

from math import nan
from typing import Any

import numpy as np
import pandas as pd
import pytest

from replicate.papers import Table, load_paper, paper_ids
from replicate.papers.claims import ExactTest
from replicate.verdicts import COLUMNS, Outcome, judge, judge_all
from tests.helpers.runs_by_hand import HIGH, LOW, ROWS, TREND, WITHOUT_PRIOR, claim, frame, order, verdict, welch

FAR = [31.0, 31.2, 31.1]

# what cannot be decided -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"a": [22.0], "b": HIGH}, "one seed in common"),
        ({"a": LOW[:2], "b": HIGH}, "2 seeds in common"),
        ({"a": LOW, "b": HIGH, "c": [nan]}, "no run of c"),
    ],
)
def test_nothing_is_decided_by_fewer_than_three_seeds(values: dict[str, list[float]], reason: str) -> None:
    found = verdict(values, order(*values))
    assert (found.outcome, found.seeds if len(values) == 2 else 0) == (Outcome.UNDECIDED, 0)
    assert reason in found.detail.lower()


@pytest.mark.parametrize("test", [TREND, {**TREND, "kind": "growth", "exponent": 1, "tolerance": 0.1}])
def test_without_a_prior_identical_runs_show_nothing(test: dict[str, Any]) -> None:
    fields = {k: v for k, v in test.items() if test["kind"] == "trend" or k != "direction"}
    found = welch({"a": [3.0] * 3, "b": [2.0] * 3, "c": [1.0] * 3}, fields)
    assert (found.outcome, found.p) == (Outcome.UNDECIDED, None)
    assert "do not differ at all" in found.detail


def test_diverged_run_stands_at_chance_or_blocks() -> None:
    runs = frame({"a": LOW, "b": [nan, nan, nan]}, diverged={"b": 3})
    known, unknown = (judge(claim(order("a", "b")), ROWS, runs, chance) for chance in ({"error": 90.0}, None))
    assert known.outcome is Outcome.HOLDS
    assert known.effect == pytest.approx(np.mean(LOW) - 90)
    assert unknown.outcome is Outcome.UNDECIDED
    assert "3 runs of b diverged" in unknown.detail


def test_half_measured_test_cannot_support_but_can_refute() -> None:
    supporting = verdict({"a": LOW, "b": FAR}, order("a", "b", "c"))
    refuting = verdict({"a": FAR, "b": LOW}, order("a", "b", "c"))
    assert (supporting.outcome, refuting.outcome) == (Outcome.UNDECIDED, Outcome.OPPOSITE)
    assert "not: error of 'c'" in supporting.detail


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
    runs = frame({"a": LOW, "b": FAR})
    named = runs.assign(variant=runs["row"], row=None)
    assert judge(claim(order("a", "b")), ROWS, named).outcome is Outcome.HOLDS


def test_claims_of_one_table_are_judged_each_for_itself() -> None:
    claims = [claim(order("a", "b"), name="x"), claim(order("a", "c"), name="y"), claim(order("z", "a"), name="z")]
    runs = frame({"a": LOW, "b": FAR, "c": [22.2, 22.1, 22.3]})
    together = judge_all(claims, ROWS, runs)
    assert together == [judge(one, ROWS, runs) for one in claims]
    assert [v.outcome for v in together] == [Outcome.HOLDS, Outcome.SMALLER, Outcome.NOT_RUN]


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
    for found in judge_all(claims, printed, published_runs(printed, counted), guessing, prior=WITHOUT_PRIOR):
        if found.claim in PRINTS_ITS_LIMIT:
            continue
        confirmed = found.outcome in (Outcome.HOLDS, Outcome.EXACT)
        assert confirmed or found.partly or "ot measured: " in found.detail, f"{found.claim}: {found.detail}"
