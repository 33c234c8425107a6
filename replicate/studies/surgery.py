"""Taking a trained network apart without touching its code: modules are replaced for a while and put back.

What may be taken out is found in the network's chain: its stem and the children of its stages, each of which feeds
the next one. A residual block loses its branch and keeps its shortcut; a plain layer can only be left out where it
has as many outputs as inputs (Veit et al. 2016, section 4.1).
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from replicate.errors import UserError
from replicate.models.layers.blocks import Residual


@dataclass(frozen=True)
class Slot:
    """A place in the network that holds a module."""

    owner: nn.Module
    name: str

    @property
    def module(self) -> nn.Module:
        """What stands there now."""
        return self.owner.get_submodule(self.name)


class ZeroBranch(nn.Module):
    """A branch that adds nothing: a zero of no dimensions, whatever shape the shortcut gives."""

    def forward(self, x: Tensor) -> Tensor:
        return x.new_zeros(())


class FixedActivations(nn.Module):
    """Activations computed before, whatever comes in."""

    def __init__(self, activations: Tensor) -> None:
        super().__init__()
        self.activations = activations

    def forward(self, x: Tensor) -> Tensor:
        return self.activations


class StoppedGradient(nn.Module):
    """The module's values without its gradient."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            values: Tensor = self.module(x)
        return values.detach()  # an identity returns its input, gradient included


@contextmanager
def replaced(changes: Mapping[Slot, nn.Module]) -> Iterator[None]:
    """Inside the context each slot holds its new module; the old ones are put back, whatever happens."""
    before = {slot: slot.module for slot in changes}
    try:
        for slot, module in changes.items():
            setattr(slot.owner, slot.name, module)
        yield
    finally:
        for slot, module in before.items():
            setattr(slot.owner, slot.name, module)


@dataclass(frozen=True)
class RemovableLayer:
    """Something that can be taken out. `number` counts from 1 at the input; `place` is its position in the chain.

    transition: the first block of a stage, whose shortcut changes the map's shape. stage: from 1.
    """

    number: int
    place: int
    stage: int
    transition: bool
    slot: Slot
    substitute: nn.Module


def chain(network: nn.Module) -> list[Slot]:
    """The modules that the images pass one after the other, up to the pooling. Raises UserError where there is none."""
    stages = getattr(network, "stages", None)
    if not isinstance(stages, nn.Sequential):
        raise UserError(f"{type(network).__name__} is no chain of stages, so no block of it can be taken out")
    stem = [Slot(network, "stem")] if isinstance(getattr(network, "stem", None), nn.Module) else []
    return stem + [Slot(stage, name) for stage in stages for name, _ in stage.named_children()]


def parts(network: nn.Module) -> list[RemovableLayer]:
    """Every residual block, or every plain layer of equal input and output shape, from the input on.

    Plain layers are numbered among all convolutions, so that their numbers are those of the paper's axis.
    """
    slots = chain(network)
    stages = list(network.get_submodule("stages").children())
    found, number = [], 0
    for place, slot in enumerate(slots):
        block = slot.module
        if slot.owner not in stages:  # the stem
            continue
        stage = stages.index(slot.owner) + 1
        if isinstance(block, Residual) and block.shortcut is not None:
            number += 1
            transition = not isinstance(block.shortcut, nn.Identity)
            found.append(RemovableLayer(number, place, stage, transition, Slot(block, "branch"), ZeroBranch()))
        elif is_plain_layer(block):
            number += 1
            if keeps_shape(block):
                found.append(RemovableLayer(number, place, stage, False, slot, nn.Identity()))
    return found


def is_plain_layer(module: nn.Module) -> bool:
    """Whether this is a layer of a plain network: a convolution with what belongs to it."""
    return isinstance(module, nn.Sequential) and isinstance(getattr(module, "conv", None), nn.Conv2d)


def keeps_shape(module: nn.Module) -> bool:
    """Whether a plain layer can be left out: as many channels out as in, no stride."""
    layer = module.get_submodule("conv")
    assert isinstance(layer, nn.Conv2d)
    return layer.in_channels == layer.out_channels and layer.stride == (1, 1)


def residual_parts(network: nn.Module) -> list[RemovableLayer]:
    """The residual blocks. Raises UserError for a network without any: it has one path only."""
    found = [part for part in parts(network) if part.slot.name == "branch"]
    if not found:
        raise UserError(f"{type(network).__name__} has no residual block, so it has a single path")
    return found


def deletion(chosen: Iterable[RemovableLayer]) -> dict[Slot, nn.Module]:
    """The changes that take `chosen` out."""
    return {part.slot: part.substitute for part in chosen}


def resumption(slots: list[Slot], place: int, activations: Tensor) -> dict[Slot, nn.Module]:
    """The changes that let a forward pass begin at `place` of the chain, from the `activations` that reach it."""
    if place == 0:
        return {}
    return {slots[0]: FixedActivations(activations)} | {slot: nn.Identity() for slot in slots[1:place]}


@torch.no_grad()
def single_deletions(
    network: nn.Module, chosen: list[RemovableLayer], images: Tensor
) -> Iterator[tuple[RemovableLayer, Tensor]]:
    """Each part with the logits after its deletion alone, in eval mode; `chosen` in the chain's order.

    What lies before the part is computed once, and each pass begins where the part was: half of the work.
    """
    slots = chain(network)
    by_place = {part.place: part for part in chosen}
    activations = images
    for place, slot in enumerate(slots):
        if place in by_place:
            part = by_place[place]
            with replaced({**resumption(slots, place, activations), **deletion([part])}):
                logits = network(images)
            yield part, logits
        activations = slot.module(activations)


@torch.no_grad()
def single_deletions_in_full(
    network: nn.Module, chosen: list[RemovableLayer], images: Tensor
) -> Iterator[tuple[RemovableLayer, Tensor]]:
    """The same by whole forward passes: what :func:`single_deletions` is measured against."""
    for part in chosen:
        with replaced(deletion([part])):
            logits = network(images)
        yield part, logits
