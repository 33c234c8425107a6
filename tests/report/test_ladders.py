"""Ladders of networks as a figure: families by name, the numbers of the table, powers, and no empty panel."""

import numpy as np
import pytest

from replicate.experiments.experiment import load_experiment
from replicate.report.figures import has_own_figure
from replicate.report.figures.draw import draw
from replicate.report.figures.ladder_figure import power
from replicate.report.findings import Findings, gather
from replicate.report.ladders import ladders, parted
from tests.helpers.made_up import made_up_experiment, record_of

CURVE = {"train_error": (60.0, 40.0, 30.0)}


def degradation() -> Findings:
    """The plan of resnet_degradation; errors that rise with the depth."""
    experiment = load_experiment("resnet_degradation")
    runs = experiment.runs()
    return gather(
        experiment, runs, [record_of(run, errors(run.config.model["depth"], run.seed), CURVE) for run in runs]
    )


def errors(depth: int, seed: int) -> dict[str, float | None]:
    return {"train_error": depth / 4 + seed, "test_error": depth / 3, "classes": 10.0}


def test_families_are_what_differs_in_one_number_alone() -> None:
    [ladder] = ladders(degradation())
    assert ladder.setting == "depth"
    assert {one.name: one.words for one in ladder.families} == {
        "plain": ("20", "32", "44", "56", "110"),
        "ResNet": ("20", "32", "44", "56"),
    }


def test_the_figure_has_the_tables_numbers_and_the_curves() -> None:
    findings = degradation()
    panels = draw(findings).axes
    assert [axes.get_ylabel() for axes in panels] == ["train error (%)", "test error (%)", "train error (%)"]
    drawn = np.concatenate([np.asarray(bar.lines[0].get_xydata()) for bar in panels[0].containers])  # type: ignore[attr-defined]
    means = {line.measured["train_error"].mean for line in findings.variants}
    assert set(drawn[:, 1]) == means
    assert sum(np.size(line.get_xdata()) == len(CURVE["train_error"]) for line in panels[2].lines) == len(
        findings.variants
    )


def test_growth_is_drawn_in_powers_and_what_is_zero_everywhere_is_left_out() -> None:
    experiment = load_experiment("densenet_memory")
    runs = experiment.runs()

    def kept(layers: int) -> dict[str, float | None]:
        return {"kept_bytes": 100.0 * layers**2, "kept_maps": 7.0 * layers, "gradient_difference": 0.0}

    layers = [run.config.options.given.get("layers") or run.config.model["depth"] for run in runs]
    records = [record_of(run, kept(count)) for run, count in zip(runs, layers, strict=True)]
    panels = [axes for axes in draw(gather(experiment, runs, records)).axes if axes.axison]
    assert {axes.get_ylabel() for axes in panels} == {"kept bytes", "kept maps"}
    assert all(axes.get_xscale() == axes.get_yscale() == "log" for axes in panels)
    assert all(text.get_text().endswith("power 2.00") for text in panels[0].texts)


def test_what_stands_on_no_ladder_keeps_the_figure_of_its_table() -> None:
    experiment = made_up_experiment()
    runs = experiment.runs()
    assert not has_own_figure(gather(experiment, runs, [record_of(run, {"test_error": 20.0}) for run in runs]))


def test_a_table_without_print_has_no_empty_half() -> None:
    experiment = load_experiment("random_filters")
    runs = experiment.runs()
    panels = draw(gather(experiment, runs, [record_of(run, {"test_error": 20.0 + run.seed}) for run in runs])).axes
    assert all(axes.containers for axes in panels)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["0.25-224", "0.5-224"], ("224", ("0.25", "0.5"))),
        (["naive L=10 k=12", "naive L=20 k=12"], ("naive k=12", ("L=10", "L=20"))),
        (["1x1", "3x3"], ("", ("1x1", "3x3"))),
    ],
)
def test_names_are_parted_into_what_is_shared_and_what_is_not(names: list[str], said: tuple[str, object]) -> None:
    assert parted(names) == said


def test_a_power_is_the_slope_of_the_logarithms() -> None:
    assert power([1, 2, 4], [3, 12, 48]) == ": power 2.00"
    assert power([1, 2], [0, 1]) == ""
