"""Of ten classes five guesses find half: their error is not weighed where the claim has another."""

import pandas as pd
import pytest

from replicate.verdicts import Outcome, Verdict, judge
from tests.helpers.runs_by_hand import HIGH, LOW, ROWS, claim, frame

BOTH = {"top1_error": "test_error", "top5_error": "test_top5_error"}
UNLIKE = [0.1, 1.9, 1.0]


def verdict(metrics: list[str], chance: float) -> Verdict:
    """a is far below b in top-1, and scatters about it in top-5."""
    top1 = frame({"a": LOW, "b": HIGH}, metric="top1_error")
    top5 = frame({"a": UNLIKE, "b": UNLIKE[::-1]}, metric="top5_error")
    test = {"kind": "order", "metric": metrics, "ascending": ["a", "b"]}
    return judge(claim(test), ROWS, pd.concat([top1, top5]), {"test_top5_error": chance}, measured=BOTH)


def test_top5_of_ten_classes_is_left_out_beside_top1_and_the_verdict_says_so() -> None:
    found = verdict(["top1_error", "top5_error"], 50.0)
    assert (found.outcome, found.total, found.partly) == (Outcome.HOLDS, 1, "")
    assert "left out: of so few classes guessing finds half" in found.detail


@pytest.mark.parametrize(("metrics", "chance"), [(["top1_error", "top5_error"], 95.0), (["top5_error"], 50.0)])
def test_it_is_weighed_of_more_classes_and_where_it_stands_alone(metrics: list[str], chance: float) -> None:
    found = verdict(metrics, chance)
    assert (found.outcome, found.total) == (Outcome.UNDECIDED, len(metrics))
    assert "left out" not in found.detail
