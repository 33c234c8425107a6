"""Evaluation protocols as data: the `options` of study evaluate."""

from typing import Literal, Self

from pydantic import Field, model_validator

from replicate.experiments.run_config import Block, Options

Crops = Literal["centre", "corners", "grid", "squares"]


class Protocol(Block):
    """Views of an image at every scale of `scales`, each also mirrored if `flip`.

    scales: pixels of the image's shorter side after resizing (Q of the VGG paper). crops: centre (1 view); corners (4
    and the centre: with flip Krizhevsky et al. 2012's 10); grid (5 x 5: with flip the 50 a scale of Simonyan and
    Zisserman 2015, section 3.2); squares (3 squares of 6 views: with flip and four scales the 144 of Szegedy et al.
    2015, section 7). dense: the whole image, by the network's fully convolutional form (VGG, section 3.2).
    """

    scales: tuple[int, ...] = Field(min_length=1)
    crops: Crops | None = None
    crop: int | None = Field(None, ge=1)  # side of the crops in pixels
    dense: bool = False
    flip: bool = False

    @model_validator(mode="after")
    def _crops_fit(self) -> Self:
        if (self.crops is None, self.crop is None) != (self.dense, self.dense):
            raise ValueError("a protocol has either crops and the side of a crop, or dense=true and neither")
        if self.crop is not None and self.crop > min(self.scales):
            raise ValueError(f"crops of {self.crop} pixels do not fit into images of {min(self.scales)}")
        return self


class Evaluation(Options):
    """`options` of a run: protocols whose answers are averaged ("multi-crop and dense"), and the networks.

    readings: further lists of protocols by name, tested in the same run; their metrics have the name as suffix.
    images: how many test images, the same share of each class; None means data.test_images, or all.
    average: how the softmax scores of one protocol's views are combined, mean or max. members: networks of an ensemble,
    trained from as many seeds; their answers are averaged. weights: the name of a file with torchvision's parameters,
    or timm's of a network that torchvision does not have, instead of training; with untrained=true the network stays
    as initialised. interpolation: how the files of a folder are resized; images in memory are averaged over areas.
    """

    protocols: tuple[Protocol, ...] = Field(min_length=1)
    readings: dict[str, tuple[Protocol, ...]] = Field(default_factory=dict)
    images: int | None = Field(None, ge=1)
    average: Literal["mean", "max"] = "mean"
    members: int = Field(1, ge=1)
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    weights: str | None = None
    untrained: bool = False

    @property
    def asked(self) -> dict[str, tuple[Protocol, ...]]:
        """Suffix of the metrics -> protocols; the suffix is empty for `protocols`, _name for a reading."""
        return {"": self.protocols, **{f"_{name}": protocols for name, protocols in self.readings.items()}}

    @property
    def every_protocol(self) -> tuple[Protocol, ...]:
        """The protocols of all readings, in order."""
        return tuple(protocol for protocols in self.asked.values() for protocol in protocols)
