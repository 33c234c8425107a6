"""Shifts, turns and enlargements before and after an operation, and the gains of filters, are what theory says."""

from collections.abc import Callable
from math import cos, pi, sin
from pathlib import Path

import pytest
import torch

from replicate.report.figures import has_own_figure
from replicate.report.figures.draw import draw
from replicate.studies import translation as motion
from replicate.sweep.launch import run_experiment
from replicate.verdicts import Outcome
from tests.helpers.convolution import task
from tests.helpers.reported import report

Curve = dict[float, float]


def measured(subject: str) -> tuple[dict[str, float], dict[str, Curve]]:
    """Single values and curves of a subject."""
    singles: dict[str, float] = {}
    curves: dict[str, Curve] = {}
    for found in task("translation", {"topic": "motion", "subject": subject}):
        assert found.value is not None
        if found.index is None:
            singles[found.metric] = found.value
        else:
            curves.setdefault(found.metric, {})[found.index] = found.value
    return singles, curves


@pytest.mark.parametrize("subject", ["image itself", "convolution", "symmetric kernel", "max pooling", "mean pooling"])
def test_at_stride_1_every_shift_commutes(subject: str) -> None:
    singles, curves = measured(subject)
    assert set(curves["shift_error"].values()) == {0.0}
    assert (singles["scale_error"] == 0) == (subject == "image itself")
    assert (singles["turn_error"] == 0) == (subject != "convolution")


def test_at_stride_2_every_second_shift_commutes() -> None:
    _, curves = measured("convolution, stride 2")
    assert [error == 0 for error in curves["shift_error"].values()] == [False, True] * 4
    assert min(error for shift, error in curves["shift_error"].items() if shift % 2) > 50


def test_maxima_change_as_often_as_their_windows_differ() -> None:
    """Of windows of 3 moved by s, 3 (3 - s) pixels are in both and 3 (3 + s) in either: so often the largest stays."""
    _, curves = measured("max pooling")
    for shift, changed in curves["outputs_changed"].items():
        assert changed == pytest.approx(100 * (1 - max(0, 3 - shift) / (3 + shift)), abs=1)
    assert set(measured("mean pooling")[1]["outputs_changed"].values()) == {100.0}


def test_pooling_over_turned_kernels_does_not_see_a_quarter_turn() -> None:
    pooled, kernel = (measured(subject)[1]["answer_change"] for subject in ("rotation pooling", "convolution"))
    assert (pooled[0], pooled[90]) == (0, 0)
    assert kernel[90] > 10
    assert max(pooled.values()) < kernel[90]


@pytest.mark.parametrize(
    ("subject", "gain"),
    [
        ("box", lambda f: abs(1 + 2 * cos(2 * pi * f)) / 3),
        ("binomial", lambda f: (1 + cos(2 * pi * f)) / 2),
        ("Laplacian", lambda f: 2 - 2 * cos(2 * pi * f)),
        ("Sobel", lambda f: 8 * abs(sin(2 * pi * f))),
    ],
)
def test_gains_are_the_transforms_of_the_kernels(subject: str, gain: Callable[[float], float]) -> None:
    singles, curves = measured(subject)
    for frequency, found in curves["gain"].items():
        assert found == pytest.approx(gain(frequency), abs=1e-8)
    assert (singles["gain_constant"], singles["gain_finest"]) == (curves["gain"][0], curves["gain"][0.5])


def test_a_border_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """With zeros around the image instead of its other side no operation commutes with a shift."""
    monkeypatch.setattr(motion, "wrapped", lambda images: torch.nn.functional.pad(images, (1, 1, 1, 1)))
    assert min(measured(subject)[0]["shift_error"] for subject in ("convolution", "mean pooling")) > 1


def test_every_claim_is_decided_and_drawn(tmp_path: Path) -> None:
    sweep = run_experiment("translation", ["scale=smoke", f"runs_dir={tmp_path}", "wandb=disabled"], quiet=True)
    findings, verdicts = report(sweep.experiment, sweep.records)
    assert len(verdicts) == 5
    assert {verdict.outcome for verdict in verdicts} <= {Outcome.EXACT, Outcome.HOLDS}
    assert has_own_figure(findings)
    figure = draw(findings)
    assert [len(axes.lines) for axes in figure.axes] == [7, 7, 4]
