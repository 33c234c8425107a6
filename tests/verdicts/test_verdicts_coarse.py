"""Of ten classes five guesses find half: their error is not weighed where there is a top-1 error."""

import pandas as pd
import pytest

from replicate.verdicts import Outcome, Verdict, judge
from tests.helpers.runs_by_hand import HIGH, LOW, ROWS, claim, frame

BOTH = {"top1_error": "test_error", "top5_error": "test_top5_error"}
ALONE = {"top5_error": "test_top5_error"}
UNLIKE = [0.1, 1.9, 1.0]


def verdict(metrics: list[str], chance: float, *, measured: dict[str, str] = BOTH, top1: str = "top1_error") -> Verdict:
    """a is far below b in top-1, and scatters about it in top-5."""
    found = pd.concat(
        [frame({"a": LOW, "b": HIGH}, metric=top1), frame({"a": UNLIKE, "b": UNLIKE[::-1]}, metric="top5_error")]
    )
    test = {"kind": "order", "metric": metrics, "ascending": ["a", "b"]}
    return judge(claim(test), ROWS, found, {"test_top5_error": chance}, measured=measured)


def test_top5_of_ten_classes_is_left_out_beside_top1_and_the_verdict_says_so() -> None:
    found = verdict(["top1_error", "top5_error"], 50.0)
    assert (found.outcome, found.total, found.partly) == (Outcome.HOLDS, 1, "")
    assert "left out: of so few classes guessing finds half" in found.detail


@pytest.mark.parametrize("metrics", [["top1_error", "top5_error"], ["top5_error"]])
def test_it_is_weighed_of_more_classes(metrics: list[str]) -> None:
    found = verdict(metrics, 95.0)
    assert (found.outcome, found.total) == (Outcome.UNDECIDED, len(metrics))
    assert "guessing finds half" not in found.detail


@pytest.mark.parametrize(("measured", "top1"), [(BOTH, "top1_error"), (ALONE, "test_error")])
def test_top1_stands_for_top5_where_the_claim_has_no_other_and_the_verdict_says_so(
    measured: dict[str, str], top1: str
) -> None:
    found = verdict(["top5_error"], 50.0, measured=measured, top1=top1)
    assert (found.outcome, found.total) == (Outcome.HOLDS, 1)
    assert "less top-1 error than b" in found.detail
    assert "Top-1 errors stand for top-5 errors" in found.detail


def test_top5_is_weighed_where_no_top1_is_measured() -> None:
    found = verdict(["top5_error"], 50.0, measured=ALONE, top1="another")
    assert (found.outcome, found.total) == (Outcome.UNDECIDED, 1)
    assert "Top-1" not in found.detail


def test_an_accuracy_is_told_as_one() -> None:
    """The metric that is measured is an error; the column is an accuracy, of which more is better."""
    top5 = frame({"a": UNLIKE, "b": UNLIKE[::-1]}, metric="top5_accuracy")
    found = judge(
        claim({"kind": "order", "metric": ["top5_accuracy"], "ascending": ["b", "a"]}),
        ROWS,
        pd.concat([frame({"a": LOW, "b": HIGH}, metric="test_error"), top5]),
        {"test_top5_error": 50.0},
        measured={"top5_accuracy": "test_top5_error"},
    )
    assert (found.outcome, found.total) == (Outcome.HOLDS, 1)
