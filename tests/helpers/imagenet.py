"""A small ImageNet as folders, the same as shards, and what its loaders give."""

import io
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from replicate.data.imagenet import ImageNetLoaders

CLASSES = ("n01440764", "n01443537", "n01484850")
PARTS = (("train", 5), ("val", 2))


def write_folder(root: Path) -> Path:
    """Three classes of five training and two test images, wide and tall; each class has its own colour."""
    noise = np.random.default_rng(0)
    for part, count in PARTS:
        for label, name in enumerate(CLASSES):
            (root / part / name).mkdir(parents=True)
            for index in range(count):
                shape = (40, 56, 3) if index % 2 else (56, 40, 3)
                image = noise.integers(0, 60, shape, dtype=np.uint8)
                image[:, :, label] += 180
                Image.fromarray(image).save(root / part / name / f"{name}_{index}.JPEG")
    return root


def write_tar(path: Path, members: Iterable[tuple[str, bytes]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def sample(key: str, label: int, data: bytes) -> list[tuple[str, bytes]]:
    """The members that webdataset writes for one image, and one that it also allows."""
    return [(f"{key}.cls", str(label).encode()), (f"{key}.jpg", data), (f"{key}.json", b"{}")]


def write_shards(folder: Path, names: Mapping[str, str], per_shard: int = 4) -> None:
    """The images of `folder` in a shuffled order, `names` being part -> path of a shard with {} for its number."""
    for part, name in names.items():
        files = sorted((folder / part).glob("*/*"))
        order = np.random.default_rng(1).permutation(len(files)).tolist()
        for number, first in enumerate(range(0, len(files), per_shard)):
            chosen: Sequence[Path] = [files[place] for place in order[first : first + per_shard]]
            members = [
                member
                for file in chosen
                for member in sample(file.stem, CLASSES.index(file.parent.name), file.read_bytes())
            ]
            write_tar(Path(name.format(number)), members)


def epoch_of(loaders: ImageNetLoaders, epoch: int = 0, batch: int = 0) -> list[Tensor]:
    """Images and labels of each batch, one after the other."""
    return [tensor for images_and_labels in loaders.train.batches(epoch, batch) for tensor in images_and_labels]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))
