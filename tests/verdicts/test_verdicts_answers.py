"""What a verdict answers besides yes and no: smaller, a premise that is not met, a part; by the loss; and its prose."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from replicate.papers import Claim, Table
from replicate.verdicts import Outcome, Verdict, answer_words, judge
from replicate.verdicts.prior import Prior
from tests.helpers.runs_by_hand import HIGH, LOW, ROWS, claim, frame, order, table, verdict


def rows(**means: float) -> dict[str, Any]:
    """Eight seeds a row, with a spread of about 1 % of the mean."""
    noise = np.random.default_rng(0).standard_normal((len(means), 8))
    return {row: mean * (1 + 0.01 * line) for (row, mean), line in zip(means.items(), noise, strict=True)}


def printed(**values: float) -> Table:
    """A table whose rows print an error."""
    bare = table(**{row: place for place, row in enumerate(values)})
    lines = [row.model_copy(update={"published": {"error": values[row.variant]}}) for row in bare.rows]
    return bare.model_copy(update={"rows": tuple(lines)})


# words ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "here", "on_the_papers_data"),
    [
        (Outcome.HOLDS, "holds here", "reproduced"),
        (Outcome.OPPOSITE, "opposite here", "contradicted"),
        (Outcome.SMALLER, "smaller than 10 % here", "smaller than 10 %"),
        (Outcome.PREMISE, "premise not met here", "premise not met"),
        (Outcome.UNDECIDED, "undecided", "undecided"),
        (Outcome.EXACT, "exact", "exact"),
        (Outcome.DIFFERS, "differs", "differs"),
        (Outcome.NOT_RUN, "not run", "not run"),
    ],
)
def test_a_laptops_answer_is_about_its_own_task(outcome: Outcome, here: str, on_the_papers_data: str) -> None:
    assert answer_words(outcome, comparable=False) == here
    assert answer_words(outcome, comparable=True) == on_the_papers_data


def test_margin_and_part_are_said() -> None:
    assert answer_words(Outcome.SMALLER, comparable=True, margin=0.05) == "smaller than 5 %"
    assert answer_words(Outcome.UNDECIDED, comparable=False, in_part=True) == "holds in part here"
    assert answer_words(Outcome.UNDECIDED, comparable=True, in_part=True) == "reproduced in part"


# smaller --------------------------------------------------------------------------------------------------------------


def test_smaller_is_two_one_sided_tests_against_a_share_of_the_level() -> None:
    values = rows(a=20.0, b=20.1)
    found = verdict(values, order("a", "b"))
    assert (found.outcome, found.hold, found.total) == (Outcome.SMALLER, 0, 1)
    assert -0.1 < float(found.relative_low or 0) < 0 < float(found.relative_high or 0) < 0.1
    assert verdict(rows(a=18.5, b=20.1), order("a", "b")).outcome is Outcome.HOLDS  # shown, though under 10 %
    assert verdict({"a": [20, 22, 24, 26, 18], "b": [21, 27, 17, 19, 25]}, order("a", "b")).outcome is Outcome.UNDECIDED


def test_a_margin_may_be_asked_for() -> None:
    runs = frame(rows(a=20.0, b=20.1))
    ten, one = (judge(claim(order("a", "b")), ROWS, runs, margin=margin) for margin in (0.1, 0.01))
    assert (ten.outcome, one.outcome) == (Outcome.SMALLER, Outcome.UNDECIDED)
    assert (ten.margin, one.margin) == (0.1, 0.01)


def test_what_is_shown_and_what_is_small_make_smaller_together() -> None:
    found = verdict(rows(a=20.0, b=20.1, c=30.0), order("a", ["b", "c"]))
    assert (found.outcome, found.hold, found.total) == (Outcome.SMALLER, 1, 2)
    assert found.open == ("a below b in error",)
    assert found.detail.startswith("1 of 2 comparisons hold; open: a has")


def test_the_papers_effect_stands_beside_smaller() -> None:
    runs = frame(rows(a=20.0, b=20.1))
    little, large = (judge(claim(order("a", "b")), printed(a=a, b=22.2), runs) for a in (21.8, 11.1))
    assert little.published_relative == pytest.approx(21.8 / 22.2 - 1)
    assert "; the paper 1.8 % less. Smaller than 10 %, as the paper's own effect is." in little.detail
    assert "; the paper 50.0 % less. Smaller than 10 %, where the paper's effect is 50.0 %." in large.detail


def test_a_bound_on_one_row_is_never_small() -> None:
    level = {"kind": "order", "metric": "error", "contrast": {"a": 1.0}, "below": 20.0}
    assert verdict(rows(a=20.0), level).outcome is Outcome.UNDECIDED
    ratio = {"kind": "ratio", "metric": "error", "numerator": "a", "denominator": "b", "low": 1.0}
    assert verdict(rows(a=20.0, b=20.0), ratio).outcome is Outcome.UNDECIDED


# premise, parts -------------------------------------------------------------------------------------------------------


def with_premise(*tests: dict[str, Any], **bound: float) -> Claim:
    premise = {"row": "a", "metric": "train_error", "because": "it has not learnt its training set", **bound}
    data = claim(*tests).model_dump(exclude={"test"}) | {"test": list(tests), "premise": [premise]}
    return Claim.model_validate(data)


def test_a_premise_that_is_not_met_answers_nothing_else() -> None:
    runs = pd.concat([frame({"a": LOW, "b": [31.0, 31.2, 31.1]}), frame({"a": [30.0, 40.0, 35.0]}, "train_error")])
    unmet = judge(with_premise(order("a", "b"), below=20), ROWS, runs)
    assert unmet.outcome is Outcome.PREMISE
    assert unmet.detail == "Train error of a is 35, where it must be below 20: it has not learnt its training set."
    assert judge(with_premise(order("a", "b"), below=36), ROWS, runs).outcome is Outcome.HOLDS
    assert judge(with_premise(order("a", "b"), above=36), ROWS, runs).outcome is Outcome.PREMISE


def test_a_premise_that_was_not_measured_leaves_the_claim_open() -> None:
    runs = frame({"a": LOW, "b": [31.0, 31.2, 31.1]})
    found = judge(with_premise(order("a", "b"), below=20), ROWS, runs)
    assert found.outcome is Outcome.UNDECIDED
    assert "the premise was not measured" in found.detail.lower()
    assert judge(with_premise(order("a", "b"), below=20), ROWS, frame({"c": LOW})).outcome is Outcome.NOT_RUN


def test_a_part_counts_nowhere_as_the_whole() -> None:
    other = {**order("a", "b"), "metric": "size"}
    values = {"a": LOW, "b": [31.0, 31.2, 31.1]}
    for tests in ((order("a", "b"), other), ({**order("a", "b"), "case": "x"}, {**other, "case": "y"})):
        found = verdict(values, *tests)
        assert (found.outcome, found.holds_in_part) == (Outcome.UNDECIDED, True)
        assert found.words(comparable=False) == "holds in part here"
        assert "Only part of the claim was measured" in found.detail
    exact = {"kind": "exact", "metric": "error", "values": {"a": 40.25}}
    counted = verdict({"a": [40.25]}, exact, {**exact, "metric": "size", "values": {"b": 2}})
    assert (counted.outcome, counted.holds_in_part) == (Outcome.UNDECIDED, True)
    assert verdict({"a": [31.0, 31.2, 31.1], "b": LOW}, order("a", "b"), other).outcome is Outcome.OPPOSITE


# the loss in place of the error ---------------------------------------------------------------------------------------


def by_loss(test: dict[str, Any], errors: Any, losses: Any, metric: str = "test_error", **claimed: Any) -> Verdict:
    runs = pd.concat([frame(errors, metric), frame(losses, "test_loss")])
    units = ROWS.model_copy(update={"units": {**ROWS.units, metric: "percent"}})
    said = claim({**test, "metric": metric}).model_copy(update=claimed)
    return judge(said, units, runs, measured={metric: "test_error"}, surrogate={metric: "test_loss"})


NOISY = {"a": [20.0, 21.0, 22.0], "b": [23.0, 24.6, 22.3]}
CLEAR = {"a": [0.50, 0.501, 0.502], "b": [0.59, 0.595, 0.591]}


def test_the_loss_decides_where_the_error_is_too_noisy_and_both_are_printed() -> None:
    found = by_loss(order("a", "b"), NOISY, CLEAR)
    assert verdict(NOISY, order("a", "b")).outcome is Outcome.UNDECIDED
    assert found.outcome is Outcome.HOLDS
    assert found.relative == pytest.approx(np.mean(CLEAR["a"]) / np.mean(CLEAR["b"]) - 1)
    assert "less test loss than b" in found.detail
    assert "by error: a has" in found.detail


def test_of_an_accuracy_the_loss_goes_the_other_way() -> None:
    accuracies = {row: [100 - value for value in values] for row, values in NOISY.items()}
    found = by_loss(order("b", "a"), accuracies, CLEAR, "top1_accuracy")
    assert found.outcome is Outcome.HOLDS
    assert found.detail.startswith("a has 15.4 % less test loss than b")


@pytest.mark.parametrize(
    ("test", "changes"),
    [
        (order("a", "b"), {"about": "regularisation"}),
        ({"kind": "order", "contrast": {"a": 1.0}, "below": 25.0}, {}),
        ({"kind": "order", "contrast": {"a": 1.0, "b": -1.0}, "below": 0.5}, {}),
    ],
)
def test_where_the_loss_does_not_stand_for_the_error(test: dict[str, Any], changes: dict[str, Any]) -> None:
    assert "loss" not in by_loss(test, NOISY, CLEAR, **changes).detail


def test_a_claim_on_the_gap_is_not_decided_by_the_loss() -> None:
    runs = pd.concat([frame(NOISY, "test_error"), frame(NOISY, "train_error"), frame(CLEAR, "test_loss")])
    gap = claim({**order("a", "b"), "metric": "test_error"}, {**order("b", "a"), "metric": "train_error"})
    found = judge(gap, ROWS, runs, measured={"test_error": "test_error"}, surrogate={"test_error": "test_loss"})
    assert "loss" not in found.detail


def test_error_and_loss_that_contradict_each_other_decide_nothing() -> None:
    errors = {"a": [30.0, 30.2, 30.1], "b": [20.0, 20.2, 20.1]}
    found = by_loss(order("a", "b"), errors, CLEAR)
    assert found.outcome is Outcome.UNDECIDED
    assert "Error and loss show opposite signs" in found.detail


def test_a_margin_in_points_becomes_a_share_of_the_measured_error() -> None:
    alike = {"kind": "equal", "rows": ["a", "b"], "margin": 2.1}  # a tenth of about 21 %
    losses = {"a": [0.5, 0.501, 0.502], "b": [0.509, 0.51, 0.511]}
    near, far = (by_loss(alike, NOISY, values) for values in (losses, {**losses, "b": [0.65, 0.651, 0.652]}))
    assert (near.outcome, far.outcome) == (Outcome.HOLDS, Outcome.OPPOSITE)


# prose ----------------------------------------------------------------------------------------------------------------


def test_the_sentence_names_effect_interval_threshold_and_the_papers_effect_once() -> None:
    found = judge(claim(order("a", "b")), printed(a=22.2, b=23.9), frame({"a": LOW, "b": [22.9, 22.4, 22.7]}))
    assert found.detail.startswith("a has 2.2 % less error than b (")
    low, high = 100 * float(found.relative_low or 0), 100 * float(found.relative_high or 0)
    assert f"({low:.1f} to +{high:.1f} %); the paper 7.1 % less." in found.detail
    assert found.detail.endswith(f"Three seeds see effects above {100 * float(found.smallest or 0):.2g} %.")
    assert found.detail.count("; the paper") == 1


def test_an_accuracy_is_told_in_points_and_the_better_row_first() -> None:
    accuracies = {"a": [70.0, 70.2, 70.1], "b": [76.0, 76.2, 76.1]}
    units = ROWS.model_copy(update={"units": {**ROWS.units, "top1_accuracy": "percent"}})
    found = judge(claim({**order("a", "b"), "metric": "top1_accuracy"}), units, frame(accuracies, "top1_accuracy"))
    assert found.detail.startswith("b has 6 points more top-1 accuracy than a (+")


def test_the_smallest_effect_comes_from_the_prior_and_not_from_the_runs() -> None:
    quiet, wild = ({"a": [22, 22 + s, 22 - s], "b": [22.5, 22.5 + s, 22.5 - s]} for s in (0.01, 3.0))
    found = [verdict(values, order("a", "b")).smallest for values in (quiet, wild)]
    assert found[0] == pytest.approx(found[1])
    known = Prior.load().kinds["test_error"]
    expected = 3.85 * np.sqrt(np.mean(known.variance(np.array([22.0, 22.5])))) / 22.5
    assert found[0] == pytest.approx(expected)
    assert verdict({"a": LOW, "b": HIGH}, {**order("a", "b"), "metric": "size"}).smallest is None


@pytest.mark.parametrize(("by", "error"), [("loss", False), ("error", True)])
def test_a_trend_of_an_accuracy_is_told_with_the_sign_of_what_decides(by: str, error: bool) -> None:
    accuracies = {"a": [70.0, 70.2, 70.1], "b": [75.0, 75.2, 75.1], "c": [80.0, 80.2, 80.1]}
    losses = {row: (100 - np.array(values)) / 30 for row, values in accuracies.items()}
    runs = pd.concat([frame(accuracies, "top1_accuracy"), frame(losses, "test_loss")])
    units = ROWS.model_copy(update={"units": {**ROWS.units, "top1_accuracy": "percent"}})
    rising = claim({"kind": "trend", "metric": "top1_accuracy", "by": "depth", "direction": "rising"})
    loss = {} if error else {"top1_accuracy": "test_loss"}
    found = judge(rising, units, runs, measured={"top1_accuracy": "test_error"}, surrogate=loss)
    assert found.outcome is Outcome.HOLDS
    size = "rises by 10 points" if error else "falls by 33.4 %"  # 30 to 20 % of error
    assert f"{'top-1 accuracy' if error else 'test loss'} {size}" in found.detail


@pytest.mark.parametrize(
    ("a", "b", "bound", "less"),
    [
        (15.0, 10.0, {"low": 2.0}, True),  # half as much again, not twice
        (8.0, 10.0, {"high": 0.5}, True),  # a fifth less, not half
        (8.0, 10.0, {"low": 2.0}, False),
        (30.0, 10.0, {"low": 2.0}, False),
    ],
)
def test_a_factor_on_the_claimed_side_that_is_too_small_is_said_to_be(
    a: float, b: float, bound: dict[str, float], less: bool
) -> None:
    ratio = {"kind": "ratio", "metric": "error", "numerator": "a", "denominator": "b", **bound}
    found = verdict(rows(a=a, b=b), ratio)
    assert found.outcome is (Outcome.HOLDS if a == 30.0 else Outcome.OPPOSITE)
    assert ("The direction is the claimed one, the size is not" in found.detail) == less
