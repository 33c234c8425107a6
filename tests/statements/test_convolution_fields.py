"""The field of every network: by recursion through its operations, and from the gradient at its input."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from replicate.errors import UserError
from replicate.experiments.experiment import load_experiment
from replicate.experiments.run_config import RunConfig
from replicate.models import create_model, model_names
from replicate.papers import load_paper
from replicate.report.figures import has_own_figure
from replicate.report.figures.draw import draw
from replicate.statements import receptive
from replicate.statements.measure import conv
from replicate.statements.reach import Reach, follow, joined
from replicate.statements.receptive import columns_read, measured_field, transparent
from replicate.studies.receptive_fields import bare_network, check
from replicate.sweep.launch import run_experiment
from replicate.verdicts import Outcome
from tests.helpers.convolution import task
from tests.helpers.reported import report

# Fields as published by others: Araujo et al. 2019, table 1 (ResNet-50 there in the form with the stride on the 1x1)
PUBLISHED = {
    "alexnet": 195,
    "vgg16": 212,
    "mobilenet_v1": 315,
    "legacy_seresnet50": 483,
    "inception_v3_keras2016": 1311,
}
KINDS = [
    *("alexnet_krizhevsky", "vgg11", "lenet5", "nin", "googlenet_torchvision", "resnet18", "resnet_cifar"),
    *("densenet_cifar", "mobilenetv2_035", "shufflenet_0.25x_g3", "squeezenet1_1", "resnext_cifar", "se_resnet_cifar"),
    *("mobilefacenet", "shortcut_resnet_cifar", "legacy_xception", "inception_v3_keras2016"),
]


def test_the_recursion_with_strides_gives_alexnets_fields() -> None:
    features = create_model("alexnet_krizhevsky", width=0.05).get_submodule("features")
    assert [reach.field for reach in follow(features, 3, 227).windows] == [11, 19, 51, 67, 99, 131, 163, 195]


@pytest.mark.parametrize("name", PUBLISHED)
def test_fields_are_those_that_others_published(name: str) -> None:
    network = bare_network(name)
    assert follow(network, 3, int(network.min_size)).maps.field == PUBLISHED[name]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", KINDS)
def test_recursion_measurement_and_table_agree(name: str) -> None:
    found = {m.metric: m.value for m in task("receptive_fields", {"topic": "fields", "network": name})}
    assert found["off"] == 0
    assert found["field"] == found["recursion"]
    assert found["whole_image"] == name.startswith("se_")
    row = load_paper("conv_arithmetic").tables["receptive_fields"].row(name)
    assert row.published == {"field": found["by_rule"], "off": 0}


class Branches(nn.Module):
    """Two ways of different sizes and paddings beside every second pixel of the input."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = conv(1, 2, (1, 7), stride=(1, 2), padding=(0, 3))
        self.aside = conv(1, 2, (1, 3), stride=(1, 2), padding=(0, 1), dilation=(1, 2))

    def forward(self, x: Tensor) -> Tensor:
        ways = self.wide(x)[..., :20] + self.aside(nn.functional.pad(x, (4, 1)))[..., :20]
        return torch.cat([ways, x[..., 1::2][..., :20]], 1)


def test_branches_are_joined_pixel_by_pixel() -> None:
    """Not only as wide as the widest: unit 10 of the middle reads exactly the pixels that the recursion names."""
    reach = follow(Branches(), 1, 44).maps
    assert (reach.jump, reach.first, reach.last) == (2, -5, 3)
    columns = columns_read(transparent(Branches()), 1, 44, 44).nonzero().flatten()
    assert (int(columns[0]), int(columns[-1])) == (10 * reach.jump + reach.first, 10 * reach.jump + reach.last)


def test_maps_of_two_strides_cannot_be_joined() -> None:
    with pytest.raises(ValueError, match=r"strides \[1, 2\]"):
        joined([Reach(), Reach(jump=2)])
    assert joined([None, None]) is None
    assert joined([None, Reach(last=4)]) == Reach(last=4, everything=True)


def test_a_changed_stride_or_kernel_is_measured() -> None:
    """The measurement runs the network: it does not know what the recursion found before."""
    for change in ({"stride": (2, 2)}, {"dilation": (2, 2)}):
        network = bare_network("resnet_cifar")
        reach = follow(network, 3, 4).maps
        first = next(layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
        for name, value in change.items():
            setattr(first, name, value)
        changed = follow(network, 3, 16).maps
        field, _ = measured_field(transparent(network), 3, 16, changed)
        assert field == changed.field > reach.field


def test_an_image_that_cuts_a_field_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    network = bare_network("resnet_cifar")
    reach = follow(network, 3, 4).maps
    monkeypatch.setattr(receptive, "MARGIN", -4)
    with pytest.raises(ValueError, match="cut off the field"):
        measured_field(transparent(network), 3, 4, reach)


def test_every_network_has_a_variant_and_a_row() -> None:
    experiment = load_experiment("receptive_fields")
    named = [run.config.options.network for run in experiment.runs() if run.config.options.network]
    assert sorted(named) == sorted({*model_names()} - {"small_cnn"})  # a kit for questions, no network of a paper
    rows = {row.variant for row in load_paper("conv_arithmetic").tables["receptive_fields"].rows}
    assert rows == set(experiment.variants)


def test_the_rule_holds_for_stacks_and_not_for_networks(tmp_path: Path) -> None:
    chosen = "variant=one 5x5,two 3x3,one 7x7,three 3x3,resnet_cifar,se_resnet_cifar"
    words = ["scale=smoke", f"runs_dir={tmp_path}", "wandb=disabled", chosen]
    sweep = run_experiment("receptive_fields", words, quiet=True)
    findings, verdicts = report(sweep.experiment, sweep.records)
    outcomes = {verdict.claim: verdict.outcome for verdict in verdicts}
    assert outcomes == {
        "field_rule_stacks": Outcome.EXACT,
        "field_rule_networks": Outcome.DIFFERS,
        "field_recursion": Outcome.EXACT,
    }
    assert has_own_figure(findings)
    figure = draw(findings)
    assert [np.size(line.get_xdata()) for line in figure.axes[0].lines[:2]] == [5, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [({}, "one of"), ({"network": "vgg16", "kernels": (3,)}, "one of"), ({"network": "resnet5"}, "did you mean")],
)
def test_one_subject_is_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=re.compile(message)):
        check(RunConfig(study="receptive_fields", options={"topic": "fields", **options}))
