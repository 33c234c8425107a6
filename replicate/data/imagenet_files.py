"""Where ImageNet's images are: ROOT/train and ROOT/val with a folder for each class, or tar shards of both.

The classes' folders have WordNet names (n01440764, ...). They may be spread over several folders: train/0/n01440764.
"""

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torchvision.datasets import ImageFolder
from torchvision.datasets.folder import IMG_EXTENSIONS, has_file_allowed_extension

from replicate.data.config import DataConfig
from replicate.data.shards import NAMES, Sample, find_shards, list_shards
from replicate.errors import UserError

WORDNET = "n" + 8 * "[0-9]"


def imagenet_root(config: DataConfig, parts: Iterable[str] = tuple(NAMES)) -> Path:
    """`data.root`, or else the environment's REPLICATE_IMAGENET. Raises UserError unless it has all `parts`."""
    root = config.root or os.environ.get("REPLICATE_IMAGENET")
    wanted = "set data.root (or REPLICATE_IMAGENET) to a folder with train/<class>/*.JPEG and val/<class>/*.JPEG"
    if not root:
        raise UserError(f"no ImageNet folder is named: {wanted}, or with tar shards")
    folder = Path(root).expanduser()
    for part in parts:
        if not find_shards(folder, part) and not (folder / part).is_dir():
            raise UserError(f"{folder} has no folder {part} and no shards {part}-000000.tar: {wanted}")
    return folder


def list_images(root: Path, part: str) -> tuple[list[Sample], list[str]]:
    """The images of `part` (train or val) with their labels, by class and name, and the classes. Raises UserError."""
    shards, folder = find_shards(root, part), root / part
    if not shards:
        return list_folders(class_parents(folder))
    if any(folder.glob("*/")):
        raise UserError(f"{root} has shards of {part}, as {shards[0].name}, and folders in {part}: keep one of the two")
    return list_shards(shards)


def class_parents(folder: Path) -> list[Path]:
    """`folder` if the classes' folders are in it, or else the folders in it that they are spread over."""
    if any(folder.glob(WORDNET)):
        return [folder]
    return sorted({found.parent for found in folder.glob(f"*/{WORDNET}")}) or [folder]


def list_folders(parents: Sequence[Path]) -> tuple[list[Sample], list[str]]:
    """The files in the class folders of `parents`, sorted by class and name as if all were in one folder."""
    found = [(parent, opened(parent)) for parent in parents]
    classes = sorted({name for _, images in found for name in images.classes})
    labels = {name: label for label, name in enumerate(classes)}
    placed = [
        (labels[images.classes[label]], *os.path.split(path.removeprefix(str(parent))), path)
        for parent, images in found
        for path, label in images.samples
    ]
    return [Sample(path, label) for label, _, _, path in sorted(placed)], classes


def opened(folder: Path) -> ImageFolder:
    try:
        return ImageFolder(folder, is_valid_file=is_image)
    except FileNotFoundError as error:
        raise UserError(f"{folder} is not laid out as <class>/*.JPEG: {error}") from error
    except OSError as error:
        raise UserError(f"cannot list {error.filename or folder}: {error.strerror}") from error


def is_image(path: str) -> bool:
    """Whether a file counts as an image, by its name; `._x.jpg` is what macOS puts beside x.jpg."""
    return has_file_allowed_extension(path, IMG_EXTENSIONS) and not os.path.basename(path).startswith("._")


def fingerprint(folder: Path, samples: list[Sample]) -> str:
    """SHA-256 over the names and sizes of the images: reading all of ImageNet for it would take an hour.

    Images in shards add their classes, but not the shards: cut in another way, they are the same images.
    """
    lines = "".join(f"{line(folder, sample)}\n" for sample in samples)
    return hashlib.sha256(lines.encode(errors="surrogateescape")).hexdigest()


def line(folder: Path, sample: Sample) -> str:
    if sample.member is not None:
        return f"{sample.label} {sample.member} {sample.size}"
    try:
        size = os.path.getsize(sample.path)
    except OSError as error:
        raise UserError(f"image {sample.name} cannot be read: {error.strerror}") from error
    return f"{Path(sample.path).relative_to(folder).as_posix()} {size}"


def labels_of(samples: list[Sample]) -> Tensor:
    """The labels alone: int64 (n,)."""
    return torch.tensor([sample.label for sample in samples])


def check_classes(train: list[str], val: list[str]) -> None:
    """Raise UserError unless train and val have the same classes: their order gives the labels."""
    if train != val:
        raise UserError(f"ImageNet needs the same classes in train ({counted(train)}) and val ({counted(val)})")


def counted(classes: list[str]) -> str:
    return f"{len(classes)} found, from {classes[0]} to {classes[-1]}"
