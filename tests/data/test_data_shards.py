"""ImageNet in tar shards and in folders that are spread: the batches of the plain folder, bit for bit."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from replicate.data import DataConfig
from replicate.data.decoding import decode
from replicate.data.imagenet import ImageNetLoaders, imagenet_loaders
from replicate.data.imagenet_files import imagenet_root, list_images
from replicate.data.loaders import check_data
from replicate.data.shards import find_shards, read
from replicate.errors import UserError
from replicate.evaluation.protocol import Evaluation, Protocol
from replicate.evaluation.stream import make_feed
from tests.helpers.imagenet import CLASSES, epoch_of, same, sample, write_folder, write_shards, write_tar

LAYOUTS = {
    "train-000000.tar": {"train": "train-{:06}.tar", "val": "val-{:06}.tar"},
    "imagenet1k-train-0000.tar": {"train": "imagenet1k-train-{:04}.tar", "val": "imagenet1k-validation-{:02}.tar"},
    "train/0.tar": {"train": "train/{}.tar", "val": "val/{}.tar"},
}
"""Their names in webdataset's example, timm and CLIP benchmark."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("imagenet"))


@pytest.fixture
def shards(folder: Path, tmp_path: Path) -> Path:
    write_shards(folder, {part: f"{tmp_path}/{part}-{{:06}}.tar" for part in ("train", "val")})
    return tmp_path


def config(root: Path, **fields: object) -> DataConfig:
    fields = {"size": 32, "augmentation": "scale_aspect_colour", "validation": 3, **fields}
    return DataConfig.model_validate({"name": "imagenet", "root": str(root), **fields})


def open_loaders(root: Path, workers: int = 0, **fields: object) -> ImageNetLoaders:
    return imagenet_loaders(config(root, **fields), 4, workers=workers)


def everything(loaders: ImageNetLoaders) -> list[torch.Tensor]:
    assert loaders.validation is not None
    rest = [tensor for loader in (loaders.validation, loaders.test) for batch in loader for tensor in batch]
    return [*epoch_of(loaders, 1), *rest]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_shards_give_the_batches_of_the_folder_that_they_were_made_from(
    folder: Path, tmp_path: Path, layout: str
) -> None:
    write_shards(folder, {part: f"{tmp_path}/{name}" for part, name in LAYOUTS[layout].items()})
    check_data(config(tmp_path))
    assert (tmp_path / layout).is_file()
    assert len(find_shards(tmp_path, "train")) == 4
    assert same(everything(open_loaders(tmp_path)), everything(open_loaders(folder)))
    few = {"train_images": 6, "test_images": 3}
    assert same(everything(open_loaders(tmp_path, **few)), everything(open_loaders(folder, **few)))


def test_shards_are_entered_at_any_batch_on_any_number_of_workers(folder: Path, shards: Path) -> None:
    whole = epoch_of(open_loaders(folder), 2)
    assert same(epoch_of(open_loaders(shards, workers=2), 2), whole)
    assert same(epoch_of(open_loaders(shards), 2, batch=1), whole[2:])


def test_the_evaluation_reads_shards(
    folder: Path, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in shards.glob("train-*"):
        path.unlink()  # an evaluation needs the shards of val alone
    protocols = (Protocol.model_validate({"crops": "corners", "crop": 32, "scales": [36, 40], "flip": True}),)
    feeds = [make_feed(config(root), Evaluation(protocols=protocols), len(CLASSES), 0) for root in (folder, shards)]
    for one, other in zip(*(feed.batches(0) for feed in feeds), strict=True):
        assert torch.equal(one.labels, other.labels)
        views = [[seen for slot in batch.slots[0] for _, seen in slot] for batch in (one, other)]
        assert same(*views)
    with pytest.raises(UserError, match="has 3 classes and the network 1000"):
        make_feed(config(shards), Evaluation(protocols=protocols), 1000, 0)


def test_the_fingerprint_is_over_images_and_not_over_their_distribution(folder: Path, tmp_path: Path) -> None:
    sums = []
    for name, per_shard in (("few", 4), ("many", 2)):
        write_shards(folder, {part: f"{tmp_path}/{name}/{part}-{{}}.tar" for part in ("train", "val")}, per_shard)
        sums.append(open_loaders(tmp_path / name).checksum)
    assert sums[0] == sums[1]
    val = tmp_path / "few" / "val-1.tar"
    write_tar(val, [*sample("a", 0, b"x"), *sample("b", 1, b"x")])
    assert open_loaders(tmp_path / "few").checksum != sums[0]


def test_class_folders_may_be_spread_over_several_folders(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "val", tmp_path / "val")
    for number, file in enumerate(sorted((folder / "train").glob("*/*"))):
        place = tmp_path / "train" / f"part-{number * 7 % 3}" / file.parent.name
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
    assert list_images(tmp_path, "train")[1] == list(CLASSES)
    assert same(everything(open_loaders(tmp_path)), everything(open_loaders(folder)))


def test_the_key_ends_at_the_first_dot_of_the_files_name(folder: Path, tmp_path: Path) -> None:
    data = next((folder / "val").glob("*/*")).read_bytes()
    members = [("./a.b/x.seg.png", b""), ("./a.b/x.JPEG", data), ("./a.b/x.cls", b"0\n"), ("README.txt", b"")]
    write_tar(tmp_path / "val-0.tar", members)
    [image], classes = list_images(tmp_path, "val")
    assert (image.member, image.label, classes, read(image)) == ("./a.b/x.JPEG", 0, ["0"], data)


Spoil = Callable[[Path], object]


def cut(path: Path, keep: int) -> None:
    path.write_bytes(path.read_bytes()[:keep])


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


IMAGE = b"not looked at before it is decoded"
SPOILS: dict[str, tuple[Spoil, str]] = {
    "a shard of the middle": (
        lambda root: (root / "train-000001.tar").unlink(),
        "has number 2, but number 1 is missing",
    ),
    "all shards of a part": (
        lambda root: [path.unlink() for path in root.glob("val*")],
        "no folder val and no shards val-000000.tar: set data.root",
    ),
    "two sets": (
        lambda root: shutil.copy(root / "val-000000.tar", root / "other-val-000000.tar"),
        "has several sets of shards: other-val-*, val-*",
    ),
    "two places": (
        lambda root: write_tar(root / "val" / "0.tar", []),
        "has shards of val twice: val-000000.tar and val/0.tar",
    ),
    "a folder beside": (lambda root: (root / "val" / CLASSES[0]).mkdir(parents=True), "keep one of the two"),
    "no class": (
        lambda root: write_tar(root / "val-000002.tar", [("k.jpg", IMAGE)]),
        "val-000002.tar: 'k' has no class: k.cls is missing",
    ),
    "no image": (
        lambda root: write_tar(root / "val-000002.tar", [("k.cls", b"0"), ("k.json", b"")]),
        "val-000002.tar: 'k' has no image: k.jpg is missing",
    ),
    "no image at all": (
        lambda root: [write_tar(path, []) for path in root.glob("val*")],
        "2 shards have no image",
    ),
    "class out of range": (
        lambda root: write_tar(root / "val-000002.tar", sample("k", 1000, IMAGE)),
        "k.cls has no class number of 0 ... 999: '1000'",
    ),
    "class in words": (
        lambda root: write_tar(root / "val-000002.tar", [("k.cls", b"n01440764"), ("k.jpg", IMAGE)]),
        "k.cls has no class number of 0 ... 999: 'n01440764'",
    ),
    "class without images": (
        lambda root: write_tar(root / "val-000002.tar", sample("k", 5, IMAGE)),
        "3 shards have no image of class 3",
    ),
    "classes of one part": (
        lambda root: write_tar(root / "val-000002.tar", sample("k", 3, IMAGE)),
        "train (3 found, from 0 to 2) and val (4 found, from 0 to 3)",
    ),
    "twice": (
        lambda root: write_tar(root / "val-000002.tar", [("k.jpg", IMAGE), *sample("k", 0, IMAGE)]),
        "val-000002.tar is damaged: 'k' occurs twice",
    ),
    "no archive": (
        lambda root: (root / "val-000002.tar").write_bytes(IMAGE * 99),
        "val-000002.tar is damaged: ",
    ),
    "cut in an image": (lambda root: cut(root / "train-000001.tar", 2700), "train-000001.tar is damaged: unexpected"),
    "cut after an image": (lambda root: cut(root / "train-000001.tar", 1024), "neither a file nor the end"),
    "a flipped bit in a header": (
        lambda root: flip(root / "train-000001.tar", 1024 + 20),
        "neither a file nor the end",
    ),
}


@pytest.mark.parametrize("spoil", SPOILS)
def test_what_is_wrong_with_shards_is_told_in_a_line(shards: Path, spoil: str) -> None:
    change, said = SPOILS[spoil]
    change(shards)
    with pytest.raises(UserError) as told:
        imagenet_loaders(config(shards), 4, workers=0)
    assert said in str(told.value)
    assert "\n" not in str(told.value)


def test_an_image_that_is_missing_or_damaged_is_told_in_a_line(folder: Path, shards: Path, tmp_path: Path) -> None:
    images, _ = list_images(shards, "train")
    flat, _ = list_images(shutil.copytree(folder, tmp_path / "copy"), "train")
    cut(Path(images[0].path), images[0].offset + images[0].size - 1)
    Path(flat[0].path).unlink()
    cut(Path(flat[1].path), 300)
    Path(flat[2].path).write_bytes(IMAGE)
    told = [
        (images[0], f"{images[0].member} cannot be read: the shard was cut off"),
        (flat[0], f"{flat[0].path} cannot be read: No such file"),
        (flat[1], f"{flat[1].path} is damaged: Truncated"),
        (flat[2], f"{flat[2].path} is damaged: it is no image"),
    ]
    for image, said in told:
        with pytest.raises(UserError) as error:
            decode(image)
        assert said in str(error.value)
    with pytest.raises(UserError, match="is damaged"):
        decode(flat[2], "torchvision")


def test_a_part_may_come_in_shards_and_the_other_in_folders_only_under_one_naming_of_classes(
    folder: Path, shards: Path
) -> None:
    for path in shards.glob("val-*"):
        path.unlink()
    shutil.copytree(folder / "val", shards / "val")
    assert imagenet_root(config(shards)) == shards
    with pytest.raises(UserError, match=r"from 0 to 2\) and val \(3 found, from n01440764"):
        open_loaders(shards)
