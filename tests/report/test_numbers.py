"""Printed numbers against measured ones at paper scale: the paper's statistic, its interval, and its protocol."""

import json
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from replicate.report import Findings, Sample
from replicate.report.findings import gather
from replicate.report.numbers import half_width, number, numbers, numbers_frame, protocol_line, value_of, views
from replicate.report.table import markdown, markdown_table
from tests.helpers.made_up import made_up_experiment, record_of
from tests.helpers.reported import report

RUNS = {"1x64d": (24.5, 24.1, 24.2), "2x40d": (23.04, 22.96, 23.0), "32x4d": (20.0, 20.1, 20.2)}


def found(scale: str = "paper", **settings: Any) -> Findings:
    experiment = made_up_experiment(scale=scale, **settings)
    records = [record_of(run, {"test_error": RUNS[run.variant][run.seed]}) for run in experiment.runs()]
    return gather(experiment, experiment.runs(), records)


def sample(*values: float) -> Sample:
    return Sample(values, float(np.mean(values)), None)


@pytest.mark.parametrize(
    ("statistic", "ours"), [("mean", 24.266667), ("median", 24.2), ("best", 24.1), ("single", 24.266667)]
)
def test_our_side_is_the_papers_own_statistic(statistic: str, ours: float) -> None:
    first, *_ = numbers(found(statistic=statistic))
    assert (first.variant, first.published, first.n) == ("1x64d", 23.9, 3)
    assert first.measured == pytest.approx(ours)
    assert first.difference == pytest.approx(ours - 23.9)


def test_the_best_accuracy_is_the_highest() -> None:
    assert value_of("best", sample(70.0, 72.0, 71.0), highest=True) == 72


def test_intervals_by_hand() -> None:
    values = (24.5, 24.1, 24.2)
    spread, t = np.std(values, ddof=1), stats.t.ppf(0.975, 2)
    assert half_width("mean", sample(*values)) == pytest.approx(t * spread * sqrt(2 / 3))
    assert half_width("single", sample(*values)) == pytest.approx(t * spread * sqrt(1 + 1 / 3))
    # the variance of the median of three normal values is 1 - sqrt(3) / pi, of their least 1 - (9 - 2 sqrt(3)) / (4 pi)
    assert half_width("median", sample(*values)) == pytest.approx(
        t * spread * sqrt(2 * (1 - sqrt(3) / np.pi)), rel=0.01
    )
    least = 0.559467  # variance of an extreme of three, Godwin 1949
    assert half_width("best", sample(*values)) == pytest.approx(t * spread * sqrt(2 * least), rel=0.01)
    assert half_width("mean", sample(24.5)) is None


@pytest.mark.parametrize("statistic", ["mean", "median", "best", "single"])
def test_a_true_replication_lies_within_in_95_of_100_cases(statistic: str) -> None:
    normal, inside = np.random.default_rng(0).standard_normal, 0
    for _ in range(2000):
        theirs, ours = sample(*normal(5)), sample(*normal(5))
        printed = theirs.values[0] if statistic == "single" else value_of(statistic, theirs)
        inside += abs(value_of(statistic, ours) - printed) <= (half_width(statistic, ours) or 0)
    assert 0.93 < inside / 2000 < 0.97


def test_results_in_words() -> None:
    assert [n.result for n in numbers(found())] == ["within chance", "agrees to the printed digits", "differs"]
    [only, *_] = numbers(found(seeds=1))
    assert only.result == "differs; one run has no spread"


def test_only_the_papers_own_scale_compares_numbers() -> None:
    assert numbers(found("laptop")) == numbers(found("smoke")) == []
    assert numbers_frame(found("laptop")).empty
    assert "Number by number" not in markdown(found("laptop"), [])


def test_table_and_json_have_them(tmp_path: Path) -> None:
    findings = found(statistic="median")
    text = markdown(findings, [])
    assert "## Number by number" in text
    assert markdown_table(numbers_frame(findings)) in text
    assert "Published: the median of runs; " in text
    assert "24.20 (median of 3)" in text
    report(findings.experiment, findings.records, tmp_path)
    data = json.loads((tmp_path / "resnext" / "made_up" / "paper" / "verdicts.json").read_text())["numbers"]
    assert data[0]["difference"] == number(findings, findings.variants[0], "top1_error").difference


def test_protocols_in_words() -> None:
    crops = {"protocols": [{"crops": "corners", "crop": 224, "scales": [256], "flip": True}]}
    both = {**crops, "readings": {"dense": [{"dense": True, "scales": [256, 384]}]}}
    assert views(crops, None) == "corners of 224 pixels in images scaled to 256, also mirrored"
    assert views(both, None).endswith("; whole images scaled to 256, 384 (dense)")
    assert views({}, None) == "1 view of an image"
    assert "Measured: 1 view of an image." in protocol_line(found())
