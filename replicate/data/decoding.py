"""Image files to pixels, by Pillow or torchvision: both take the same files, refuse the same, and give the same pixels.

They agree within TOLERANCE: their JPEG decoders round otherwise, and so does 16-bit colour.
"""

import io
from collections.abc import Callable

import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms.v2.functional import pil_to_tensor

from replicate.data.shards import Sample, read
from replicate.errors import UserError

TOLERANCE = 3  # of 255
MOST_PIXELS = 89_478_485  # a quarter of a gigabyte as RGB; Pillow's limit for what it warns of
SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N")
NATIVE = ("JPEG", "PNG", "GIF", "WEBP")
"""What torchvision decodes; the rest of what is listed as an image it leaves to Pillow."""
MOVING = ("GIF", "PNG", "WEBP", "TIFF")
"""Formats of several frames. The second picture in a JPEG (MPO) is a preview."""


def header(data: bytes) -> Image.Image:
    """The image, not decoded yet. Raises ValueError for what neither decoder can turn into one picture of 8 bits."""
    try:
        image = Image.open(io.BytesIO(data))
    except UnidentifiedImageError as error:
        raise ValueError("it is no image of a known format") from error
    pixels = image.width * image.height
    if pixels > MOST_PIXELS:
        raise ValueError(f"it has {pixels:,} pixels; {MOST_PIXELS:,} is the most")
    if image.format in MOVING and getattr(image, "is_animated", False):
        raise ValueError("it has several frames")
    if image.mode == "F" or (image.mode == "I" and image.format != "PNG"):
        raise ValueError(f"its pixels are of Pillow's mode {image.mode}, whose white is unknown; save it with 8 bits")
    return image


def eight_bits(image: Image.Image) -> Image.Image:
    """RGB of 8 bits. Pillow alone would cut 16 bits of grey off at 255, instead of scaling them."""
    if image.mode in SIXTEEN_BITS or image.mode == "I":
        image = image.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L")
    return image.convert("RGB")


def pillow(data: bytes) -> Image.Image:
    with header(data) as image:
        return eight_bits(image)


def torchvision(data: bytes) -> Tensor:
    with header(data) as image:
        if image.format not in NATIVE or image.mode in ("I", *SIXTEEN_BITS):
            return pil_to_tensor(eight_bits(image))
    return decode_image(torch.frombuffer(bytearray(data), dtype=torch.uint8), ImageReadMode.RGB)


DECODERS: dict[str | None, Callable[[bytes], Image.Image | Tensor]] = {None: pillow, "torchvision": torchvision}


def decode(sample: Sample, decoder: str | None = None) -> Image.Image | Tensor:
    """The image as RGB, of Pillow's type or uint8 (3, h, w). Raises UserError when it is missing or damaged."""
    data = read(sample)
    try:
        return DECODERS[decoder](data)
    except Exception as error:  # a decoder has no end of kinds for damaged files
        lines = str(error).strip().splitlines()
        raise UserError(f"image {sample.name} is damaged: {lines[0] if lines else type(error).__name__}") from error
