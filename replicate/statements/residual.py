"""Residual networks: the sum, the paths, random depth and the forms of ResNeXt.

Sections 5.3, 6.1, 6.2.2 and 6.3 of "Classic convolutional neural networks", part II.
"""

from itertools import combinations, product
from math import comb, prod

import torch
from torch import Tensor, nn

from replicate.models import create_model
from replicate.models.layers.blocks import Residual, Scale
from replicate.models.resnext import ConcatBranches, Form, SumBranches, make_branch
from replicate.models.stochastic_depth import StochasticDepth
from replicate.statements.checks import Figures, check, holds
from replicate.statements.measure import chain, distinct, same

BLOCKS = 54  # of the ResNet-110 that Veit et al. 2016 take apart


def branch(channels: int = 3) -> nn.Sequential:
    """A residual function with a bend in it."""
    return nn.Sequential(nn.Tanh(), *chain(channels, channels, kernel=3, padding=1))


@check
def residual_identity_unroll() -> Figures:
    """x_L is x_l and the residuals after it; the gradient is that of the residuals and the gradient itself."""

    def case(start: int, length: int) -> bool:
        blocks = [Residual(branch(), nn.Identity()) for _ in range(length)]
        x, residuals = torch.randn(1, 3, 5, 5, requires_grad=True), []
        h = x
        for block in blocks[start:]:
            residuals.append(block.branch(h))
            h = block(h)
        g = torch.randn_like(h)
        whole = torch.autograd.grad(h, x, g, retain_graph=True)[0]
        through = torch.autograd.grad(torch.stack(residuals).sum(0), x, g)[0]
        return same(h, x + torch.stack(residuals).sum(0)) and same(whole, g + through)

    return holds([case(0, 4), case(2, 5), case(0, 1)])


@check
def shortcut_scaling_product() -> Figures:
    """The gradient along the shortcuts alone; with 54 of them at one half hardly any is left."""

    def direct(factors: list[float]) -> Tensor:
        blocks = nn.Sequential(*(Residual(Scale(0.0), Scale(factor)) for factor in factors))
        x = torch.ones(1, requires_grad=True)
        return torch.autograd.grad(blocks(x), x)[0]

    cases = [torch.rand(n).tolist() for n in (2, 5, 9)]
    held = [same(direct(factors), torch.tensor([prod(factors)])) for factors in cases]
    return holds(held) | {"left at one half": direct([0.5] * BLOCKS).item()}


def path_counts(blocks: int, deleted: tuple[int, ...] = ()) -> list[int]:
    """Paths that end behind each block, by sending a one through residual functions that change nothing."""
    x, counts = torch.ones(1), []
    for index in range(blocks):
        x = x if index in deleted else Residual(nn.Identity(), nn.Identity())(x)
        counts.append(int(x))
    return counts


@check
def path_count() -> Figures:
    """2^n in all, 2^(i-1) that meet before block i, and half of them without one block."""

    def case(n: int) -> bool:
        counts = path_counts(n)
        halved = all(path_counts(n, (block,))[-1] * 2 == counts[-1] for block in range(n))
        return counts == [2**i for i in range(1, n + 1)] and halved

    return holds(map(case, (1, 3, 10)))


def lengths(blocks: int) -> list[int]:
    """Paths of each length 0 ... blocks: every block joins those that pass it to those that enter it."""
    counts = [1]
    for _ in range(blocks):
        counts = [skipped + entered for skipped, entered in zip([*counts, 0], [0, *counts], strict=True)]
    return counts


def length_share(low: int, high: int) -> float:
    """Percent of the paths through 54 blocks with low ... high of them."""
    return 100 * sum(lengths(BLOCKS)[low : high + 1]) / 2**BLOCKS


@check
def path_length_binomial() -> Figures:
    """The distribution, the printed range, and the narrowest centred range that holds 95 %."""
    binomial = [lengths(n) == [comb(n, k) for k in range(n + 1)] for n in (3, 10, BLOCKS)]
    width = next(w for w in range(BLOCKS) if length_share(BLOCKS // 2 - w, BLOCKS // 2 + w) >= 95)
    range_95 = {"95 percent from": BLOCKS // 2 - width, "to": BLOCKS // 2 + width}
    return holds(binomial) | {"share of 19 to 35": length_share(19, 35)} | range_95


@check
def effective_paths_share() -> Figures:
    return {"share of 5 to 17": length_share(5, 17)}


@check
def paths_left_after_deletion() -> Figures:
    """Counted path by path in networks of up to ten blocks."""

    def case(n: int, k: int, x: int) -> bool:
        paths = [*combinations(range(n), x)]
        left = sum(not set(path) & set(range(k)) for path in paths)
        return left * comb(n, x) == comb(n - k, x) * len(paths)

    return holds(case(n, k, x) for n in (4, 7, 10) for k in (1, 2, 4) for x in range(n - k + 1))


def stochastic(depth: int, survival: float, decay: str) -> StochasticDepth:
    network = create_model(
        "stochastic_depth_cifar", depth=depth, survival_probability=survival, decay=decay, width=0.25
    )
    assert isinstance(network, StochasticDepth)
    return network


def expected_blocks(network: StochasticDepth) -> Tensor:
    return torch.tensor([block.survival_probability for block in network.blocks]).sum()


@check
def stochastic_depth_linear() -> Figures:
    """The survival of each block, l from 0, and the expected number of blocks; (3L - 1)/4 at one half."""

    def case(depth: int, last: float) -> bool:
        network, total = stochastic(depth, last, "linear"), (depth - 2) // 2
        each = torch.tensor([1 - (index + 1) / total * (1 - last) for index in range(total)])
        built = torch.tensor([block.survival_probability for block in network.blocks])
        expected = torch.tensor(((1 + last) * total - (1 - last)) / 2)
        return same(built, each) and same(expected_blocks(network), expected)

    half = expected_blocks(stochastic(110, 0.5, "linear")).item()
    held = [case(8, 0.5), case(20, 0.2), case(110, 0.5), abs(half - (3 * BLOCKS - 1) / 4) < 1e-9]
    return holds(held) | {"expected of 54": round(half, 9)}


@check
def stochastic_depth_uniform() -> Figures:
    """p L blocks, 2^L subnetworks that are all different, and branches times p_l at test time."""
    network = stochastic(8, 0.6, "uniform").train()
    x, blocks = torch.randn(1, 3, 8, 8), network.blocks
    expected = same(expected_blocks(network), torch.tensor(0.6 * len(blocks)))
    outputs = []
    for survivors in product((False, True), repeat=len(blocks)):
        h = network.stem.eval()(x)
        for block, active in zip(blocks, survivors, strict=True):
            block.active = active
            h = block(h)
        outputs.append(h.flatten())
    different = distinct(torch.stack(outputs)) == 2 ** len(blocks)
    block, h = blocks[0].eval(), torch.randn(2, 4, 6, 6)
    tested = block.activation(block.shortcut(h) + 0.6 * block.branch(h))
    return holds([expected, different, same(block(h), tested)])


def share_weights(grouped: nn.Module, form: SumBranches | ConcatBranches, width: int) -> None:
    """Let branch i of the form compute what group i of the grouped block does; normalisation is left as it starts."""
    conv1, conv2, conv3 = (grouped.get_parameter(f"conv{number}.weight") for number in (1, 2, 3))
    with torch.no_grad():
        for index, part in enumerate(form.branches):
            rows = slice(index * width, (index + 1) * width)
            layers = [layer for layer in part.modules() if isinstance(layer, nn.Conv2d)]
            for layer, weight in zip(layers, (conv1[rows], conv2[rows], conv3[:, rows]), strict=False):
                layer.weight.copy_(weight)
        if isinstance(form, ConcatBranches):
            form.fuse.get_parameter("conv.weight").copy_(conv3)


@check
def resnext_equivalence() -> Figures:
    """The sum of the paths and the concatenation with one 1x1, each against the grouped convolution."""

    def case(form: Form, stride: int) -> bool:
        shape = (8, 8, stride, 4, 3)
        grouped, other = make_branch(*shape, form="c").eval(), make_branch(*shape, form=form).eval()
        assert isinstance(other, (SumBranches, ConcatBranches))
        share_weights(grouped, other, width=3)
        x = torch.randn(2, 8, 6, 6)
        return same(other(x), grouped(x))

    forms: tuple[Form, ...] = ("a", "b")
    return holds(case(form, stride) for form in forms for stride in (1, 2))
