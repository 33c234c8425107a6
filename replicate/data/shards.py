"""Tar shards as webdataset writes them: KEY.jpg and KEY.cls, the number of its class. Read at any place, not streamed.

A shard's headers say where each image is, so an image of a shard is read like a file, in any order. Nothing is
unpacked. Layout: webdataset, "The WebDataset Format", whose key ends at the first dot of the file's name.
"""

import os
import re
import stat
import tarfile
from pathlib import Path
from typing import BinaryIO, NamedTuple

from torchvision.datasets.folder import IMG_EXTENSIONS

from replicate.data.names import IMAGENET, SHAPES
from replicate.errors import UserError

NAMES = {"train": "train", "val": "val(?:idation)?"}
"""Patterns in the names of shards: train-000000.tar, imagenet-val-000000.tar, imagenet1k-validation-00.tar."""


class Sample(NamedTuple):
    """An image that is not read yet: a whole file, or `size` bytes of a shard from `offset` on."""

    path: str
    label: int
    member: str | None = None
    offset: int = 0
    size: int = -1

    @property
    def name(self) -> str:
        """The file, and the image in it, for messages."""
        return self.path if self.member is None else f"{self.path}, {self.member}"


def read(sample: Sample) -> bytes:
    """The bytes of the image as stored. Raises UserError when they are gone."""
    try:
        descriptor = os.open(sample.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would block for ever
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UserError(f"image {sample.name} cannot be read: it is no regular file")
            file.seek(sample.offset)
            data = file.read(sample.size)
    except OSError as error:
        raise UserError(f"image {sample.name} cannot be read: {error.strerror}") from error
    if len(data) < sample.size:
        raise UserError(f"image {sample.name} cannot be read: the shard was cut off after {sample.offset} bytes")
    return data


def find_shards(root: Path, part: str) -> list[Path]:
    """ROOT/train/*.tar or ROOT/*train-NUMBER.tar, by name; `part` is a key of NAMES. Raises UserError.

    Their names may differ only in the number, and no number between the first and the last may be missing: a set that
    was not copied completely would train on fewer images.
    """
    name = re.compile(rf"(.*[-_])?{NAMES[part]}[-_]\d+\.tar")
    inside = sorted((root / part).glob("*.tar"))
    beside = sorted(path for path in root.glob("*.tar") if name.fullmatch(path.name))
    if inside and beside:
        raise UserError(f"{root} has shards of {part} twice: {beside[0].name} and {part}/{inside[0].name}")
    check_numbers(inside or beside)
    return inside or beside


def check_numbers(shards: list[Path]) -> None:
    """Raise UserError unless the shards are one numbered set without a gap."""
    numbers: dict[str, set[int]] = {}
    for path in shards:
        stem = path.stem.rstrip("0123456789")
        numbers.setdefault(stem, set()).add(int(path.stem.removeprefix(stem) or 0))
    if len(numbers) > 1:
        raise UserError(f"{shards[0].parent} has several sets of shards: {', '.join(f'{stem}*' for stem in numbers)}")
    for stem, found in numbers.items():
        for number in found - {min(found)} - {number + 1 for number in found}:
            raise UserError(f"{shards[0].parent}: {stem}*.tar has number {number}, but number {number - 1} is missing")


def list_shards(shards: list[Path]) -> tuple[list[Sample], list[str]]:
    """The images of all shards by class, name and shard, as ImageFolder lists files, and the classes' numbers.

    Raises UserError, also for a class between 0 and the last without an image.
    """
    samples = [sample for path in shards for sample in shard_images(path)]
    samples.sort(key=lambda sample: (sample.label, sample.member, sample.path))
    found = {sample.label for sample in samples}
    if not found:
        raise UserError(f"{shards[0].parent}: {len(shards)} shards have no image")
    for label in set(range(max(found))) - found:
        raise UserError(f"{shards[0].parent}: {len(shards)} shards have no image of class {label}")
    return samples, [str(label) for label in sorted(found)]


def shard_images(path: Path) -> list[Sample]:
    """The images of one shard. Raises UserError if it is damaged or has an image without a class, or the reverse."""
    try:
        with path.open("rb") as file:
            images, labels = read_headers(file)
    except (OSError, tarfile.TarError, ValueError) as error:
        raise UserError(f"{path} is damaged: {error}") from error
    for key in sorted(images.keys() ^ labels.keys()):
        lacking, there = ("class", f"{key}.cls") if key in images else ("image", f"{key}.jpg")
        raise UserError(f"{path}: '{key}' has no {lacking}: {there} is missing")
    where, shard = images.items(), str(path)
    return [Sample(shard, labels[key], item.name, item.offset_data, item.size) for key, item in where]


def read_headers(file: BinaryIO) -> tuple[dict[str, tarfile.TarInfo], dict[str, int]]:
    """Key -> image and key -> class of an open shard. Raises ValueError or tarfile.TarError if it is damaged."""
    images: dict[str, tarfile.TarInfo] = {}
    labels: dict[str, int] = {}
    with tarfile.open(fileobj=file, mode="r:") as tar:
        for member in filter(tarfile.TarInfo.isreg, tar):
            key, kind = key_and_kind(member.name)
            if kind not in IMG_EXTENSIONS and kind != ".cls":
                continue
            if key in (labels if kind == ".cls" else images):
                raise ValueError(f"'{key}' occurs twice")
            if kind == ".cls":
                file.seek(member.offset_data)
                labels[key] = class_number(member.name, file.read(min(member.size, 20)))
            else:
                images[key] = member
        file.seek(tar.offset)
        if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):  # to tarfile a damaged header is the end
            raise ValueError(f"neither a file nor the end of the archive begins at byte {tar.offset}")
    return images, labels


def key_and_kind(name: str) -> tuple[str, str]:
    """`n01440764/n01440764_18.JPEG` as `n01440764/n01440764_18` and `.jpeg`: the kind begins at the first dot."""
    folder, slash, file = name.rpartition("/")
    stem, dot, kind = file.partition(".")
    return f"{folder}{slash}{stem}", f"{dot}{kind}".lower()


def class_number(name: str, text: bytes) -> int:
    """The number in a .cls. Raises ValueError unless ImageNet has such a class."""
    classes = SHAPES[IMAGENET].classes
    if not text.strip().isdigit() or int(text) >= classes:
        raise ValueError(f"{name} has no class number of 0 ... {classes - 1}: {text.decode(errors='replace')!r}")
    return int(text)
