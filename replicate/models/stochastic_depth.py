"""Huang et al. 2016, "Deep Networks with Stochastic Depth": residual blocks left out at random while training.

A block is drawn once per mini-batch, and a dropped one runs neither forward nor backward; there is no rescaling
during training, the test network multiplies each branch by its survival probability (section 3). torchvision and
timm draw per image and divide during training instead. The paper's Torch code keeps applying weight decay and
momentum to the weights of a dropped block. torch's optimizers do so after zero_grad(set_to_none=False); otherwise they
leave those weights alone.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from replicate.models.layers.blocks import Classifier, Residual, Stem, ZeroPadShortcut, named
from replicate.models.preact import preact_resnet_cifar
from replicate.models.registry import register
from replicate.models.resnet import Depth, resnet

Decay = Literal["linear", "uniform"]
PoolOrSlice = Literal["pool", "A"]


def survival_probabilities(blocks: int, last: float, decay: Decay) -> list[float]:
    """p_1 ... p_L. Linear: p_l = 1 - l / L (1 - p_L), equation 4; uniform: p_L everywhere.

    Raises ValueError for a p_L outside of 0 ... 1.
    """
    if not 0 <= last <= 1:
        raise ValueError(f"a survival probability lies between 0 and 1, not {last}")
    if decay == "uniform":
        return [last] * blocks
    return [1 - number / blocks * (1 - last) for number in range(1, blocks + 1)]


class StochasticResidual(Residual):
    """A residual block that may be left out: equation 2 while training, equation 5 in the test network.

    `active` says whether the branch takes part in this mini-batch.
    """

    shortcut: nn.Module

    def __init__(self, block: Residual, survival_probability: float) -> None:
        super().__init__(block.branch, block.shortcut, block.activation, block.entry)
        self.survival_probability = survival_probability
        self.active = True

    def forward(self, x: Tensor) -> Tensor:
        if self.training and self.active:
            return super().forward(x)
        h = self.entry(x)
        kept = self.shortcut(h)
        if not self.training:
            return self.activation(self.survival_probability * self.branch(h) + kept)
        return x if kept is x else self.activation(kept)  # x is the last block's ReLU; a second one changes nothing


def placed_blocks(stages: nn.Sequential) -> list[tuple[nn.Module, str, Residual]]:
    """Every residual block with the stage it stands in and its name there, from the input on."""
    children = [(stage, name, block) for stage in stages for name, block in stage.named_children()]
    return [(stage, name, block) for stage, name, block in children if isinstance(block, Residual)]


class StochasticDepth(Classifier):
    """A residual network whose blocks survive a mini-batch with the probabilities `survival`, one for each block.

    With `active_blocks` exactly that many survive, drawn without replacement (Veit et al. 2016, section 5).
    The draws come from torch's global CPU generator, wherever the network lies, so that nothing waits for a device.
    """

    def __init__(self, network: Classifier, survival: list[float], active_blocks: int | None) -> None:
        super().__init__(
            network.stem,
            network.stages,
            network.fc.in_features,
            network.fc.out_features,
            network.in_channels,
            network.min_size,
            network.final,
        )
        self.active_blocks = active_blocks
        for (stage, name, block), probability in zip(placed_blocks(self.stages), survival, strict=True):
            stage.add_module(name, StochasticResidual(block, probability))

    @property
    def blocks(self) -> list[StochasticResidual]:
        """The blocks that may be left out, from the input on."""
        return [block for *_, block in placed_blocks(self.stages) if isinstance(block, StochasticResidual)]

    def draw(self) -> None:
        """Choose the blocks that take part in the next mini-batch."""
        blocks = self.blocks
        if self.active_blocks is not None:
            chosen = set(torch.randperm(len(blocks), device="cpu")[: self.active_blocks].tolist())
            survives = [index in chosen for index in range(len(blocks))]
        else:
            draws = torch.rand(len(blocks), device="cpu").tolist()
            survives = [draw < block.survival_probability for draw, block in zip(draws, blocks, strict=True)]
        for block, active in zip(blocks, survives, strict=True):
            block.active = active

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            self.draw()
        return super().forward(images)


def make_stochastic(
    network: Classifier, survival_probability: float, decay: Decay, active_blocks: int | None
) -> StochasticDepth:
    """Give every block of `network` its survival probability; `active_blocks` of L make it active_blocks / L.

    Veit et al. 2016 do not say how their test network scales its branches; this is the rule of Huang et al.
    """
    total = len(placed_blocks(network.stages))
    if active_blocks is not None and not 0 <= active_blocks <= total:
        raise ValueError(f"active_blocks lies between 0 and the {total} blocks of the network, not {active_blocks}")
    if active_blocks is not None:
        survival_probability, decay = active_blocks / total, "uniform"
    return StochasticDepth(network, survival_probabilities(total, survival_probability, decay), active_blocks)


def pool_shortcuts(network: Classifier) -> Classifier:
    """Let the option A shortcuts average 2x2 pixels instead of taking every second one, as the paper says.

    ceil_mode keeps a map of odd size as large as the branch's strided convolution makes it.
    """
    for *_, block in placed_blocks(network.stages):
        if isinstance(block.shortcut, ZeroPadShortcut):
            pool = nn.AvgPool2d(block.shortcut.stride, ceil_mode=True)
            block.shortcut = named(pool=pool, pad=ZeroPadShortcut(0, block.shortcut.new_channels, stride=1))
    return network


@register
def stochastic_depth_cifar(
    depth: int = 110,
    survival_probability: float = 0.5,
    decay: Decay = "linear",
    active_blocks: int | None = None,
    order: Literal["original", "full_preact"] = "original",
    shortcut: PoolOrSlice = "pool",
    width: float = 1.0,
    num_classes: int = 10,
    in_channels: int = 3,
) -> StochasticDepth:
    """The networks of depth 6n + 2 for CIFAR (110, 1202) and SVHN (152), p_L = `survival_probability`.

    survival_probability=1 is constant depth. With `active_blocks` that many blocks survive in every mini-batch, and
    `survival_probability` and `decay` do not apply; order="full_preact", shortcut="A" then gives the network of Veit
    et al. 2016. Minimum input 4 pixels.
    """
    network = preact_resnet_cifar(depth, order=order, width=width, num_classes=num_classes, in_channels=in_channels)
    if shortcut == "pool":
        pool_shortcuts(network)
    return make_stochastic(network, survival_probability, decay, active_blocks)


@register
def stochastic_depth(
    depth: Depth = 152,
    survival_probability: float = 0.5,
    decay: Decay = "linear",
    active_blocks: int | None = None,
    stem: Stem = "imagenet",
    width: float = 1.0,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> StochasticDepth:
    """The ImageNet network of section 4, any depth of :func:`replicate.models.resnet.resnet`, shortcuts of option B.

    Options as in :func:`stochastic_depth_cifar`. Minimum input 32 pixels (8 with the small stem).
    """
    network = resnet(depth, stem=stem, width=width, num_classes=num_classes, in_channels=in_channels)
    return make_stochastic(network, survival_probability, decay, active_blocks)
