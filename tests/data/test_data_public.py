"""The public sets, from small generated files in the formats of their makers; the lists of checksums are replaced."""

import hashlib
import pickle
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import savemat
from torchvision.datasets import CIFAR10, CIFAR100, SVHN, FashionMNIST

from replicate.data import DataConfig, load, public
from replicate.errors import UserError

Pixels = np.ndarray
Writer = Callable[[Path, pytest.MonkeyPatch], tuple[Pixels, Pixels]]
"""Writes a set below a folder and returns its training and test images, (n, c, h, w)."""


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def pixels(seed: int, *shape: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def write_pickle(path: Path, content: dict[str, Any]) -> tuple[str, str]:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))
    return path.name, md5(path)


def write_cifar10(root: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Pixels, Pixels]:
    folder, images = root / CIFAR10.base_folder, pixels(0, 6, 20, 3, 32, 32)
    labels = [index % 10 for index in range(20)]
    batches = [
        write_pickle(folder / name, {"data": part.reshape(20, -1), "labels": labels})
        for name, part in zip([*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"], images, strict=True)
    ]
    _, meta = write_pickle(folder / "batches.meta", {"label_names": list("abcdefghij")})
    monkeypatch.setattr(CIFAR10, "train_list", batches[:5])
    monkeypatch.setattr(CIFAR10, "test_list", batches[5:])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": meta})
    return images[:5].reshape(-1, 3, 32, 32), images[5]


def write_cifar100(root: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Pixels, Pixels]:
    folder, images = root / CIFAR100.base_folder, pixels(1, 2, 200, 3, 32, 32)
    fine = [index % 100 for index in range(200)]
    batches = [
        write_pickle(folder / name, {"data": part.reshape(200, -1), "fine_labels": fine, "coarse_labels": [0] * 200})
        for name, part in zip(["train", "test"], images, strict=True)
    ]
    _, meta = write_pickle(folder / "meta", {"fine_label_names": [str(label) for label in range(100)]})
    monkeypatch.setattr(CIFAR100, "train_list", batches[:1])
    monkeypatch.setattr(CIFAR100, "test_list", batches[1:])
    monkeypatch.setattr(CIFAR100, "meta", {**CIFAR100.meta, "md5": meta})
    return images[0], images[1]


def write_svhn(root: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Pixels, Pixels]:
    sets, listed = {}, {}
    for seed, split in enumerate(("train", "extra", "test")):
        sets[split] = pixels(seed, 20, 3, 32, 32)
        path = root / f"{split}_32x32.mat"
        digits = np.array([[index % 10 or 10] for index in range(20)], dtype=np.uint8)  # the files call 0 "10"
        savemat(path, {"X": sets[split].transpose(2, 3, 1, 0), "y": digits})
        listed[split] = ["", path.name, md5(path)]
    monkeypatch.setattr(SVHN, "split_list", listed)
    return np.concatenate([sets["train"], sets["extra"]]), sets["test"]


def write_grey(folder_name: str, sums: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Pixels, Pixels]:
    folder = root / folder_name / "raw"
    folder.mkdir(parents=True)
    images = pixels(3, 2, 20, 28, 28)
    for part, prefix in zip(images, ("train", "t10k"), strict=True):
        labels = bytes(index % 10 for index in range(20))
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(struct.pack(">4i", 0x803, 20, 28, 28) + part.tobytes())
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 0x801, 20) + labels)
    monkeypatch.setattr(public, sums, {path.name: md5(path) for path in folder.iterdir()})
    return images[0][:, None], images[1][:, None]


write_fashion_mnist = partial(write_grey, "FashionMNIST", "FASHION_MNIST_MD5")
write_mnist = partial(write_grey, "MNIST", "MNIST_MD5")


WRITERS: dict[str, Writer] = {
    "cifar10": write_cifar10,
    "cifar100": write_cifar100,
    "fashion_mnist": write_fashion_mnist,
    "mnist": write_mnist,
    "svhn_extra": write_svhn,
}


@pytest.mark.parametrize("name", WRITERS)
def test_files_are_read_as_their_makers_wrote_them(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = WRITERS[name](tmp_path, monkeypatch)
    splits = load(DataConfig(name=name, root=str(tmp_path)))
    assert np.array_equal(splits.train.images.numpy(), train)
    assert np.array_equal(splits.test.images.numpy(), test)
    assert splits.test.labels.tolist() == [index % splits.classes for index in range(len(test))]
    assert splits.train.labels.bincount().tolist() == [len(train) // splits.classes] * splits.classes
    assert splits.train.images.dtype == torch.uint8
    assert splits.train.images.is_contiguous()


def test_svhn_without_its_extra_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both, _ = write_svhn(tmp_path, monkeypatch)
    (tmp_path / "extra_32x32.mat").unlink()
    assert np.array_equal(load(DataConfig(name="svhn", root=str(tmp_path))).train.images.numpy(), both[:20])


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "fashion_mnist", "mnist", "svhn", "svhn_extra"])
def test_missing_files_name_the_folder_and_the_setting(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"{tmp_path}.* is missing: set data\.download=true") as error:
        load(DataConfig(name=name, root=str(tmp_path)))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", WRITERS)
def test_one_changed_bit_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    WRITERS[name](tmp_path, monkeypatch)
    largest = max((path for path in tmp_path.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[-1] ^= 1
    largest.write_bytes(content)
    with pytest.raises(UserError, match=rf"{largest} has md5 {md5(largest)}, expected \w{{32}}: "):
        load(DataConfig(name=name, root=str(tmp_path)))


def test_nothing_is_downloaded_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar10(tmp_path, monkeypatch)

    def download(self: Any) -> None:
        raise OSError("no network")

    monkeypatch.setattr(CIFAR10, "download", download)
    load(DataConfig(name="cifar10", root=str(tmp_path)))
    with pytest.raises(UserError, match=rf"downloading cifar10 into {tmp_path} failed: no network"):
        load(DataConfig(name="cifar10", root=str(tmp_path), download=True))


def test_download_goes_to_the_folder_and_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(self: Any) -> None:
        if not (Path(self.root) / "FashionMNIST").exists():
            with monkeypatch.context() as discarded:
                write_fashion_mnist(Path(self.root), discarded)  # files that do not have the sums of the real ones

    monkeypatch.setattr(FashionMNIST, "download", download)
    monkeypatch.setattr(FashionMNIST, "_check_exists", lambda self: True)
    with pytest.raises(UserError, match="expected f4a8712d7a061bf5bd6d2ca38dc4d50a"):
        load(DataConfig(name="fashion_mnist", root=str(tmp_path / "new"), download=True))


def test_folder_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLICATE_DATA", str(tmp_path))
    assert public.data_folder(DataConfig(name="svhn")) == tmp_path
    assert public.data_folder(DataConfig(name="svhn", root="/elsewhere")) == Path("/elsewhere")
    monkeypatch.delenv("REPLICATE_DATA")
    assert public.data_folder(DataConfig(name="svhn")) == Path.home() / ".cache" / "replicate"
