"""Generated images that ask what is there, or where: to try what pooling does to a task that depends on exact places.

The source document "Classic convolutional neural networks", sections 2.2.1 and 2.3 of part I, names the kinds: is a
feature present, do two segments cross, does far-apart information have to be merged. All images are gray, 16 x 16
pixels, the same ones every time; the two classes have equally many bright pixels.
"""

from collections.abc import Callable
from functools import partial
from math import pi

import torch
from torch import Tensor

from replicate.data.config import DataConfig
from replicate.data.names import SHAPES
from replicate.data.random import generator
from replicate.data.splits import ImageSet, Parts

SIDE = 16
TEST_IMAGES = 10_000
NOISE = 96  # gray values under it stand where nothing is drawn
INK = 255
MARKS = torch.tensor([[[0, 1, 0], [1, 1, 1], [0, 1, 0]], [[1, 0, 1], [0, 1, 0], [1, 0, 1]]])  # plus and times
HALF = 2.4  # pixels: half of the shortest segment, the longest are 2 pixels longer
SHARED = 0.53  # pixels at each end, for the ink that two crossing segments share
LEAST_ANGLE = pi / 4  # between two segments

Draw = Callable[[Tensor, torch.Generator], Tensor]
"""Labels (n,) to where ink is, float (n, side, side) from 0 to 1."""


def marks_at(kinds: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """One mark of the given kind an image, its upper left pixel at the given place."""
    ink = torch.zeros(len(kinds), SIDE, SIDE)
    places = torch.arange(3)
    where = (
        torch.arange(len(kinds))[:, None, None],
        rows[:, None, None] + places[:, None],
        columns[:, None, None] + places,
    )
    ink[where] = MARKS[kinds].float()
    return ink


def one_mark(labels: Tensor, draw: torch.Generator) -> Tensor:
    """A plus or a times somewhere; the label says which."""
    rows, columns = torch.randint(0, SIDE - 2, (2, len(labels)), generator=draw)
    return marks_at(labels, rows, columns)


def two_marks(labels: Tensor, draw: torch.Generator, least: int, most: int) -> Tensor:
    """Two marks whose places differ by `least` to `most` rows or columns, whichever is more; label 1 if they are alike.

    Both kinds come equally often, so that neither of the two marks alone says anything.
    """
    room = torch.cartesian_prod(*(torch.arange(SIDE - 2) for _ in range(4)))
    apart = (room[:, :2] - room[:, 2:]).abs().amax(1)
    room = room[(apart >= least) & (apart <= most)]
    pairs = room[torch.randint(len(room), (len(labels),), generator=draw)]
    first = torch.randint(2, (len(labels),), generator=draw)
    second = torch.where(labels == 1, first, 1 - first)
    return marks_at(first, pairs[:, 0], pairs[:, 1]).maximum(marks_at(second, pairs[:, 2], pairs[:, 3]))


def segments(centres: Tensor, angles: Tensor, halves: Tensor) -> Tensor:
    """Ink of one segment an image: 1 within half a pixel of it, falling to 0 over the next pixel."""
    rows, columns = torch.cartesian_prod(torch.arange(SIDE), torch.arange(SIDE)).float().T
    down, right = rows - centres[:, :1], columns - centres[:, 1:]
    cos, sin = angles.cos()[:, None], angles.sin()[:, None]
    beyond = ((down * cos + right * sin).abs() - halves[:, None]).clamp(min=0)
    return (1.5 - torch.hypot(beyond, right * cos - down * sin)).clamp(0, 1).view(-1, SIDE, SIDE)


def two_segments(labels: Tensor, draw: torch.Generator) -> Tensor:
    """Two segments, one of which crosses the other (label 1) or ends 2.4 to 2.9 pixels off it.

    The second one is moved along itself, towards the middle of the image. Those that cross share some ink, and are
    longer by as much, so that the sum of all pixels tells nothing.
    """
    count = len(labels)
    crossing = 4 + (SIDE - 9) * torch.rand(count, 2, generator=draw)
    angle = pi * torch.rand(count, generator=draw)
    turn = LEAST_ANGLE + (pi - 2 * LEAST_ANGLE) * torch.rand(count, generator=draw)
    slide, gap, *lengths = torch.rand(4, count, generator=draw)
    halves = [HALF + length + SHARED * labels for length in lengths]
    directions = [torch.stack([a.cos(), a.sin()], 1) for a in (angle, angle + turn)]
    inwards = ((SIDE - 1) / 2 - crossing).mul(directions[1]).sum(1)
    moved = torch.where(labels == 1, 1.5 * gap, halves[1] + (2.4 + gap / 2) / turn.sin()) * torch.where(
        inwards < 0, -1.0, 1.0
    )
    first = segments(crossing + (3 * slide - 1.5)[:, None] * directions[0], angle, halves[0])
    second = segments(crossing + moved[:, None] * directions[1], angle + turn, halves[1])
    return first.maximum(second)


def part(name: str, which: str, ink: Draw, count: int) -> ImageSet:
    """`count` images of one part, the two classes by turns."""
    draw = generator(0, name, which)
    labels = torch.arange(count) % 2
    noise = torch.randint(0, NOISE, (count, SIDE, SIDE), generator=draw)
    drawn = (ink(labels, draw) * INK).round().long()
    return ImageSet(noise.maximum(drawn).to(torch.uint8)[:, None], labels)


def task(config: DataConfig, name: str, ink: Draw) -> Parts:
    """The data set `name`, whole."""
    train = part(name, "train", ink, SHAPES[name].train_images)
    return Parts(train, part(name, "test", ink, TEST_IMAGES), classes=2)


POSITION_TASKS: dict[str, Draw] = {
    "position_free": one_mark,
    "position_crossing": two_segments,
    "position_near": partial(two_marks, least=3, most=4),
    "position_far": partial(two_marks, least=9, most=13),
}
SOURCES: dict[str, Callable[[DataConfig], Parts]] = {
    name: partial(task, name=name, ink=ink) for name, ink in POSITION_TASKS.items()
}
