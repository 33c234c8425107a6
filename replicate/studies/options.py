"""What the block `options` of each study may say. Read without importing torch."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from replicate.experiments.run_config import Block, Options

InputShape = tuple[int, int, int]
"""Channels, height and width of an image."""


class CurveLevel(Block):
    """How far a curve has to fall: "steps to 72.2 %" (Ioffe and Szegedy 2015, figure 3) is an error of 27.8 %."""

    curve: Literal["train_error", "validation_error"]
    level: float = Field(gt=0, lt=100)


class TrainOptions(Options):
    """reach: also measure after how many steps a curve falls to a level."""

    reach: CurveLevel | None = None


class NoOptions(Options):
    """There is nothing to choose."""


class Column(Block):
    """A quantity to count, and where it differs from the run's own network, layer and image.

    of: one of :data:`replicate.studies.count.QUANTITIES`.
    model: options of the network that differ. layer: the name of a submodule, or a pattern of several.
    without: layers to leave out of the number. side: pixels, for the maps of that side alone.
    share: true for the percentage that the layers are of the whole network.
    density: {layers: share of the weights that pruning leaves}, the last pattern that fits wins; biases stay.
    """

    of: str
    model: dict[str, Any] = Field(default_factory=dict)
    input: InputShape = (3, 224, 224)
    layer: str = ""
    without: str | None = None
    side: int | None = Field(None, ge=1)
    share: bool = False
    density: dict[str, float] | None = None


def size_columns() -> dict[str, Column | None]:
    return {quantity: Column(of=quantity) for quantity in ("parameters", "multiply_adds")}


class CountOptions(Options):
    """columns: what is measured, by name; by default parameters and multiply-adds. null leaves a column out.

    input, layer, side: those of every column that names none of its own.
    """

    columns: dict[str, Column | None] = Field(default_factory=size_columns)
    input: InputShape = (3, 224, 224)
    layer: str = ""
    side: int | None = Field(None, ge=1)


class MemoryOptions(Options):
    """layers: measure a block of so many basic layers alone. steps: so many training steps of each form are timed."""

    layers: int | None = Field(None, ge=1)
    steps: int = Field(0, ge=0)


class StepTimeOptions(Options):
    """steps: of each network. against: the options of `model` in which the reference network differs."""

    steps: int = Field(ge=1)
    against: dict[str, Any] = Field(default_factory=dict)


class LesionOptions(Options):
    """lesion: what is done, see :mod:`replicate.studies.lesion`. images: test images to look at, by default all."""

    lesion: Literal["each", "delete", "swap"] = "each"
    images: int | None = Field(None, ge=1)
    draws: int = Field(1, ge=1)
    delete: int = Field(0, ge=1)
    of: int = Field(0, ge=1)
    swap: int = Field(0, ge=1)
    weights: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = {"each": (), "delete": ("delete", "of"), "swap": ("swap",)}[self.lesion]
        for name in needed:
            if not getattr(self, name):
                raise ValueError(f"lesion {self.lesion} needs options.{name}")
        return self


class PathOptions(Options):
    """samples: paths of each length. images: how many of a training batch to take, by default all.

    low, high, of: the paper's effective lengths, `low` to `high` of `of` blocks.
    """

    samples: int = Field(ge=1)
    images: int | None = Field(None, ge=1)
    low: int = Field(ge=0)
    high: int = Field(ge=0)
    of: int = Field(ge=1)


class LengthOptions(Options):
    """`deleted` of `blocks` blocks are taken out; low, high: the lengths whose share is asked for; at: single ones."""

    network: Literal["residual", "plain"] = "residual"
    blocks: int = Field(ge=1)
    deleted: int = Field(0, ge=0)
    low: int | None = None
    high: int | None = None
    at: tuple[int, ...] = ()


class ConvolutionOptions(Options):
    """The checks of one part of :mod:`replicate.statements`, or of those of its `claims` that are named."""

    topic: Literal["arithmetic"]
    part: str
    claims: tuple[str, ...] = ()


class SpeedOptions(Options):
    """One kernel size by every algorithm, on `maps` (output sides, pixels), `channels` in and out, one image.

    Each time is the median of calls that take `milliseconds` together.
    """

    topic: Literal["algorithms"]
    kernel: int = Field(ge=1)
    maps: tuple[int, ...] = Field(min_length=1)
    channels: int = Field(8, ge=1)
    milliseconds: float = Field(200, gt=0)


class FieldOptions(Options):
    """One `network` of the registry, or a row of `kernels` at stride 1."""

    topic: Literal["fields"]
    network: str | None = None
    kernels: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.network is None) == (not self.kernels):
            raise ValueError("receptive fields need one of options.network and options.kernels")
        return self


class TranslationOptions(Options):
    """One operation or one filter, by name, on `images` random images of `side` pixels."""

    topic: Literal["motion"]
    subject: str
    images: int = Field(64, ge=1)
    side: int = Field(32, ge=1)


class DrawOptions(Options):
    """embedding: `points` points of a spiral by a random matrix into `dimension` dimensions.

    survival: the CIFAR network of `depth` layers, and `mini_batches` for each of which blocks are drawn.
    """

    topic: Literal["embedding", "survival"]
    dimension: int = Field(0, ge=2)
    points: int = Field(1000, ge=1)
    depth: int = 0
    survival_probability: float = 0.5
    decay: Literal["linear", "uniform"] = "linear"
    mini_batches: int = Field(1000, ge=1)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = {"embedding": "dimension", "survival": "depth"}[self.topic]
        if not getattr(self, needed):
            raise ValueError(f"topic {self.topic} needs options.{needed}")
        return self


class SourceOptions(Options):
    """source: where the features come from that the readout sees."""

    source: Literal["random", "hand_made", "k_means", "greedy", "trained"]
