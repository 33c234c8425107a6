"""Study `memory`: what is kept is counted rightly, grows as printed, and both forms compute the same."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from replicate.errors import UserError
from replicate.experiments.experiment import load_experiment
from replicate.experiments.run_config import RunConfig
from replicate.models import create_model
from replicate.models.densenet import DenseLayer
from replicate.report import answered, findings_of
from replicate.runs.records import Record
from replicate.statements.measure import saved_for_backward
from replicate.studies import memory
from replicate.studies.memory import MeasuredModule
from replicate.sweep.launch import run_experiment
from replicate.verdicts import Verdict, judge_all
from tests.helpers.reference import randomise

CPU = torch.device("cpu")
WORDS = ["scale=smoke", "runs_dir=runs", "wandb=disabled"]


def block(layers: int, growth_rate: int, efficient: bool = False, batch: int = 2) -> tuple[nn.Module, MeasuredModule]:
    """A block and what it is fed, at 8 x 8 pixels."""
    config = RunConfig.model_validate(
        {
            "study": "memory",
            "model": {"growth_rate": growth_rate},
            "data": {"name": "synthetic", "size": 8, "train_images": batch},
            "options": {"layers": layers},
        }
    )
    subject = memory.make_subject(config, 0, CPU, channels_last=False)
    return subject.build(efficient), subject


@pytest.mark.parametrize(("layers", "growth_rate"), [(1, 4), (3, 4), (5, 6)])
def test_a_block_keeps_what_the_source_documents_formulas_say(layers: int, growth_rate: int) -> None:
    """W H k (1 + L) L numbers of maps, and W H k L with shared storage; 9 k^2 L (L + 1) / 2 weights."""
    naive, subject = block(layers, growth_rate)
    shared, _ = block(layers, growth_rate, efficient=True)
    assert memory.measure_kept(naive, subject)["kept_maps"] == 64 * growth_rate * (1 + layers) * layers
    assert memory.measure_kept(shared, subject)["kept_maps"] == 64 * growth_rate * layers
    formulas = memory.block_formulas(naive, subject.images)
    assert formulas["convolution_weights"] == formulas["weights_by_formula"]
    assert formulas["maps_by_formula"] == formulas["maps_by_weights"] == 64 * growth_rate * (1 + layers) * layers


def test_kept_bytes_are_the_maps_and_the_statistics_of_normalisation() -> None:
    """Two numbers for each channel that a layer reads, whatever the batch."""
    naive, subject = block(layers=3, growth_rate=4, batch=5)
    kept = memory.measure_kept(naive, subject)
    assert kept["kept_bytes"] == 4 * (5 * kept["kept_maps"] + 2 * (4 + 8 + 12))


def test_a_storage_counts_once_and_what_the_module_owns_not_at_all() -> None:
    layer = nn.Linear(3, 3)
    images = torch.randn(2, 1, 4, 3, requires_grad=True)
    with saved_for_backward(layer) as kept:
        out = images * images + images[:, :, 1:2] * images[:, :, 2:3]
        assert (kept.bytes, sum(kept.maps.values())) == (images.nbytes, images.numel())
        layer(out)
    assert kept.bytes == images.nbytes + out.nbytes


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Record], dict[str, Verdict]]:
    """Records by variant and verdicts by claim of densenet_memory at smoke scale."""
    words = ["scale=smoke", f"runs_dir={tmp_path_factory.mktemp('memory')}", "wandb=disabled"]
    sweep = run_experiment("densenet_memory", words, quiet=True)
    assert not sweep.failed
    verdicts = answered(findings_of(sweep.experiment, sweep.records), judge_all)  # smoke runs are not judged otherwise
    return {record.variant: record for record in sweep.records}, {verdict.claim: verdict for verdict in verdicts}


def test_memory_grows_with_the_claimed_powers(smoke: tuple[dict[str, Record], dict[str, Verdict]]) -> None:
    _, verdicts = smoke
    naive, shared = verdicts["naive_quadratic"], verdicts["shared_linear"]
    assert naive.effect == pytest.approx(1.95, abs=0.01)
    assert shared.effect == pytest.approx(1.14, abs=0.01)  # 8 x 8 pixels: statistics weigh as much as maps
    assert {naive.outcome, shared.outcome} == {"holds"}
    assert verdicts["memory_linear_in_params"].outcome == verdicts["same_function"].outcome == "holds"


def test_the_report_reads_both_forms(smoke: tuple[dict[str, Record], dict[str, Verdict]]) -> None:
    records, _ = smoke
    assert {name for name in records if name.startswith("naive")} == {
        name.replace("shared", "naive") for name in records if name.startswith("shared")
    }
    assert all(record.value("gradient_difference") == 0 for record in records.values())


def test_the_same_configuration_measures_the_same(workdir: Path) -> None:
    """All but the times."""
    variant = ["variant='shared 40'", "seed=0"]
    first, again = (
        run_experiment("densenet_memory", ["scale=smoke", f"runs_dir={name}", "wandb=disabled", *variant], quiet=True)
        for name in ("one", "two")
    )
    assert first.records[0].outcome() == again.records[0].outcome()


def test_a_wrong_gradient_is_seen() -> None:
    """A form with other weights is told from the naive one."""
    _, subject = block(layers=2, growth_rate=4)

    def build(efficient: bool) -> nn.Module:
        made = subject.build(efficient)
        if efficient:
            with torch.no_grad():
                next(made.parameters()).mul_(1.5)
        return made

    assert memory.difference(subject) == 0
    assert memory.difference(replace(subject, build=build)) > 1e-3


class Repeated(nn.Module):
    """A matrix product, done so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(256, 256) / 16)
        self.times = times

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.times):
            x = x @ self.weight
        return x


def test_overhead_is_the_slower_forms_extra_time() -> None:
    subject = MeasuredModule(lambda slow: Repeated(12 if slow else 4), torch.randn(256, 256), lambda out: out.sum())
    found = memory.compare_times(subject, steps=5)
    assert found["overhead_percent"] == pytest.approx(200, abs=120)
    assert found["overhead_percent"] == 100 * (found["seconds_shared"] / found["seconds_naive"] - 1)


def test_times_are_measured_where_steps_are_asked_for(workdir: Path) -> None:
    sweep = run_experiment("densenet_memory_time", [*WORDS, "variant='BC L=40 k=12'", "seed=0"], quiet=True)
    assert sweep.records[0].value("overhead_percent") is not None
    assert sweep.records[0].value("seconds_naive") is not None


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("bottleneck", [True, False], ids=["BC", "basic"])
def test_shared_storage_under_mixed_precision(bottleneck: bool, training: bool) -> None:
    """The convolution of both forms runs in bfloat16; gradients agree to its 8 bits."""
    grads: list[dict[str, Any]] = []
    for efficient in (False, True):
        torch.manual_seed(0)
        layer = DenseLayer(6, 4, bottleneck, 0.0, efficient).train(training)
        randomise(layer)
        features = [torch.randn(2, 2, 8, 8, requires_grad=True), torch.randn(2, 4, 8, 8, requires_grad=True)]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = layer(features)
        assert out.dtype == torch.bfloat16
        out.float().square().sum().backward()
        parts = {**dict(layer.named_parameters()), "x0": features[0], "x1": features[1]}
        grads.append({name: part.grad for name, part in parts.items()})
    for name, expected in grads[0].items():
        assert grads[1][name].dtype == expected.dtype
        torch.testing.assert_close(grads[1][name], expected, rtol=0.03, atol=0.03 * float(expected.abs().max()))


def test_dropout_comes_after_the_shared_part() -> None:
    """With one seed both forms drop the same maps: nothing random is done twice."""
    logits = []
    for efficient in (False, True):
        torch.manual_seed(1)
        network = create_model("densenet_cifar", depth=10, growth_rate=4, dropout=0.5, memory_efficient=efficient)
        out = network.train()(torch.randn(2, 3, 8, 8))
        out.sum().backward()
        logits.append(out)
    assert torch.equal(*logits)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU's allocator")
def test_the_allocator_sees_the_saving() -> None:
    config = load_experiment("densenet_memory", ["scale=laptop"]).run("naive 100", 0).config
    subject = memory.make_subject(config, 0, torch.device("cuda"), channels_last=True)
    naive, shared = (memory.allocated(subject.build(efficient), subject) for efficient in (False, True))
    assert shared < 0.7 * naive


def config(**fields: Any) -> RunConfig:
    return RunConfig.model_validate({"study": "memory", "data": {"name": "synthetic", "size": 8}, **fields})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": {"name": "densenet_cifar"}, "options": {"layer": 3}}, "unknown setting 'layer'"),
        ({"model": {"name": "vgg11"}}, "unknown option of model vgg11 'memory_efficient'"),
        ({"model": {"name": "densenet_cifar", "growth_rate": 4}, "options": {"layers": 3}}, "alone"),
        ({"model": {}, "options": {"layers": 3}}, "alone"),
    ],
)
def test_what_cannot_be_measured_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        memory.check(config(**fields))
