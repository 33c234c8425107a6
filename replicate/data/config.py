"""The `data` block of a run: plain values, so that it can come from YAML. torch is not imported here."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from replicate.data.names import augmentation_names, data_names
from replicate.errors import UserError, unknown

Sampling = Literal["balanced"]
Normalisation = Literal["channel", "channel_mean", "mean_image", "unit", "inception"]


class DataConfig(BaseModel):
    """One data set and how its images are prepared. Unknown keys are refused; a bad name raises UserError."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "bundled"
    size: int | None = Field(default=None, ge=1)
    """Side in pixels that the network sees; None keeps the side of the set (28, 32; a 224 crop for ImageNet)."""
    train_images: int | None = Field(default=None, ge=1)
    """Keep the first images of each class, this many in all; None keeps all images."""
    test_images: int | None = Field(default=None, ge=1)
    validation: int = Field(default=0, ge=0)
    """Images taken from the TRAINING images for validation, the same ones for every seed."""
    augmentation: str = "none"
    normalisation: Normalisation = "channel"
    sampling: Sampling | None = None
    """`balanced` shows training images of every class equally often; None shows every image once an epoch."""
    root: str | None = None
    """Folder of the downloaded sets, or of ImageNet."""
    download: bool = False
    channels: int | None = Field(default=None, ge=1)
    """Synthetic images only."""
    classes: int | None = Field(default=None, ge=1)
    """Synthetic images only."""
    test_resize: int | None = Field(default=None, ge=1)
    """ImageNet only: shorter side before the centre crop at test time; None is 256/224 of the crop."""
    test_size: int | None = Field(default=None, ge=1)
    """ImageNet only: side of the centre crop at test time (320 in He et al. 2016); None is `size`."""
    test_crops: Literal[1, 10] | None = None
    """ImageNet only: 10 averages the softmax over corners and centre, each also mirrored; None is the centre alone."""
    decoder: Literal["torchvision"] | None = None
    """ImageNet only: the library that decodes and resizes; None is Pillow. Both round resized pixels differently."""

    @field_validator("name")
    @classmethod
    def _known_name(cls, name: str) -> str:
        if name not in data_names():
            raise unknown("data set", name, data_names())
        return name

    @model_validator(mode="after")
    def _known_augmentation(self) -> Self:
        names = augmentation_names(self.name)
        if self.augmentation not in names:
            raise unknown(f"augmentation of data set {self.name}", self.augmentation, names)
        return self

    @model_validator(mode="after")
    def _no_stray_option(self) -> Self:
        owners = dict.fromkeys(("channels", "classes"), "synthetic")
        owners |= dict.fromkeys(("test_resize", "test_size", "test_crops", "decoder"), "imagenet")
        for option, owner in owners.items():
            if getattr(self, option) is not None and self.name != owner:
                raise UserError(f"data.{option} is an option of data set {owner}, not of {self.name}")
        return self
