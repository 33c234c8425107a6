"""Study `course`: the first layer's gradients as autograd has them, and fluctuation apart from a trend."""

import math
import random
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from replicate.errors import UserError
from replicate.experiments.run_config import RunConfig
from replicate.models import create_model
from replicate.studies import course
from replicate.studies.course import GRADIENT, first_layer, fluctuation, note_gradient


def config(**changes: object) -> RunConfig:
    blocks: dict[str, object] = {
        "model": {"name": "small_cnn", "widths": [4, 4, 4]},
        "data": {"size": 8, "train_images": 40, "test_images": 20, "validation": 20},
        "recipe": {"optimizer": "sgd", "lr": 0.1, "batch_size": 20, "epochs": 6, "init": "he_normal"},
        "trainer": {},
    }
    return RunConfig.model_validate({"study": "course", **blocks, **changes})


def test_fluctuation_is_that_of_independent_errors_whatever_their_trend() -> None:
    draw = random.Random(0)
    errors = [50 - 0.02 * epoch + draw.gauss(0, 1.5) for epoch in range(4000)]
    found = fluctuation(errors)
    assert found is not None
    assert found == pytest.approx(1.5, rel=0.05)
    assert fluctuation([10 - epoch for epoch in range(8)]) == pytest.approx(0)
    assert fluctuation([1.0] * 5) is None


def test_the_first_layer_is_behind_the_stem() -> None:
    network = create_model("small_cnn", widths=(4, 6), residual=True)
    assert first_layer(network) is network.get_submodule("stages.0.0.branch.0.conv")
    with pytest.raises(UserError, match="no stages"):
        first_layer(nn.Sequential(nn.Conv2d(1, 2, 3)))


def test_a_row_gets_the_gradient_of_its_last_step() -> None:
    network = create_model("small_cnn", widths=(4,))
    F.cross_entropy(network(torch.randn(4, 1, 6, 6)), torch.arange(4)).backward()  # type: ignore[no-untyped-call]

    module: Any = SimpleNamespace(network=network, history=[{}], plan=SimpleNamespace(steps=5))
    note_gradient(module, 4)
    assert module.history == [{}]
    note_gradient(module, 5)
    gradient = network.get_parameter("stages.0.0.0.conv.weight").grad
    assert gradient is not None
    assert math.isclose(module.history[0][GRADIENT], float(gradient.abs().mean()))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": {"reach": 1}}, "unknown setting 'reach'"),
        ({"data": {"size": 8}}, "data.validation"),
        ({"trainer": {"devices": 2}}, "one process"),
        ({"model": {"name": "lenet5_modern"}, "data": {"validation": 20, "size": 32}}, "no stages"),
    ],
)
def test_what_cannot_be_followed_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        course.check(config(**changes))
    course.check(config())
