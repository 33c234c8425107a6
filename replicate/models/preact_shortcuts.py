"""The shortcut functions of He et al. 2016, "Identity Mappings in Deep Residual Networks", section 3 and table 1.

ReLU stays after the addition. Not stated in the paper, chosen here: the gates have no BN (it would cancel their
bias), and where the width changes the function acts on the option A shortcut.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from replicate.models.layers.blocks import Classifier, Residual, Scale, conv, relu, scaled
from replicate.models.registry import register
from replicate.models.resnet import assemble, basic_branch, cifar_blocks, make_shortcut

Function = Literal["constant", "exclusive_gating", "shortcut_only_gating", "convolution", "dropout"]


class Gate(nn.Module):
    """g(x) = sigmoid(W x + b), W a 1x1 convolution, one gate for every element of the output (section 3.1).

    b starts at `bias`, the quantity table 1 varies. It is a separate parameter and W has no bias, so that an
    initialisation of all convolutions leaves it alone.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, bias: float) -> None:
        super().__init__()
        self.conv = conv(in_channels, out_channels, 1, stride)
        self.bias = nn.Parameter(torch.full((out_channels, 1, 1), float(bias)))

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.conv(x) + self.bias)


class GatedResidual(Residual):
    """y = activation((1 - g(x)) shortcut(x) + branch(x)); with `exclusive` the branch is multiplied by g(x)."""

    shortcut: nn.Module

    def __init__(
        self, branch: nn.Module, shortcut: nn.Module, activation: nn.Module, gate: Gate, exclusive: bool
    ) -> None:
        super().__init__(branch, shortcut, activation)
        self.gate, self.exclusive = gate, exclusive

    def forward(self, x: Tensor) -> Tensor:
        gate, out = self.gate(x), self.branch(x)
        if self.exclusive:
            out = gate * out
        return self.activation(out + (1 - gate) * self.shortcut(x))


def constant_unit(branch: nn.Module, shortcut: nn.Module, shortcut_scale: float, branch_scale: float) -> Residual:
    """y = relu(shortcut_scale h + branch_scale F). A shortcut of 0 is a plain network."""
    link = nn.Sequential(shortcut, Scale(shortcut_scale)) if shortcut_scale else None
    return Residual(nn.Sequential(branch, Scale(branch_scale)), link, relu())


@register
def shortcut_resnet_cifar(
    depth: int = 110,
    function: Function = "constant",
    shortcut_scale: float = 1.0,
    branch_scale: float = 1.0,
    gate_bias: float = 0.0,
    dropout: float = 0.5,
    width: float = 1.0,
    num_classes: int = 10,
    in_channels: int = 3,
) -> Classifier:
    """Table 1: the original units of depth 6n + 2 with another function on the shortcut of every one of them.

    The two scales belong to "constant" (both 1: the original network), `gate_bias` to the gatings, `dropout` to
    "dropout". Minimum input 4 pixels.
    """

    def build(inputs: int, outputs: int, stride: int) -> Residual:
        branch = basic_branch(inputs, outputs, stride)
        shortcut = make_shortcut("C" if function == "convolution" else "A", inputs, outputs, stride)
        if function == "constant":
            return constant_unit(branch, shortcut, shortcut_scale, branch_scale)
        if function in ("exclusive_gating", "shortcut_only_gating"):
            gate = Gate(inputs, outputs, stride, gate_bias)
            return GatedResidual(branch, shortcut, relu(), gate, exclusive=function == "exclusive_gating")
        if function == "dropout":
            shortcut = nn.Sequential(shortcut, nn.Dropout(dropout))
        return Residual(branch, shortcut, relu())

    base = scaled(16, width)
    return assemble(build, (cifar_blocks(depth, 2),) * 3, base, base, num_classes, in_channels, "small")
