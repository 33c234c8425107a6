"""Every algorithm gives torch's convolution within its tolerance and needs the products that its paper counts."""

from pathlib import Path

import numpy as np
import pytest
import torch

from replicate.experiments.experiment import load_experiment
from replicate.report.figures import has_own_figure
from replicate.report.figures.draw import draw
from replicate.report.findings import gather
from replicate.statements import algorithms as by
from replicate.studies.conv_speed import applicable, checked, milliseconds, problem, products
from replicate.sweep.launch import run_experiment
from tests.helpers.convolution import task
from tests.helpers.reported import report

KERNELS = (1, 2, 3, 5, 8)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", by.ALGORITHMS)
def test_agrees_with_torch(name: str, kernel: int) -> None:
    if name not in applicable(kernel):
        pytest.skip("minimal filtering is for 3x3 here")
    for maps in (7, 16):
        images, kernels = problem(name, kernel, maps, channels=3, seed=0, device="cpu")
        error = checked(name, by.ALGORITHMS[name], images, kernels)
        assert 0 <= error < 1e-4
    if name == "separable":
        return  # an outer product rounded to single precision has rank 1 to single precision only
    exact = by.ALGORITHMS[name](images.double(), kernels.double())
    torch.testing.assert_close(exact, by.torch_conv(images.double(), kernels.double()), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("outputs", "taps"), [(1, 3), (2, 3), (4, 3), (3, 2), (2, 5)])
def test_minimal_filtering_of_other_sizes(outputs: int, taps: int) -> None:
    images, kernels = torch.randn(2, 3, 11, 12).double(), torch.randn(4, 3, taps, taps).double()
    torch.testing.assert_close(
        by.winograd(images, kernels, outputs), by.torch_conv(images, kernels), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_strassen_of_odd_sides(levels: int) -> None:
    a, b = torch.randn(2, 7, 5).double(), torch.randn(2, 5, 9).double()
    torch.testing.assert_close(by.strassen(a, b, levels), a @ b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "kernel", "expected"),
    [("direct", 5, 25), ("im2col", 5, 25), ("torch", 5, 25), ("winograd_2x2", 3, 4), ("winograd_4x4", 3, 2.25)],
)
def test_products_for_each_output(name: str, kernel: int, expected: float) -> None:
    images, kernels = problem(name, kernel, maps=16, channels=4, seed=0, device="cpu")
    assert products(name, by.ALGORITHMS[name], images, kernels) == expected


def test_strassen_saves_an_eighth_and_the_fft_needs_one_complex_product_a_frequency() -> None:
    images, kernels = problem("strassen", 3, maps=16, channels=4, seed=0, device="cpu")
    assert products("strassen", by.ALGORITHMS["strassen"], images, kernels) == 9 * 7 / 8
    frequencies = 18 * (18 // 2 + 1)
    assert products("fft", by.fft, images, kernels) == 4 * frequencies / 16**2


def test_a_wrong_algorithm_is_refused() -> None:
    images, kernels = problem("fft", 3, maps=8, channels=2, seed=0, device="cpu")
    with pytest.raises(ValueError, match="off by"):
        checked("fft", lambda x, w: by.fft(x, w.flip(2, 3)), images, kernels)


def test_a_kernel_of_full_rank_is_not_separable() -> None:
    with pytest.raises(ValueError, match="rank 3"):
        by.factors(torch.eye(3))
    with pytest.raises(ValueError, match="single kernel"):
        by.separable_filter(torch.randn(1, 2, 8, 8), torch.randn(1, 2, 3, 3))


def test_the_time_is_that_of_one_call() -> None:
    calls: list[int] = []
    assert 0 < milliseconds(lambda: calls.append(1), "cpu", budget=0.001) < 1
    assert len(calls) > 3


def test_a_run_times_every_algorithm_on_every_map() -> None:
    found = task("convolution_speed", {"topic": "algorithms", "kernel": 3, "maps": [4, 8], "milliseconds": 1})
    for name in by.ALGORITHMS:
        assert [m.index for m in found if m.metric == name] == [4, 8]
        assert [m.value is not None and m.value < 1e-4 for m in found if m.metric == f"{name}_error"] == [True]
    savings = {m.metric: m.value for m in found if m.metric.endswith("x4_saving") or m.metric.endswith("x2_saving")}
    assert savings == {"winograd_2x2_saving": 2.25, "winograd_4x4_saving": 4.0}


def test_the_experiment_counts_exactly_and_draws_a_panel_for_each_map(tmp_path: Path) -> None:
    words = ["scale=smoke", f"runs_dir={tmp_path}", "wandb=disabled", "options.milliseconds=1", "variant=1x1,3x3"]
    sweep = run_experiment("conv_algorithms", words, quiet=True)
    findings, verdicts = report(sweep.experiment, sweep.records)
    assert verdicts == [], "nothing is judged at smoke scale"
    assert has_own_figure(findings)
    figure = draw(findings)
    assert [len(axes.lines) for axes in figure.axes] == [len(by.ALGORITHMS)] * 2
    [times] = [line for line in figure.axes[1].lines if line.get_label() == "fft"]
    assert np.array_equal(times.get_xdata(), [1, 3])


def test_other_experiments_have_no_such_figure() -> None:
    experiment = load_experiment("conv_arithmetic")
    assert not has_own_figure(gather(experiment, experiment.runs(), []))
