"""What papers of other networks say of their blocks, by formula or lemma: costs, depth, equal forms, invertibility.

The claims are not those of the source documents: see papers/mobilenet_v2.yaml, shufflenet.yaml and resnext.yaml.
"""

import torch
from scipy.optimize import linprog
from torch import Tensor, nn

from replicate.models import create_model
from replicate.models.mobilenet_v2 import STRIDES, Shape, inverted_residual, table_2
from replicate.models.resnet import bottleneck_branch
from replicate.models.resnext import make_branch, two_layer_branch
from replicate.models.shufflenet_v1 import shuffle_branch
from replicate.statements.checks import Figures, check, holds
from replicate.statements.measure import WEIGHTED, depth, multiply_adds, same, weights

REACH = 1.0  # how far around a point other solutions are looked for; their set is convex, so that near ones suffice
SPREAD = 1e-4  # of a coordinate over all solutions, above the solver's own tolerance of 1e-7


@check
def block_cost() -> Figures:
    """h w d t (d + k^2 + d'), section 3.3 of Sandler et al. 2018, of every block of table 2 with stride 1 and t > 1."""

    def case(shape: Shape, t: int, height: int, width: int) -> bool:
        d, d2 = shape.in_channels, shape.out_channels
        with torch.device("meta"):
            block = inverted_residual(shape, linear=True, shortcut=True)
        return multiply_adds(block, d, height, width) == height * width * d * t * (d + 3**2 + d2)

    held = []
    for t in (2, 6):
        rows = table_2(1.0, t, STRIDES["imagenet"][1:])[1:]  # the first row does not expand
        shapes = dict.fromkeys(shape for row in rows for shape in row if shape.stride == 1)
        held += [case(shape, t, height=7, width=5) for shape in shapes]
    return holds(held)


@check
def unit_cost() -> Figures:
    """Section 3.2 of Zhang et al. 2018: c channels outside, m inside, g groups, on maps of h by w."""

    def case(c: int, m: int, g: int, h: int, w: int) -> bool:
        with torch.device("meta"):
            resnet = bottleneck_branch(c, c, 1, inner=m)
            resnext = make_branch(c, c, 1, cardinality=g, width=m // g, form="c")
            shuffle = shuffle_branch(c, c, m, 1, (g, g), shuffle=True)
        counted = [multiply_adds(unit, c, h, w) for unit in (resnet, resnext, shuffle)]
        formulas = [2 * c * m + 9 * m**2, 2 * c * m + 9 * m**2 // g, 2 * c * m // g + 9 * m]
        return counted == [h * w * each for each in formulas]

    sizes = (
        (240, 60, 3, 28, 28),
        (272, 68, 4, 14, 14),
        (384, 96, 8, 7, 5),
        (48, 24, 2, 9, 4),
    )
    return holds(case(*size) for size in sizes)


@check
def fifty_layers() -> Figures:
    """Layers of ShuffleNet, whole and with the first half of each stage's units (Zhang et al. 2018, section 4.3)."""

    def units(share: int) -> int:
        with torch.device("meta"):
            network = create_model("shufflenet_0.5x_g3")
        stages = [[*stage] for stage in network.get_submodule("stages").children() if isinstance(stage, nn.Sequential)]
        network.stages = nn.Sequential(*(unit for stage in stages for unit in stage[: len(stage) // share]))
        return depth(network, WEIGHTED, side=64)

    return {"all units": units(1), "half of the units": units(2)}


def merge(branches: list[nn.Sequential], wide: nn.Sequential, width: int) -> None:
    """Let channels i width ... (i + 1) width of the wide block compute what branch i does."""
    first, second = (wide.get_parameter(f"conv{number}.weight") for number in (1, 2))
    with torch.no_grad():
        for index, branch in enumerate(branches):
            inner = slice(index * width, (index + 1) * width)
            first[inner] = branch.get_parameter("conv1.weight")
            second[:, inner] = branch.get_parameter("conv2.weight")


@check
def depth2_trivial() -> Figures:
    """Section 3.3 of Xie et al. 2017: C two-layer branches are one dense block of C d channels, weight for weight."""

    def case(cardinality: int, width: int, stride: int) -> bool:
        branches = [two_layer_branch(8, 12, stride, width).eval() for _ in range(cardinality)]
        wide = make_branch(8, 12, stride, cardinality, width, form="two_layer").eval()
        assert isinstance(wide, nn.Sequential)
        merge(branches, wide, width)
        x = torch.randn(2, 8, 6, 6)
        summed = torch.stack([branch(x) for branch in branches]).sum(0)  # their last BN, as it starts, only scales
        convolutions = sum(weights(*(part for part in b if isinstance(part, nn.Conv2d))) for b in branches)
        dense = weights(*(part for part in wide if isinstance(part, nn.Conv2d)))
        return same(wide(x), summed) and dense == convolutions

    return holds(case(*sizes) for sizes in ((1, 5, 1), (2, 4, 1), (8, 3, 1), (4, 2, 2)))


def determined(b: Tensor, x: Tensor) -> bool:
    """Whether no other point than x (n,) gives ReLU(B x), for B (m, n): by the extent of the set of all that do.

    Rows with a positive output are equations, the others inequalities, and each coordinate is made least and most.
    """
    y = torch.relu(b @ x)
    equations, others = b[y > 0], b[y == 0]
    for direction in torch.eye(len(x)):
        ends = [
            linprog(
                sign * direction,
                A_ub=others if len(others) else None,
                b_ub=torch.zeros(len(others)) if len(others) else None,
                A_eq=equations if len(equations) else None,
                b_eq=y[y > 0] if len(equations) else None,
                bounds=[(value - REACH, value + REACH) for value in x.tolist()],
            ).fun
            for sign in (1, -1)
        ]
        if -ends[1] - ends[0] > SPREAD:
            return False
    return True


def dependent(outputs: int, n: int) -> tuple[Tensor, Tensor]:
    """Rows that are multiples of one, and a point where all are positive."""
    row = torch.randn(1, n)
    return row * (1 + torch.rand(outputs, 1)), row[0]


@check
def relu_invertibility() -> Figures:
    """Appendix A of Sandler et al. 2018: x is determined if, and only if, the positive outputs' rows have rank n.

    For points where no output is exactly zero; where one is, "only if" fails (see the paper's file).
    """

    def case(b: Tensor, x: Tensor) -> bool:
        positive = b[b @ x > 0]
        full = len(positive) > 0 and int(torch.linalg.matrix_rank(positive)) == len(x)
        return determined(b, x) == full

    sizes = [(m, n) for n in (2, 3, 4) for m in (n, 2 * n, 3 * n) for _ in range(4)]
    random = [(torch.randn(m, n), torch.randn(n)) for m, n in sizes]
    return holds(case(b, x) for b, x in [*random, *(dependent(2 * n, n) for n in (2, 3, 4))])
