"""A folder of odd files: both decoders take the same, refuse the same in one line, and agree on the pixels."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor

from replicate.data.config import DataConfig
from replicate.data.decoding import TOLERANCE, decode
from replicate.data.imagenet import imagenet_loaders
from replicate.data.imagenet_files import list_images
from replicate.data.shards import Sample
from replicate.errors import UserError
from tests.helpers.imagenet import sample as shard_sample
from tests.helpers.imagenet import write_tar

RAMP = torch.linspace(0, 255, 64).round().to(torch.uint8).repeat(48, 1)
COLOUR = Image.merge("RGB", [Image.fromarray(part.numpy()) for part in (RAMP, RAMP.flip(1), RAMP.flip(0))])
GREY = Image.fromarray(RAMP.numpy())
DEEP = Image.fromarray((RAMP.to(torch.int32) * 257).to(torch.uint16).numpy())

SOUND: dict[str, Callable[[Path], object]] = {
    "rgb.jpg": COLOUR.save,
    "progressive.jpg": lambda path: COLOUR.save(path, progressive=True),
    "grey.jpeg": GREY.save,
    "cmyk.jpg": COLOUR.convert("CMYK").save,
    "rgb.png": COLOUR.save,
    "grey.png": GREY.save,
    "grey16.png": DEEP.save,
    "rgba.png": COLOUR.convert("RGBA").save,
    "grey_alpha.png": GREY.convert("LA").save,
    "palette.png": COLOUR.quantize(16).save,
    "one_bit.png": GREY.convert("1").save,
    "interlaced.bmp": COLOUR.save,
    "rgb.ppm": COLOUR.save,
    "rgb.tif": COLOUR.save,
    "grey16.tiff": DEEP.save,
    "rgb.webp": lambda path: COLOUR.save(path, lossless=True),
    "one.png": COLOUR.crop((0, 0, 1, 1)).save,
    "named_so.jpg": lambda path: COLOUR.save(path, format="PNG"),
}


def cut(name: str) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        SOUND[name](path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return write


def huge(path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(path)


def moving(path: Path) -> None:
    GREY.save(path, format="GIF", save_all=True, append_images=[GREY.rotate(90)])


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "float.tif": (Image.fromarray((RAMP / 255).numpy()).save, "mode F"),
    "moving.jpg": (moving, "several frames"),
    "moving.webp": (lambda path: COLOUR.save(path, save_all=True, append_images=[GREY.convert("RGB")]), "several"),
    "huge.png": (huge, "pixels"),
    "cut.jpg": (cut("rgb.jpg"), "damaged"),
    "cut.png": (cut("rgb.png"), "damaged"),
    "cut.webp": (cut("rgb.webp"), "damaged"),
    "empty.jpg": (Path.touch, "no image"),
    "page.jpg": (lambda path: path.write_text("<html>404</html>"), "no image"),
    "nowhere.jpg": (lambda path: path.symlink_to("gone"), "cannot be read: No such file"),
    "pipe.jpg": (os.mkfifo, "cannot be read: it is no regular file"),
}


def pixels(path: Path, decoder: str | None) -> Tensor:
    found = decode(Sample(str(path), 0), decoder)
    return found if isinstance(found, Tensor) else pil_to_tensor(found)


@pytest.mark.parametrize("name", SOUND)
def test_both_decoders_give_the_same_pixels(tmp_path: Path, name: str) -> None:
    SOUND[name](tmp_path / name)
    one, other = (pixels(tmp_path / name, decoder) for decoder in (None, "torchvision"))
    assert one.dtype == other.dtype == torch.uint8
    assert one.shape == other.shape
    assert one.shape[0] == 3
    assert int((one.int() - other.int()).abs().max()) <= TOLERANCE


@pytest.mark.parametrize("name", ["grey16.png", "grey16.tiff"])
def test_sixteen_bits_are_scaled(tmp_path: Path, name: str) -> None:
    SOUND[name](tmp_path / name)
    assert torch.equal(pixels(tmp_path / name, None)[0], RAMP)


@pytest.mark.parametrize("decoder", [None, "torchvision"])
@pytest.mark.parametrize("name", REFUSED)
def test_both_decoders_refuse_the_same_in_one_line(tmp_path: Path, name: str, decoder: str | None) -> None:
    write, told = REFUSED[name]
    write(tmp_path / name)
    with pytest.raises(UserError, match=told) as error:
        pixels(tmp_path / name, decoder)
    assert str(tmp_path / name) in str(error.value)
    assert "\n" not in str(error.value)


def folder(root: Path) -> Path:
    """A folder of two classes with odd files in one of them."""
    for part in ("train", "val"):
        for name in ("n00000001", "n00000002"):
            (root / part / name).mkdir(parents=True)
            COLOUR.save(root / part / name / "a.jpg")
    odd = root / "train" / "n00000001"
    (odd / "._a.jpg").write_bytes(b"\x00\x05\x16\x07")
    for name in (".DS_Store", "Thumbs.db", "list.txt"):
        (odd / name).touch()
    return root


def test_resource_forks_and_other_files_are_no_images(tmp_path: Path) -> None:
    found, _ = list_images(folder(tmp_path), "train")
    assert [Path(image.path).name for image in found] == ["a.jpg", "a.jpg"]
    members = shard_sample("s0", 0, b"image")
    write_tar(tmp_path / "shards" / "val-0.tar", [*members, *((f"._{name}", b"fork") for name, _ in members)])
    found, _ = list_images(tmp_path / "shards", "val")
    assert [image.member for image in found] == ["s0.jpg"]


def config(root: Path) -> DataConfig:
    return DataConfig(name="imagenet", root=str(root), size=32)


def test_a_link_to_nowhere_is_named_before_anything_is_trained(tmp_path: Path) -> None:
    (folder(tmp_path) / "val" / "n00000001" / "b.jpg").symlink_to("gone")
    with pytest.raises(UserError, match=r"b\.jpg cannot be read: No such file"):
        imagenet_loaders(config(tmp_path), 2)


def test_a_damaged_file_is_one_line_also_from_a_worker(tmp_path: Path) -> None:
    (folder(tmp_path) / "val" / "n00000001" / "a.jpg").write_bytes(b"")
    with pytest.raises(UserError) as error:
        list(imagenet_loaders(config(tmp_path), 2, workers=1).test)
    assert str(error.value).startswith("image ")
    assert "\n" not in str(error.value)
