"""The block of Hu et al. 2018, "Squeeze-and-Excitation Networks", and its insertion into a built network.

Where the versions differ: the released Caffe models and timm have biases in the two layers of the gate, the ablations
of the journal version leave them out (`gate_bias`).
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from itertools import chain
from typing import Literal, cast

import torch
from torch import Tensor, nn

from replicate.models.layers.blocks import Residual, named
from replicate.models.shufflenet_v1 import ConcatUnit

Squeeze = Literal["avg", "max", "none"]
Excitation = Literal["sigmoid", "tanh", "relu"]
Position = Literal["standard", "pre", "post", "identity", "3x3"]
Channels = dict[nn.Module, tuple[int, int]]
MakeGate = Callable[[int], "SqueezeExcitation"]

SQUEEZES: dict[str, Callable[[Tensor], Tensor]] = {
    "avg": lambda maps: maps.mean(dim=(2, 3), keepdim=True),
    "max": lambda maps: maps.amax(dim=(2, 3), keepdim=True),
    "none": lambda maps: maps,  # table 16 "NoSqueeze": a gate for each pixel
}
EXCITATIONS = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}
UNITS = (Residual, ConcatUnit)  # blocks with a branch and a shortcut


class SqueezeExcitation(nn.Module):
    """y = x * gate(W2 relu(W1 z)) with z the squeeze of each channel (equations 2 to 4); shapes are unchanged.

    `reduction` is r: W1 has channels / r outputs (at least 1).
    """

    def __init__(
        self,
        channels: int,
        reduction: int = 16,
        squeeze: Squeeze = "avg",
        excitation: Excitation = "sigmoid",
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.squeeze, self.excitation = squeeze, excitation
        self.fc1 = nn.Conv2d(channels, max(1, channels // reduction), 1, bias=bias)
        self.fc2 = nn.Conv2d(self.fc1.out_channels, channels, 1, bias=bias)

    def gate(self, x: Tensor) -> Tensor:
        """The factors: (batch, channels, 1, 1), or one for each pixel without a squeeze."""
        return EXCITATIONS[self.excitation](self.fc2(torch.relu(self.fc1(SQUEEZES[self.squeeze](x)))))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


def channels_of(model: nn.Module) -> Channels:
    """The channels that enter and leave each module, seen in a pass over one image on the meta device."""
    seen: Channels = {}
    twin = meta_twin(model).eval()
    for module, copy in zip(model.modules(), twin.modules(), strict=True):
        copy.register_forward_hook(partial(record, seen, module))
    channels, side = cast(int, model.in_channels), cast(int, model.min_size)
    with torch.no_grad():
        twin(torch.empty(1, channels, side, side, device="meta"))
    return seen


def record(seen: Channels, original: nn.Module, _: nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
    """The hook that notes the channels of a module whose inputs and outputs are maps."""
    if inputs and isinstance(output, Tensor) and output.dim() == 4:
        seen[original] = (inputs[0].shape[1], output.shape[1])


def meta_twin(model: nn.Module) -> nn.Module:
    """A copy of the network on the meta device, without copying a weight and without batch normalisation.

    Normalisation changes no shape, and on the meta device it is most of the time of a pass.
    """
    idle = {id(layer): nn.Identity() for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)}
    tensors = chain(model.parameters(), model.buffers())
    return deepcopy(model, {id(tensor): tensor.detach().to("meta") for tensor in tensors} | idle)


def before(module: nn.Module, gate: nn.Module) -> nn.Sequential:
    """The gate, then `module`, whose layers keep their names if it is a Sequential."""
    return named(se=gate, **dict(layers_of(module)))


def after(module: nn.Module, gate: nn.Module) -> nn.Sequential:
    """`module`, then the gate."""
    return named(**dict(layers_of(module)), se=gate)


def layers_of(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """The named layers of a Sequential, or the module alone."""
    return [*module.named_children()] if type(module) is nn.Sequential else [("module", module)]


def is_spatial(layer: nn.Module) -> bool:
    """Whether the layer is or contains a convolution larger than 1x1."""
    return any(isinstance(part, nn.Conv2d) and part.kernel_size != (1, 1) for part in layer.modules())


def has_convolution(layer: nn.Module) -> bool:
    """Whether the layer is or contains a convolution."""
    return any(isinstance(part, nn.Conv2d) for part in layer.modules())


def after_spatial(branch: nn.Module, channels: Channels, make: MakeGate) -> nn.Sequential:
    """A gate after the first convolution of `branch` that is larger than 1x1, its BN and activation (table 15).

    Raises ValueError if there is none.
    """
    layers = layers_of(branch)
    spatial = next((index for index, (_, layer) in enumerate(layers) if is_spatial(layer)), None)
    if spatial is None or not isinstance(branch, nn.Sequential):
        raise ValueError("position 3x3 needs a branch with a 3x3 convolution in a row of layers")
    end = next((i for i in range(spatial + 1, len(layers)) if has_convolution(layers[i][1])), len(layers))
    gate = make(channels[layers[spatial][1]][1])
    return named(**dict(layers[:end]), se=gate, **dict(layers[end:]))


def excite_unit(unit: Residual | ConcatUnit, position: Position, channels: Channels, make: MakeGate) -> None:
    """Put a gate into a residual unit, in place (figure 5 and table 15 of the journal version).

    With F the branch: standard x + SE(F(x)); pre x + F(SE(x)); post SE(relu(x + F(x))); identity SE(x) + F(x), after
    the projection if the shortcut has one; 3x3 inside F. A unit without a shortcut gets no gate on it.
    """
    inputs, outputs = channels[unit.branch]
    if position == "standard":
        unit.branch = after(unit.branch, make(outputs))
    elif position == "pre":
        unit.branch = before(unit.branch, make(inputs))
    elif position == "post":
        unit.activation = after(unit.activation, make(channels[unit][1]))
    elif position == "identity" and unit.shortcut is not None:
        unit.shortcut = after(unit.shortcut, make(channels[unit.shortcut][1]))
    elif position == "3x3":
        unit.branch = after_spatial(unit.branch, channels, make)


def excite_stage(stage: nn.Module, position: Position, channels: Channels, make: MakeGate) -> None:
    """Put a gate into every residual unit of a stage or, if it has none, after every block with a convolution.

    Inception-ResNet so has its gates in the residual modules, Inception after the concatenation of each module, VGG
    after the non-linearity of each convolution (section 4 of the paper).
    """
    units = [block for block in stage.children() if isinstance(block, UNITS)]
    for unit in units:
        excite_unit(unit, position, channels, make)
    if units:
        return
    if position != "standard":
        raise ValueError(f"position {position} needs residual units")
    for name, block in [*stage.named_children()]:
        if has_convolution(block):
            setattr(stage, name, after(block, make(channels[block][1])))


def stage_labels(model: nn.Module) -> dict[str, nn.Module]:
    """The stages under the papers' names: from 2 (conv2_x) after a stem, from 1 without one, or the names they have."""
    stages = [*model.get_submodule("stages").named_children()]
    if any(name != str(index) for index, (name, _) in enumerate(stages)):
        return dict(stages)
    first = 2 if hasattr(model, "stem") else 1
    return {str(first + index): stage for index, (_, stage) in enumerate(stages)}


def squeeze_and_excite(
    model: nn.Module,
    reduction: int = 16,
    gate_stages: Sequence[int | str] | None = None,
    position: Position = "standard",
    squeeze: Squeeze = "avg",
    excitation: Excitation = "sigmoid",
    gate_bias: bool = True,
) -> nn.Module:
    """Put squeeze-and-excitation gates into the blocks of a built network, in place.

    `gate_stages` picks stages by their number in the papers (2 is conv2_x), None takes all. Raises ValueError for a
    stage that the network does not have and for a position that its blocks do not have.
    """
    labels = stage_labels(model)
    chosen = [*labels] if gate_stages is None else [str(stage) for stage in gate_stages]
    if unknown := set(chosen) - set(labels):
        raise ValueError(f"gate_stages are among {[*labels]}, not {sorted(unknown)}")
    make = partial(SqueezeExcitation, reduction=reduction, squeeze=squeeze, excitation=excitation, bias=gate_bias)
    channels = channels_of(model)
    for label in chosen:
        excite_stage(labels[label], position, channels, make)
    return model
