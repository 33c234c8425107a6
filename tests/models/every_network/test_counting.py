"""The counter agrees with torch's, also when it answers from memory, and counts the quantities of a column."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from replicate.errors import UserError
from replicate.experiments.run_config import validated
from replicate.models import create_model
from replicate.models.counting import OperationCounter, count, count_multiply_adds
from replicate.studies.count import measure
from replicate.studies.options import Column

SMALL = (
    "resnet18",
    "densenet_cifar",
    "shufflenet_1x_g3",
    "se_mobilenet_v2",
    "googlenet",
    "lenet5",
    "alexnet_krizhevsky",
)


def on_meta(name: str, training: bool = False) -> tuple[nn.Module, Tensor]:
    with torch.device("meta"):
        model: Any = create_model(name).train(training)
        return model, torch.empty(2, model.in_channels, model.min_size + 16, model.min_size + 16)


def by_torch(model: nn.Module, images: Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(images)
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("name", SMALL)
def test_agrees_with_the_counter_of_torch(name: str) -> None:
    """Also when every call is answered from memory, in training mode, and with numbers in place of shapes."""
    model, images = on_meta(name)
    expected = by_torch(model, images)
    assert [count_multiply_adds(model, images) for _ in range(2)] == [expected] * 2
    assert count_multiply_adds(*on_meta(name, training=True)) == by_torch(*on_meta(name, training=True))
    real = create_model(name).eval()
    assert count_multiply_adds(real, torch.randn(images.shape)) == expected


class Functional(nn.Module):
    """Products that no layer makes, an in-place reshape, and a view changed after its base."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(4, 3, 3, 3))
        self.layer = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        maps = F.conv2d(x, self.weight)  # 4 x 27 multiply-adds a pixel
        tokens = maps.flatten(2).clone().transpose_(1, 2)
        mixed = tokens @ tokens.mT @ tokens
        return self.layer(self.layer(mixed.unsqueeze_(1))[..., :4].squeeze_(1))


def test_functional_calls_and_shared_layers_are_counted() -> None:
    with torch.device("meta"):
        model, images = Functional(), torch.empty(1, 3, 6, 6)
    expected = 16 * 4 * 27 + 2 * 16 * 16 * 4 + 2 * 16 * 4 * 5
    assert [count_multiply_adds(model, images) for _ in range(3)] == [expected] * 3
    assert count_multiply_adds(model, images, "layer") == 2 * 16 * 4 * 5


def test_memory_gives_the_same_tensors() -> None:
    """Shape, stride, type and in-place identity of a repeated call are those of the first; outside all is as ever."""
    x, y = torch.randn(2, 3, 8, 8, device="meta"), torch.randn(2, 3, 8, 8, device="meta", dtype=torch.float64)

    def calls(x: Tensor) -> list[Tensor]:
        permuted = torch.relu(x.permute(0, 2, 3, 1))
        return [permuted, x > 0, F.max_pool2d(x, 2, return_indices=True)[1], torch.cat([x, x], 1), x.sum((2, 3))]

    for tensor in (x, y):
        plain = calls(tensor)
        for _ in range(2):
            with OperationCounter():
                seen = calls(tensor)
                clone = tensor.clone()
                assert clone.relu_() is clone
            for one, other in zip(plain, seen, strict=True):
                assert (one.shape, one.stride(), one.dtype) == (other.shape, other.stride(), other.dtype)
    assert torch.equal(torch.relu(torch.tensor([-1.0, 2.0])), torch.tensor([0.0, 2.0]))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layer", [nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.ReLU6(inplace=True)])
def test_short_cuts_give_what_torch_gives(layer: nn.Module, training: bool) -> None:
    layer = layer.to("meta").train(training)
    for x in (torch.empty(2, 3, 4, 5, device="meta"), torch.empty(2, 4, 5, 3, device="meta").permute(0, 3, 1, 2)):
        plain = layer(x.clone())
        OperationCounter.forget()
        with OperationCounter():
            seen = layer(x.clone())
        assert (seen.shape, seen.stride(), seen.dtype) == (plain.shape, plain.stride(), plain.dtype)


def test_numbers_of_another_type_or_value_are_not_confused() -> None:
    x = torch.empty(4, 6, device="meta", dtype=torch.int64)
    with OperationCounter():
        dtypes = [x.clamp(low).dtype for low in (1, 1.0, True) for _ in range(2)]
        shapes = [x.sum(dim).shape for dim in (0, 1, 0, 1)]
    assert dtypes == [torch.int64] * 2 + [torch.float32] * 2 + [torch.int64] * 2
    assert shapes == [(6,), (4,), (6,), (4,)]


def test_layers_and_patterns() -> None:
    whole = count("mobilenet_v1", (3, 224, 224))
    kinds = [count("mobilenet_v1", (3, 224, 224), layer) for layer in ("*.pointwise", "*.depthwise", "stem.conv", "fc")]
    assert sum(kind.multiply_adds for kind in kinds) == whole.multiply_adds == 568_740_352
    assert sum(kind.weights for kind in kinds) == whole.weights == whole.parameters - whole.normalisation - 1000
    nested = count("mobilenet_v1", (3, 224, 224), "stages*")
    assert nested.multiply_adds == sum(kind.multiply_adds for kind in kinds[:2])
    with pytest.raises(UserError, match="unknown layer of mobilenet_v1 'stage'; did you mean stages"):
        count("mobilenet_v1", (3, 224, 224), "stage")


def measured(model: Mapping[str, object], **column: object) -> float:
    return measure(model, validated(Column, "a count", column, "columns"))


def test_quantities_of_a_column() -> None:
    net = {"name": "squeezenet1_0"}
    assert measured(net, of="megabytes") == 4 * 1_248_424 / 1e6
    assert measured(net, of="mebibytes") == 4 * 1_248_424 / 2**20
    assert measured(net, of="channels", layer="stages.0.fire2") == 128
    assert measured(net, of="values", layer="stages.0.fire2") == 128 * 54 * 54
    shuffle = {"name": "shufflenet_1x_g3"}
    assert measured(shuffle, of="multiply_adds", without="fc") == 136_500_672
    assert measured(shuffle, of="multiply_adds", layer="fc", share=True) == 100 * 960_000 / 137_460_672
    subsample = measured({"name": "lenet5"}, of="connections", input=(1, 32, 32), layer="features.s2.sum")
    assert subsample == 5_880


def test_pruning_keeps_biases_and_the_last_fitting_density() -> None:
    """SqueezeNet's fire2 keeps a third of its 3x3 weights: 1,536 + 1,024 + 3,041.28 rounded up + 144 biases."""
    net, fire2 = {"name": "squeezenet1_0"}, "stages.0.fire2"
    assert measured(net, of="parameters", layer=fire2, density={"*": 1.0, "*.expand3x3": 0.33}) == 5_746
    assert measured(net, of="parameters", layer=fire2, density={"*.expand3x3": 0.33, "*": 1.0}) == 11_920
    assert measured(net, of="parameters", layer=fire2, density={"*": 0}) == 144


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ({"of": "parameter"}, "unknown quantity to count 'parameter'; did you mean parameters"),
        ({"of": "weights", "layers": "fc"}, "unknown setting 'layers'; did you mean layer"),
        ({"of": "weights", "layer": "classifier.fc9"}, "unknown layer of squeezenet1_0"),
        ({"of": "parameters", "layer": "fire2", "density": {}}, "unknown layer to prune 'fire2'"),
        ({"of": "parameters", "density": {"*": 33}}, "is a share of the weights, from 0 to 1, not 33"),
    ],
)
def test_a_mistake_in_a_column_is_one_clear_line(column: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        measured({"name": "squeezenet1_0"}, **column)
    assert "\n" not in str(caught.value)
