"""What papers say of their blocks by formula: the outcome of each claim as computed, and as computed wrong."""

from pathlib import Path

import pytest
import torch

from replicate.errors import UserError
from replicate.experiments.run_config import RunConfig
from replicate.models import mobilenet_v1, stochastic_depth
from replicate.models.stochastic_depth import StochasticDepth
from replicate.statements.bottlenecks import determined
from replicate.studies.count import measure
from replicate.studies.options import Column
from replicate.studies.random_draws import check, collapsed_points, reconstruction_error, spiral
from replicate.studies.random_draws import stochastic_depth as built
from replicate.sweep.launch import run_experiment
from replicate.verdicts import Outcome
from tests.helpers.convolution import task
from tests.helpers.reported import report

SURVIVAL = {"topic": "survival", "depth": 20}


def outcomes(name: str, root: Path) -> dict[str, Outcome]:
    """Claim -> outcome at smoke scale."""
    sweep = run_experiment(name, ["scale=smoke", f"runs_dir={root}", "wandb=disabled"], quiet=True)
    _, verdicts = report(sweep.experiment, sweep.records)
    return {verdict.claim: verdict.outcome for verdict in verdicts}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mobilenet_v2_blocks", {"block_cost": Outcome.EXACT, "relu_invertibility": Outcome.EXACT}),
        ("shufflenet_units", {"unit_cost": Outcome.EXACT, "fifty_layers": Outcome.EXACT}),
        ("resnext_blocks", {"depth2_trivial": Outcome.EXACT}),
        ("mobilenet_v2_memory", {"peak_memory": Outcome.EXACT}),
        ("mobilenet_v2_information", {"relu_information": Outcome.HOLDS}),
        ("stochastic_depth_blocks", {"expected_depth": Outcome.HOLDS}),
    ],
)
def test_the_outcome_of_every_claim(name: str, expected: dict[str, Outcome], tmp_path: Path) -> None:
    assert outcomes(name, tmp_path) == expected


# when ReLU(Bx) determines x -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "point", "expected"),
    [
        ([[1, 0], [0, 1]], [1, 1], True),
        ([[1, 0], [0, 1]], [1, -1], False),
        ([[1, 0], [2, 0], [3, 0]], [1, 1], False),  # three positive outputs, on rows that say the same
        ([[1, 0], [-1, 0]], [0, 0], False),
        ([[1], [-1]], [0], True),  # no positive output: where an output is zero, the lemma's "only if" fails
    ],
)
def test_what_determines_a_point(rows: list[list[float]], point: list[float], expected: bool) -> None:
    assert determined(torch.tensor(rows).double(), torch.tensor(point).double()) == expected


# the spiral -----------------------------------------------------------------------------------------------------------


def test_points_collapse_in_the_quadrants_without_two_positive_outputs() -> None:
    """T the identity keeps the first quadrant alone, and with -T beside it everything."""
    points, identity = spiral(4000), torch.eye(2).double()
    assert collapsed_points(points, identity) == pytest.approx(75, abs=0.1)
    both = torch.cat([identity, -identity])
    assert collapsed_points(points, both) == pytest.approx(0, abs=0.1)
    assert reconstruction_error(points, both) == pytest.approx(0, abs=1e-9)
    assert reconstruction_error(points, identity) > 30


def test_without_a_relu_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "relu", lambda x: x.abs() + 1)  # positive everywhere: no point collapses
    assert collapsed_points(spiral(100), torch.randn(3, 2).double()) == 0
    monkeypatch.setattr(torch, "relu", lambda x: x)
    assert reconstruction_error(spiral(100), torch.randn(3, 2).double()) == pytest.approx(0, abs=1e-9)


def test_a_broken_embedding_is_not_reproduced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "relu", lambda x: x)
    assert outcomes("mobilenet_v2_information", tmp_path) != {"relu_information": Outcome.HOLDS}


# the blocks that take part --------------------------------------------------------------------------------------------


def test_expected_and_drawn_blocks_are_those_of_the_network() -> None:
    found = {m.metric: m.value for m in task("random_draws", {**SURVIVAL, "mini_batches": 3000})}
    assert found["expected_blocks"] == (3 * 9 - 1) / 4
    assert found["drawn_blocks"] == pytest.approx((3 * 9 - 1) / 4, abs=0.15)  # six standard errors


@pytest.mark.parametrize("broken", ["draws", "uniform"])
def test_a_broken_decay_or_draw_is_not_reproduced(broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def all_active(self: StochasticDepth) -> None:
        for block in self.blocks:
            block.active = True

    if broken == "draws":  # networks that are built draw wrongly, too
        monkeypatch.setattr(StochasticDepth, "draw", all_active)
        assert outcomes("stochastic_depth_blocks", tmp_path) != {"expected_depth": Outcome.HOLDS}
        return
    monkeypatch.setattr(stochastic_depth, "survival_probabilities", lambda blocks, last, decay: [last] * blocks)
    built.cache_clear()
    try:
        assert outcomes("stochastic_depth_blocks", tmp_path) != {"expected_depth": Outcome.HOLDS}
    finally:
        built.cache_clear()


# maps between blocks --------------------------------------------------------------------------------------------------

V1 = {"name": "mobilenet_v1"}


def test_the_largest_map_by_hand_and_at_one_side() -> None:
    layer = "stages.?.?"
    assert measure(V1, Column(of="map_kilobytes", layer=layer)) == 2 * 64 * 112**2 / 1000
    assert [measure(V1, Column(of="most_channels", layer=layer, side=side)) for side in (56, 7)] == [128, 1024]
    with pytest.raises(UserError, match="none of the layers"):
        measure(V1, Column(of="most_channels", layer=layer, side=13))


def test_a_network_with_a_wrong_width_has_another_peak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mobilenet_v1, "STAGES", ((96,), *mobilenet_v1.STAGES[1:]))
    assert outcomes("mobilenet_v2_memory", tmp_path) == {"peak_memory": Outcome.DIFFERS}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"topic": "embedding", "dimension": 1}, "options.dimension"),
        ({**SURVIVAL, "mini_batches": 0}, "options.mini_batches"),
        ({**SURVIVAL, "decay": "cosine"}, "decay"),
    ],
)
def test_wrong_options_are_one_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        check(RunConfig(study="random_draws", options=options))
    assert "\n" not in str(caught.value)
