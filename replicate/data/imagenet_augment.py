"""How the papers prepare ImageNet's images for training and for the test: torchvision transforms.

Every function takes the side of the crop and returns the steps from a PIL image, or a uint8 tensor (3, h, w), to a
float32 tensor (3, h, w), 0 ... 1 and not yet normalised. They draw from torch's global generator, which the data set
seeds for each image.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torchvision.transforms import v2
from torchvision.transforms.v2 import InterpolationMode

from replicate.errors import UserError

Steps = list[nn.Module]

# Channel statistics and principal components of the RGB values of ImageNet's training images, 0 ... 1, as published in
# fb.resnet.torch, datasets/imagenet.lua; rows of PCA_VECTORS are R, G, B.
CHANNEL_MEAN = (0.485, 0.456, 0.406)
CHANNEL_STD = (0.229, 0.224, 0.225)
PCA_SCALES = (0.2175, 0.0188, 0.0045)
PCA_VECTORS = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))


class Lighting(nn.Module):
    """AlexNet's colour shift: one random multiple of each principal component, added to the whole image.

    Krizhevsky et al. 2012, section 4.1, where the multiples are N(0, 0.1).
    """

    def __init__(self, deviation: float = 0.1) -> None:
        super().__init__()
        self.deviation = deviation
        self.components = torch.tensor(PCA_VECTORS) * torch.tensor(PCA_SCALES)

    def forward(self, image: Tensor) -> Tensor:
        shift = self.components @ (torch.randn(3) * self.deviation)
        return image + shift.view(3, 1, 1)


def to_float() -> Steps:
    """PIL image or uint8 tensor to float32 (3, h, w) in 0 ... 1."""
    return [v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True)]


def scale_aspect(size: int, smallest_area: float = 0.08, colour: bool = False) -> Steps:
    """Szegedy et al. 2015's crop as in fb.resnet.torch, bicubic; with `colour`, its jitter and lighting too.

    torchvision draws the aspect ratio log-uniformly, fb.resnet.torch uniformly with width and height swapped at random.
    """
    crop = v2.RandomResizedCrop(
        size, (smallest_area, 1.0), (3 / 4, 4 / 3), interpolation=InterpolationMode.BICUBIC, antialias=True
    )
    jitter = [v2.ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4), Lighting()] if colour else []
    return [crop, v2.RandomHorizontalFlip(), *to_float(), *jitter]


def crop_alone(size: int) -> Steps:
    """The random crop of `alexnet` without mirror and colour shift, as the settings released with SqueezeNet."""
    return [*alexnet(size)[:3], *to_float()]


def inception(size: int) -> Steps:
    """The crop of scale_aspect with a random interpolation, then photometric distortions.

    Szegedy et al. 2015, section 6. The paper prints no strengths; these are TF-Slim's, where brightness is added and
    not multiplied.
    """
    methods = (InterpolationMode.BILINEAR, InterpolationMode.BICUBIC, InterpolationMode.NEAREST, InterpolationMode.BOX)
    crops = [v2.RandomResizedCrop(size, (0.08, 1.0), (3 / 4, 4 / 3), interpolation=method) for method in methods]
    return [v2.RandomChoice(crops), v2.RandomHorizontalFlip(), *to_float(), v2.ColorJitter(32 / 255, 0.5, 0.5, 0.2)]


def shorter_side(size: int, smallest: int, largest: int) -> Steps:
    """Shorter side uniform in smallest ... largest pixels, random crop, mirror, AlexNet's colour shift."""
    if size > smallest:
        raise UserError(f"a crop of data.size={size} does not fit into images with a shorter side of {smallest} pixels")
    resize = v2.RandomShortestSize(list(range(smallest, largest + 1)))
    return [resize, v2.RandomCrop(size), v2.RandomHorizontalFlip(), *to_float(), Lighting()]


def alexnet(size: int, colour: bool = True) -> Steps:
    """Krizhevsky et al. 2012: shorter side 256, the central 256 x 256, and from that crop, mirror and colour shift."""
    crop = shorter_side(size, 256, 256)
    return [crop[0], v2.CenterCrop(256), *(crop[1:] if colour else crop[1:-1])]


def centre_crop(size: int, resize: int | None = None) -> Steps:
    """The test protocol: shorter side to `resize` (size * 256 / 224 for None), then the central size x size."""
    resize = resize or round(size * 256 / 224)
    if size > resize:
        raise UserError(f"a test crop of {size} does not fit into images with data.test_resize={resize}")
    return [v2.Resize(resize, antialias=True), v2.CenterCrop(size), *to_float()]


class StackCrops(nn.Module):
    """The crops of one image as one tensor (crops, c, h, w)."""

    def forward(self, crops: tuple[Tensor, ...]) -> Tensor:
        return torch.stack(crops)


def ten_crop(size: int, resize: int | None = None) -> Steps:
    """Corners and centre of the image, each also mirrored: (10, c, size, size); Krizhevsky et al. 2012, section 4.1."""
    resized, _, *floats = centre_crop(size, resize)
    return [resized, *floats, v2.TenCrop(size), StackCrops()]


@dataclass(frozen=True)
class ImageNetAugmentation:
    """What is done to each training image, as a description and as a function of the crop's side."""

    description: str
    steps: Callable[[int], Steps]


_CROP = "crop of {percent}-100 % of the area, aspect 3/4-4/3, mirror"
_SIDE = "shorter side {side}, random crop, mirror, PCA colour shift (section {where})"

IMAGENET_AUGMENTATIONS = {
    "none": ImageNetAugmentation("centre crop", centre_crop),
    "scale_aspect": ImageNetAugmentation(_CROP.format(percent=8), scale_aspect),
    "scale_aspect_colour": ImageNetAugmentation(
        f"{_CROP.format(percent=8)}, colour jitter 0.4, PCA lighting 0.1 (fb.resnet.torch)",
        partial(scale_aspect, colour=True),
    ),
    "scale_aspect_mild": ImageNetAugmentation(
        f"{_CROP.format(percent=25)}: the mobile networks' milder form; their papers print no number",
        partial(scale_aspect, smallest_area=0.25),
    ),
    "scale_aspect_mild_colour": ImageNetAugmentation(
        f"{_CROP.format(percent=25)}, colour jitter 0.4, PCA lighting 0.1: ShuffleNet's milder form of ResNeXt's",
        partial(scale_aspect, smallest_area=0.25, colour=True),
    ),
    "inception": ImageNetAugmentation(
        f"{_CROP.format(percent=8)}, random interpolation, photometric distortion", inception
    ),
    "shorter_side_256_480": ImageNetAugmentation(
        _SIDE.format(side="256-480", where="3.4 of He et al. 2015"), partial(shorter_side, smallest=256, largest=480)
    ),
    "shorter_side_256_512": ImageNetAugmentation(
        _SIDE.format(side="256-512", where="3.1 of VGG"), partial(shorter_side, smallest=256, largest=512)
    ),
    "shorter_side_256": ImageNetAugmentation(
        _SIDE.format(side="256", where="3.1 of VGG"), partial(shorter_side, smallest=256, largest=256)
    ),
    "shorter_side_384": ImageNetAugmentation(
        _SIDE.format(side="384", where="3.1 of VGG"), partial(shorter_side, smallest=384, largest=384)
    ),
    "alexnet": ImageNetAugmentation("centre 256 square, random crop, mirror, PCA colour shift", alexnet),
    "alexnet_no_colour": ImageNetAugmentation("centre 256 square, random crop, mirror", partial(alexnet, colour=False)),
    "crop_alone": ImageNetAugmentation("centre 256 square, random crop", crop_alone),
}
"""The augmentations of ImageNet's training images by name."""
