"""Study step_time: two networks by turns, and the ratio of their mean times."""

from pathlib import Path
from typing import Any

import pytest
import torch

from replicate.errors import UserError
from replicate.experiments.experiment import load_experiment
from replicate.experiments.run_config import MachineConfig, Run
from replicate.models.stochastic_depth import StochasticDepth
from replicate.runs.store import RunStore
from replicate.runs.task import Outcome, Task, Tracker
from replicate.studies.step_time import WARM_UP, Stepper, check, run

STEPS = 40


def smoke(*words: str, variant: str = "stochastic depth") -> Run:
    return load_experiment("stochastic_depth_time", ["scale=smoke", *words]).run(variant, 0)


def measured(root: Path, one: Run) -> Outcome:
    return run(Task(one, MachineConfig(), RunStore(root), lambda progress: None, Tracker()))


def active_blocks(self: Stepper) -> float:
    """A step that takes as many seconds as it has active blocks."""
    assert isinstance(self.network, StochasticDepth)
    self.step()
    return float(sum(block.active for block in self.network.blocks))


def test_the_ratio_is_that_of_mean_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stepper, "seconds", active_blocks)
    outcome = measured(tmp_path, smoke(f"options.steps={STEPS}"))
    found = {m.metric: m.value for m in outcome.measurements}
    assert found["reference_step_seconds"] == 6
    assert found["step_seconds"] == pytest.approx((3 * 6 - 1) / 4, abs=0.6)  # three quarters of the blocks
    assert found["relative_step_time"] == pytest.approx((found["step_seconds"] or 0) / 6)


def test_steps_are_taken_by_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []
    step = Stepper.step

    def noted(self: Stepper) -> None:
        taken.append(id(self.network))
        step(self)

    monkeypatch.setattr(Stepper, "step", noted)
    outcome = measured(tmp_path, smoke("options.steps=3"))
    assert len(taken) == 2 * (3 + WARM_UP)
    assert taken[::2] == [taken[0]] * (3 + WARM_UP)
    assert taken[1::2] == [taken[1]] * (3 + WARM_UP)
    assert taken[0] != taken[1]
    assert all((m.value or 0) > 0 for m in outcome.measurements)


def test_numbers_too_small_for_speed_are_zero_while_steps_are_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    product: list[float] = []
    step = Stepper.step

    def noted(self: Stepper) -> None:
        product.append(float(torch.tensor([1e-30]) * 1e-9))
        step(self)

    monkeypatch.setattr(Stepper, "step", noted)
    measured(tmp_path, smoke("options.steps=1"))
    assert set(product) == {0.0}
    assert float(torch.tensor([1e-30]) * 1e-9) > 0  # afterwards everything is as it was


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("options.stpes=3", "options.stpes"),
        ("options.steps=0", "greater than or equal to 1"),
        ("options.against=3", "options.against"),
        ("options.against={depth: 9}", "depth"),
    ],
)
def test_bad_options_are_refused(word: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        check(smoke(word).config)
