"""Study responses: the standard deviation of every layer's output, against torch's own over all images at once."""

from pathlib import Path
from statistics import median
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from replicate.data import load
from replicate.errors import UserError
from replicate.experiments.experiment import load_experiment
from replicate.experiments.run_config import MachineConfig, Run
from replicate.models import create_model
from replicate.runs.store import RunStore
from replicate.runs.task import Task, Tracker
from replicate.studies.responses import Responses, check, normalised, run
from replicate.studies.trained import trained


def smoke(*words: str) -> Run:
    return load_experiment("resnet_responses", ["scale=smoke", "data.train_images=20", *words]).run("ResNet-20", 0)


def task(one: Run, root: Path) -> Task:
    store = RunStore(root)
    return Task(one, MachineConfig(channels_last=False), store, lambda progress: None, Tracker())


def responses_at_once(network: nn.Module, images: Tensor) -> list[float]:
    """Standard deviations by following the residual network of three blocks by hand."""
    found = []
    maps = network.stem.bn(network.stem.conv(images))  # type: ignore[union-attr, operator]
    found.append(maps)
    maps = maps.relu()
    for (block,) in network.stages:  # type: ignore[union-attr, misc]
        branch: Any = block.branch
        found.append(branch.bn1(branch.conv1(maps)))
        found.append(branch.bn2(branch.conv2(found[-1].relu())))
        maps = (found[-1] + block.shortcut(maps)).relu()
    return [float(layer.std(correction=0)) for layer in found]


def test_the_curve_is_torchs_deviation_of_each_layer(tmp_path: Path) -> None:
    one = smoke()
    outcome = run(task(one, tmp_path))
    splits = load(one.config.data)
    network = trained(task(one, tmp_path)).network
    with torch.no_grad():
        expected = responses_at_once(network, (splits.test.images.float() - splits.mean) / splits.std)
    found = [m.value for m in outcome.measurements if m.metric == "response_std"]
    falling = [m.value for m in outcome.measurements if m.metric == "sorted_response_std"]
    assert found == pytest.approx(expected, rel=1e-4)
    assert falling == sorted(found, key=lambda value: -(value or 0))
    [middle] = [m.value for m in outcome.measurements if m.metric == "median_response_std"]
    assert middle == pytest.approx(median(expected), rel=1e-4)


def test_projections_are_no_layers_and_hooks_are_taken_away() -> None:
    network = create_model("resnet_cifar", depth=8, shortcut="C")
    assert len(normalised(network)) == 7
    responses = Responses(network)
    network(torch.randn(2, 3, 8, 8))
    assert len(responses.deviations()) == 7
    network(torch.randn(2, 3, 8, 8))
    assert all(not layer._forward_hooks for layer in network.modules())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["options.layers=3"], "options.layers"),
        (["model.name=lenet5", "model.depth=null", "model.width=null", "data.size=32"], "no 3x3 convolution"),
    ],
)
def test_what_cannot_be_measured_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        check(smoke(*words).config)
