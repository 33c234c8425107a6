"""Receptive fields of whole networks by recursion: what each unit reads, followed through all operations.

All fields are along the rows of an image. The field of a network is that of a unit of its last maps, before a global
pool or a fully connected layer reads the whole of them.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from replicate.compat import TorchDispatchMode, tree_leaves

aten = torch.ops.aten
POOLS = (aten.avg_pool2d, aten.max_pool2d_with_indices)
SUMMARIES = (aten.mean, aten.amax)
ELSEWHERE = "follows no operation that maps {} columns to {}: {}"


class Reach(NamedTuple):
    """Unit i of a row of maps reads the pixels first + i jump ... last + i jump of its row of the image.

    `everything`: beside them every pixel, through the gates of squeeze-and-excitation. `by_rule`: the field by the
    rule of the source document "Types of convolution kernels and what they do", section 1.4: RF + (kernel - 1) stride
    with each layer's own stride.
    """

    jump: int = 1
    first: int = 0
    last: int = 0
    by_rule: int = 1
    everything: bool = False

    @property
    def field(self) -> int:
        """Pixels from the first to the last."""
        return self.last - self.first + 1

    def through(self, kernel: int, stride: int, padding: int, dilation: int) -> "Reach":
        """The reach after a window: r_l = r_(l-1) + (k_l - 1) s_1 ... s_(l-1), a hole being a tap as well."""
        extra = dilation * (kernel - 1)
        return Reach(
            jump=self.jump * stride,
            first=self.first - padding * self.jump,
            last=self.last + (extra - padding) * self.jump,
            by_rule=self.by_rule + extra * stride,
            everything=self.everything,
        )

    def moved(self, units: int, stride: int = 1) -> "Reach":
        """The reach of every `stride`-th unit, from unit number `units` on."""
        shift = units * self.jump
        return self._replace(jump=self.jump * stride, first=self.first + shift, last=self.last + shift)


def joined(reaches: list[Reach | None]) -> Reach | None:
    """The reach of what is made from several maps: the widest. None, a summary of whole maps, reads everything.

    Raises ValueError for maps of different strides, which no operation could join unit by unit.
    """
    maps = [reach for reach in reaches if reach is not None]
    if not maps:
        return None
    if len({reach.jump for reach in maps}) > 1:
        raise ValueError(f"maps at strides {sorted({reach.jump for reach in maps})} are joined")
    return Reach(
        jump=maps[0].jump,
        first=min(reach.first for reach in maps),
        last=max(reach.last for reach in maps),
        by_rule=max(reach.by_rule for reach in maps),
        everything=len(maps) < len(reaches) or any(reach.everything for reach in maps),
    )


class Follower(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own __init_subclass__
    """Knows the reach of every tensor made from `images` while it is on, whatever modules or functions make it."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.known: dict[int, tuple[Tensor, Reach | None]] = {id(images): (images, Reach())}  # held: ids are used again
        self.maps = Reach()  # of the last maps
        self.windows: list[Reach] = []  # behind each convolution and pool, in their order

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        sources = [self.known[id(given)][1] for given in tree_leaves(args) if id(given) in self.known]
        if sources:
            reach = joined(sources)
            reach = after(func.overloadpacket, args, reach, tree_leaves(result)[0]) if reach else None
            self.known |= {id(made): (made, reach) for made in tree_leaves(result)}
            if reach is not None:
                self.maps = reach
                if func.overloadpacket in (aten.convolution, *POOLS):
                    self.windows.append(reach)
        return result


def after(operation: Any, args: tuple[Any, ...], reach: Reach, result: Tensor) -> Reach | None:
    """The reach of what an operation makes of maps; None of a summary of whole maps.

    Raises ValueError for an operation that changes the maps' width in a way that is not known here.
    """
    if operation is aten.convolution:
        stride, padding, dilation = (args[place][-1] for place in (3, 4, 5))
        return reach.through(args[1].shape[-1], stride, padding, dilation)
    if operation in POOLS:
        kernel = args[1][-1]
        stride = args[2][-1] if len(args) > 2 and args[2] else kernel
        return reach.through(kernel, stride, args[3][-1] if len(args) > 3 else 0, 1)
    if operation is aten.slice and args[1] == 3:
        return reach.moved(args[2] or 0, args[4] if len(args) > 4 else 1)
    if operation is aten.constant_pad_nd:
        return reach.moved(-args[1][0])
    if operation is aten._adaptive_avg_pool2d or operation in SUMMARIES or result.dim() < 4:
        return None
    before = next(leaf for leaf in tree_leaves(args) if isinstance(leaf, Tensor) and leaf.dim() >= 4)
    if before.shape[-1] != result.shape[-1]:
        raise ValueError(ELSEWHERE.format(before.shape[-1], result.shape[-1], operation))
    return reach


def follow(network: nn.Module, channels: int, side: int) -> Follower:
    """A forward pass of one image of `side` pixels on the network's device, followed: see its `maps`."""
    device = next((parameter.device for parameter in network.parameters()), None)
    images = torch.zeros(1, channels, side, side, device=device)
    with torch.no_grad(), Follower(images) as follower:
        network(images)
    return follower
