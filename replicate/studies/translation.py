"""Study `translation`: images shifted, turned and enlarged, before and after an operation; kernels as filters of waves.

Sections 2.1.3, 2.2.1 and 2.2.2 of "Classic convolutional neural networks", part I, and section 3 of "CNN engineering
tips". Images lie on a torus, so that no border stands between an operation and what it commutes with.
"""

from collections.abc import Callable, Iterator
from functools import partial
from math import pi

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.functional import InterpolationMode, rotate

from replicate.data.random import generator
from replicate.errors import unknown
from replicate.experiments.run_config import RunConfig
from replicate.runs.records import Measurement
from replicate.runs.task import Outcome, Task
from replicate.statements.checks import shortened
from replicate.statements.fast import BOX, LAPLACIAN, SOBEL_X
from replicate.studies.options import TranslationOptions

Config = RunConfig[TranslationOptions]

Operation = Callable[[Tensor], Tensor]
"""Maps (n, 1, h, w) to maps (n, 1, h / stride, w / stride)."""

KERNEL = 3
SHIFTS = range(1, 9)  # pixels
ANGLES = range(0, 91, 15)  # degrees
FREQUENCIES = 32  # steps from 0 to half a wave a pixel
BINOMIAL = torch.tensor([[1, 2, 1], [2, 4, 2], [1, 2, 1]], dtype=torch.float64) / 16
SMOOTHINGS = 8  # of images that are turned by less than a quarter, whose pixels are interpolated
FILTERS = {"box": BOX, "binomial": BINOMIAL, "Laplacian": LAPLACIAN, "Sobel": SOBEL_X}


def wrapped(images: Tensor) -> Tensor:
    """The images with a margin of pixels from the other side, as wide as windows of KERNEL need."""
    return F.pad(images, (KERNEL // 2,) * 4, mode="circular")


def filtered(images: Tensor, kernel: Tensor, stride: int = 1) -> Tensor:
    return F.conv2d(wrapped(images), kernel.to(images.dtype)[None, None], stride=stride)


def turned_kernels(images: Tensor, kernel: Tensor) -> Tensor:
    """At every pixel the largest answer of the kernel's four quarter turns."""
    return torch.stack([filtered(images, kernel.rot90(turns)) for turns in range(4)]).amax(0)


def operations(kernel: Tensor) -> dict[str, tuple[Operation, int]]:
    """Each operation by name, and its stride."""
    symmetric = torch.stack([kernel.rot90(turns) for turns in range(4)]).mean(0)
    return {
        "image itself": (lambda images: images, 1),
        "convolution": (partial(filtered, kernel=kernel), 1),
        "convolution, stride 2": (partial(filtered, kernel=kernel, stride=2), 2),
        "symmetric kernel": (partial(filtered, kernel=symmetric), 1),
        "max pooling": (lambda images: F.max_pool2d(wrapped(images), KERNEL, 1), 1),
        "mean pooling": (lambda images: F.avg_pool2d(wrapped(images), KERNEL, 1), 1),
        "rotation pooling": (partial(turned_kernels, kernel=kernel), 1),
    }


def shifted(images: Tensor, pixels: int) -> Tensor:
    return images.roll(pixels, dims=3)


def turned(images: Tensor) -> Tensor:
    return images.rot90(1, (2, 3))


def enlarged(images: Tensor) -> Tensor:
    """Twice the size, every pixel four times."""
    return images.repeat_interleave(2, 2).repeat_interleave(2, 3)


def percent_off(found: Tensor, expected: Tensor) -> float:
    """The root mean square of the difference, in percent of that of what is expected."""
    return shortened(round(100 * float((found - expected).norm() / expected.norm()), 6))


def percent_changed(found: Tensor, before: Tensor) -> float:
    return 100 * float((found != before).double().mean())


def strongest(maps: Tensor) -> Tensor:
    """The largest answer anywhere in each image."""
    return maps.amax((2, 3))


def answer_to_turns(operation: Operation, images: Tensor) -> Iterator[tuple[int, float]]:
    """Angle -> by how much the strongest answer to an image changes when the image is turned, in percent.

    A disc is cut out of the images, which turning leaves whole; between quarter turns pixels are interpolated.
    """
    for _ in range(SMOOTHINGS):
        images = filtered(images, BINOMIAL)
    side = images.shape[3]
    places = torch.arange(side) - (side - 1) / 2
    disc = (places[:, None] ** 2 + places**2 < (side / 2 - KERNEL) ** 2) * images
    upright = strongest(operation(disc))
    for angle in ANGLES:
        turn = rotate(disc, angle, InterpolationMode.BILINEAR) if angle % 90 else disc.rot90(angle // 90, (2, 3))
        yield angle, percent_off(strongest(operation(turn)), upright)


def behaviour(operation: Operation, stride: int, images: Tensor) -> Iterator[Measurement]:
    """How far an operation is from commuting with shifts, a quarter turn and a doubling, and how it sees a shift."""
    before = operation(images)
    for pixels in SHIFTS:
        after = operation(shifted(images, pixels))
        if pixels % stride == 0:
            off = percent_off(after, shifted(before, pixels // stride))
        else:  # no shift of the maps goes with it: the nearest of the two beside it
            off = min(percent_off(after, shifted(before, pixels // stride + more)) for more in (0, 1))
        yield Measurement(metric="shift_error", index=pixels, value=off)
        yield Measurement(metric="outputs_changed", index=pixels, value=percent_changed(after, before))
        if pixels == 1:
            yield Measurement(metric="shift_error", value=off)
            yield Measurement(metric="outputs_changed", value=percent_changed(after, before))
    yield Measurement(metric="turn_error", value=percent_off(operation(turned(images)), turned(before)))
    yield Measurement(metric="scale_error", value=percent_off(operation(enlarged(images)), enlarged(before)))
    answers = dict(answer_to_turns(operation, images))
    for angle, change in answers.items():
        yield Measurement(metric="answer_change", index=angle, value=change)
    yield Measurement(metric="answer_change", value=answers[90])


def gains(kernel: Tensor) -> Iterator[Measurement]:
    """What a kernel leaves of waves along the rows of an image, by their frequency in waves a pixel.

    Measured from the answer to a cosine and a sine.
    """
    side = 2 * FREQUENCIES
    for step in range(FREQUENCIES + 1):
        phase = 2 * pi * step / side * torch.arange(side).double()
        waves = torch.stack([phase.cos(), phase.sin()])[:, None, None].expand(2, 1, side, side)
        answer = filtered(waves, kernel)
        gain = shortened(round(float((answer.square().sum() / waves.square().sum()).sqrt()), 9))
        yield Measurement(metric="gain", index=step / side, value=gain)
        if step in (0, FREQUENCIES):
            yield Measurement(metric="gain_finest" if step else "gain_constant", value=gain)


def check(config: Config) -> None:
    """Raises UserError for a subject that does not exist."""
    known = (*operations(BOX), *FILTERS)
    if config.options.subject not in known:
        raise unknown("subject of study translation", config.options.subject, known)


def run(task: Task[Config]) -> Outcome:
    """The gains of a filter, or the behaviour of an operation; single values are those of one pixel, or of the ends."""
    options = task.run.config.options
    if options.subject in FILTERS:
        return Outcome(tuple(gains(FILTERS[options.subject])))
    rng = generator(task.run.seed, "motion")
    images = torch.randn(options.images, 1, options.side, options.side, generator=rng).double()
    operation, stride = operations(torch.randn(KERNEL, KERNEL, generator=rng).double())[options.subject]
    return Outcome(tuple(behaviour(operation, stride, images)))
