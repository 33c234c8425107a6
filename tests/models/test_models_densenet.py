"""Huang et al. 2017 and Pleiss et al. 2017: the printed counts, torchvision's and timm's graph, storage made again."""

from itertools import pairwise
from typing import Any

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from replicate.errors import UserError
from replicate.models import create_model
from replicate.models.counting import count, count_parameters
from tests.helpers.reference import assert_same_network, randomise

IMAGENET = {
    "densenet121": 7_978_856,
    "densenet161": 28_681_000,
    "densenet169": 14_149_480,
    "densenet201": 20_013_928,
    "densenet264": 33_337_704,
    "densenet232_k48": 55_570_984,
    "densenet264_k48": 72_686_632,
}
CIFAR = {  # (L, k, BC)
    (40, 12, False): 1_019_722,
    (100, 12, False): 6_979_642,
    (100, 24, False): 27_249_082,
    (100, 12, True): 769_162,
    (250, 24, True): 15_324_406,
    (190, 40, True): 25_624_430,
    (40, 36, True): 1_542_682,
    (40, 48, True): 2_733_130,
    (40, 60, True): 4_261_690,
    (40, 12, True): 176_122,
    (160, 12, True): 1_739_002,
}
BC: dict[str, Any] = {"bottleneck": True, "compression": 0.5}


def parameters(name: str, **options: Any) -> int:
    with torch.device("meta"):
        return count_parameters(create_model(name, **options))


@pytest.mark.parametrize("name", IMAGENET)
def test_imagenet_parameters(name: str) -> None:
    assert parameters(name) == IMAGENET[name]


@pytest.mark.parametrize(("depth", "growth_rate", "bc"), CIFAR)
def test_cifar_parameters(depth: int, growth_rate: int, bc: bool) -> None:
    options = BC if bc else {}
    assert (
        parameters("densenet_cifar", depth=depth, growth_rate=growth_rate, **options) == CIFAR[depth, growth_rate, bc]
    )


def test_cifar_100_parameters() -> None:
    assert parameters("densenet_cifar", depth=40, num_classes=100) == 1_060_132
    assert parameters("densenet_cifar", depth=100, num_classes=100, **BC) == 800_032


def test_counting_on_the_meta_device() -> None:
    counted = count("densenet121", (3, 224, 224))
    assert (counted.parameters, round(counted.multiply_adds / 1e9, 2)) == (7_978_856, 2.83)


def test_the_printed_blocks_of_the_memory_paper_give_other_counts() -> None:
    printed = parameters("densenet", blocks=(6, 32, 64, 48), growth_rate=32)
    assert printed == 41_345_704 != IMAGENET["densenet264"]


def test_torchvision_weights_load() -> None:
    reference = torchvision.models.densenet121(weights=None)
    assert_same_network(create_model("densenet121"), reference, "torchvision", "densenet121")


def test_timm_weights_load() -> None:
    assert_same_network(create_model("densenet121"), timm.create_model("densenet121"), "timm", "densenet121")


def test_every_layer_sees_all_earlier_maps() -> None:
    """Equation 2: layer l takes k0 + k (l - 1) channels, [x_0, ..., x_(l-1)] in this order."""
    network: Any = create_model("densenet_cifar", depth=16, growth_rate=3, in_channels=1)
    block = network.stages[0].block.eval()
    randomise(block)
    maps = [torch.randn(2, 16, 6, 6)]
    for number, layer in enumerate(block):
        norm, convolution = layer.first.bn, layer.first.conv
        assert convolution.in_channels == 16 + 3 * number
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        stacked = torch.cat(maps, 1)
        normal = (stacked - norm.running_mean[:, None, None]) * scale[:, None, None] + norm.bias[:, None, None]
        maps.append(nn.functional.conv2d(normal.clamp(min=0), convolution.weight, padding=1))
    torch.testing.assert_close(block(maps[0]), torch.cat(maps, 1), atol=1e-5, rtol=1e-5)


def test_bottleneck_compression_and_stem_widths() -> None:
    network: Any = create_model("densenet_cifar", depth=16, growth_rate=5, **BC)
    layer = network.stages[0].block[1]
    assert network.stem.conv.out_channels == 10
    assert (layer.first.conv.in_channels, layer.first.conv.out_channels) == (15, 20)
    assert layer.second.conv.kernel_size == (3, 3)
    assert network.stages[0].transition.conv.out_channels == 10  # of 20
    uncompressed: Any = create_model("densenet_cifar", depth=16, growth_rate=5, bottleneck=True)
    assert uncompressed.stem.conv.out_channels == 16  # 2k is for BC only
    assert uncompressed.stages[0].transition.conv.out_channels == 26


def test_dropout_follows_every_convolution_but_the_first() -> None:
    network: Any = create_model("densenet_cifar", depth=10, growth_rate=4, dropout=0.999999, bottleneck=True).train()
    seen: dict[str, Tensor] = {}
    stage = network.stages[0]
    stage.block[0].second.bn.register_forward_hook(lambda _, inputs, __: seen.update(inner=inputs[0]))
    stage.transition.bn.register_forward_hook(lambda _, inputs, __: seen.update(block=inputs[0]))
    stage.transition.pool.register_forward_hook(lambda _, inputs, __: seen.update(transition=inputs[0]))
    network(torch.randn(2, 3, 8, 8))
    assert not seen["inner"].any()
    assert not seen["transition"].any()
    assert seen["block"][:, :16].all()  # the stem's maps
    assert not seen["block"][:, 16:].any()


def run_step(network: nn.Module, images: Tensor) -> tuple[Tensor, dict[str, Any], int]:
    """Logits, gradients and buffers, and the multiply-adds of one forward and backward pass."""
    with FlopCounterMode(display=False) as counter:
        logits = network(images)
        logits.square().sum().backward()
    gradients: dict[str, Any] = {name: parameter.grad for name, parameter in network.named_parameters()}
    return logits, {**gradients, **dict(network.named_buffers())}, counter.get_total_flops()


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("options", [{}, BC], ids=["basic", "BC"])
def test_memory_efficient_computes_the_same_and_repeats_no_convolution(options: dict[str, Any], training: bool) -> None:
    """Logits, gradients, running statistics and the number of batches seen are equal bit by bit.

    But the gradients of kernels: where their sums are split depends on where the maps lie in memory (one run of many
    differed by 2e-9).
    """
    naive = create_model("densenet_cifar", depth=16, growth_rate=4, **options).train(training)
    randomise(naive)
    efficient = create_model("densenet_cifar", depth=16, growth_rate=4, memory_efficient=True, **options)
    efficient.load_state_dict(naive.state_dict())
    images = torch.randn(4, 3, 8, 8)
    expected, measured = run_step(naive, images), run_step(efficient.train(training), images)
    kernels = {name for name, value in expected[1].items() if value.dim() == 4}
    assert kernels
    for name in kernels:
        torch.testing.assert_close(measured[1].pop(name), expected[1].pop(name), atol=1e-8, rtol=1e-5)
    torch.testing.assert_close(measured, expected, atol=0, rtol=0)


def kept_bytes(depth: int, memory_efficient: bool) -> int:
    """Bytes of maps that the first block keeps for the backward pass, on two images of 8x8 pixels."""
    network: Any = create_model("densenet_cifar", depth=depth, growth_rate=4, memory_efficient=memory_efficient)
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.dim() == 4 and not isinstance(tensor, nn.Parameter):  # BN's statistics are no maps
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        maps = network.stages[0].block(torch.randn(2, 16, 8, 8).requires_grad_())
    assert maps.requires_grad
    return sum(kept.values())


def kept_maps(channels: int) -> int:
    return 2 * channels * 8 * 8 * 4


def test_memory_grows_quadratically_or_linearly() -> None:
    """Layer l stores maps of all its l k channels, or of the k new ones: Pleiss et al. 2017, sections 2 and 3."""
    depths = (28, 52, 76)  # 8, 16 and 24 layers in the block
    naive, efficient = ([kept_bytes(depth, choice) for depth in depths] for choice in (False, True))
    naive_steps, efficient_steps = ([after - before for before, after in pairwise(kept)] for kept in (naive, efficient))
    assert naive_steps[1] > 1.4 * naive_steps[0]
    assert efficient_steps[1] == efficient_steps[0] == 8 * kept_maps(channels=4)
    assert efficient[2] == kept_maps(channels=16 + 23 * 4)  # each layer's input but no concatenation


@pytest.mark.parametrize(
    ("name", "options", "smallest"),
    [
        ("densenet_cifar", {"depth": 10, "growth_rate": 4}, 4),
        ("densenet", {"blocks": (1, 1, 1, 1), "width": 0.25}, 29),
        ("densenet", {"blocks": (1, 1, 1, 1), "width": 0.25, "stem": "small"}, 8),
        ("densenet", {"blocks": (1, 2), "width": 0.25}, 5),
    ],
)
def test_smallest_input(name: str, options: dict[str, Any], smallest: int) -> None:
    network: Any = create_model(name, num_classes=3, in_channels=1, **options)
    images = torch.randn(2, 1, smallest, smallest)
    assert network.eval()(images).shape == (2, 3)
    network.train()(images).sum().backward()
    network.min_size = 1  # without the guard the smaller image must fail, or the guard refuses too much
    with pytest.raises(RuntimeError, match=r"too small"):
        network(images[..., 1:, 1:])
    network.min_size = smallest
    with pytest.raises(UserError, match=f"the smallest size that works is {smallest}"):
        network(images[..., 1:, 1:])


def test_bad_options_are_refused() -> None:
    with pytest.raises(UserError, match=r"depth is 6n \+ 4 \(10, 16, \.\.\.\), not 13"):
        create_model("densenet_cifar", depth=13, bottleneck=True)
    with pytest.raises(UserError, match=r"compression lies above 0 and at most at 1, not 1\.5"):
        create_model("densenet_cifar", compression=1.5)
