"""The ImageNet loaders on a small generated folder of JPEG files, and the papers' augmentations."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from replicate.data import DataConfig
from replicate.data.config import Normalisation
from replicate.data.decoding import decode
from replicate.data.epochs import Share
from replicate.data.imagenet import ImageNetLoaders, imagenet_loaders, transforms
from replicate.data.imagenet_augment import (
    CHANNEL_MEAN,
    CHANNEL_STD,
    IMAGENET_AUGMENTATIONS,
    PCA_SCALES,
    PCA_VECTORS,
    Lighting,
    centre_crop,
    ten_crop,
)
from replicate.data.imagenet_files import imagenet_root, list_images
from replicate.data.loaders import check_data
from replicate.data.loaders import make_loaders as open_loaders
from replicate.errors import UserError
from replicate.runs.progress import describe, read_progress
from replicate.runs.store import RunStore
from replicate.sweep.launch import run_experiment
from tests.helpers.imagenet import CLASSES, epoch_of, same, write_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("imagenet"))


def make_loaders(folder: Path, seed: int = 0, workers: int = 0, validation: int = 0) -> ImageNetLoaders:
    config = DataConfig(
        name="imagenet", root=str(folder), size=32, augmentation="scale_aspect_colour", validation=validation
    )
    return imagenet_loaders(config, 4, seed=seed, workers=workers)


def test_parts_of_the_folder(folder: Path) -> None:
    loaders = make_loaders(folder, validation=3)
    assert loaders.validation is not None
    assert [loader.plan.images for loader in (loaders.train, loaders.validation, loaders.test)] == [12, 3, 6]
    images, labels = (torch.cat(tensors) for tensors in zip(*loaders.test, strict=True))
    assert images.shape == (6, 3, 32, 32)
    assert labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert torch.equal(images.mean((2, 3)).argmax(1), labels)  # each class keeps its colour
    files = [set(loader.images.samples) for loader in (loaders.train, loaders.validation)]
    assert not files[0] & files[1]


def test_test_images_are_the_centre_crops(folder: Path) -> None:
    images, _ = next(iter(make_loaders(folder).test))
    with Image.open(folder / "val" / CLASSES[0] / f"{CLASSES[0]}_0.JPEG") as file:
        scaled = v2.functional.center_crop(v2.functional.resize(file.convert("RGB"), [37]), [32])  # 32 * 256 / 224
    wanted = v2.functional.normalize(
        torch.from_numpy(np.array(scaled)).permute(2, 0, 1) / 255, list(CHANNEL_MEAN), list(CHANNEL_STD)
    )
    torch.testing.assert_close(images[0], wanted)


def test_order_and_augmentation_follow_from_seed_and_epoch(folder: Path) -> None:
    first = epoch_of(make_loaders(folder), 1)
    assert same(first, epoch_of(make_loaders(folder), 1))
    assert not same(first, epoch_of(make_loaders(folder), 2))
    assert not same(first, epoch_of(make_loaders(folder, seed=1), 1))
    assert sorted(torch.cat(first[1::2]).tolist()) == [label for label in range(3) for _ in range(5)]


def test_each_epoch_draws_anew_for_each_image(folder: Path) -> None:
    images = make_loaders(folder).train.images
    keys = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    draws = [images[key][0] for key in keys]
    assert torch.equal(images[keys[0]][0], draws[0])
    assert not torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[3])  # shown again in the same epoch
    images.samples[1] = images.samples[0]
    assert not torch.equal(draws[0], images[0, 1, 0][0])  # the same file in another place


def test_number_of_workers_changes_nothing(folder: Path) -> None:
    assert same(epoch_of(make_loaders(folder, workers=2), 1), epoch_of(make_loaders(folder), 1))


def test_the_common_door_opens_imagenet(folder: Path) -> None:
    config = DataConfig(name="imagenet", root=str(folder), size=32, augmentation="scale_aspect_colour")
    check_data(config)
    loaders = open_loaders(config, 4, 0, torch.device("cpu"), channels_last=False)
    assert same([tensor for batch in loaders.train for tensor in batch], epoch_of(make_loaders(folder)))
    with pytest.raises(UserError, match=r"no folder train"):
        check_data(DataConfig(name="imagenet", root=str(folder / "val")))


def test_an_epoch_is_entered_at_any_batch(folder: Path) -> None:
    loaders = make_loaders(folder)
    whole = epoch_of(loaders, 1)
    assert len(loaders.train) == 4
    assert same(epoch_of(make_loaders(folder), 1, batch=2), whole[4:])


def test_two_devices_share_the_images_of_one(folder: Path) -> None:
    config = DataConfig(name="imagenet", root=str(folder), size=32, augmentation="scale_aspect_colour")
    whole, *shares = [imagenet_loaders(config, 4, share=share) for share in (Share(2), Share(2, 2, 0), Share(2, 2, 1))]
    both = zip(*(loaders.train for loaders in shares), strict=True)
    assert same(epoch_of(whole), [tensor for batches in both for batch in batches for tensor in batch])


def test_global_generator_is_neither_read_nor_moved(folder: Path) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    batches = epoch_of(make_loaders(folder))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert same(epoch_of(make_loaders(folder)), batches)


def test_fingerprint_sees_other_files(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert make_loaders(copy).checksum == make_loaders(folder).checksum
    (copy / "val" / CLASSES[0] / f"{CLASSES[0]}_1.JPEG").unlink()
    assert make_loaders(copy).checksum != make_loaders(folder).checksum


@pytest.mark.parametrize("name", IMAGENET_AUGMENTATIONS)
def test_augmentations_give_crops_of_the_size_asked_for(name: str) -> None:
    augmentation = IMAGENET_AUGMENTATIONS[name]
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8))
    crop = v2.Compose(augmentation.steps(48))(picture)
    assert (crop.shape, crop.dtype) == ((3, 48, 48), torch.float32)
    assert -1 < crop.min() < crop.max() < 2
    assert augmentation.description


def test_shorter_side_is_uniform_over_its_range() -> None:
    steps = IMAGENET_AUGMENTATIONS["shorter_side_256_480"].steps(224)
    torch.manual_seed(0)
    sides = [min(steps[0](Image.new("L", (30, 20))).size) for _ in range(400)]
    assert 256 <= min(sides) < 262
    assert 474 < max(sides) <= 480
    assert abs(sum(sides) / 400 - 368) < 4 * 65 / 20  # uniform: deviation 65, four standard errors


def test_alexnet_cuts_from_the_central_square() -> None:
    steps = IMAGENET_AUGMENTATIONS["alexnet"].steps(224)
    assert v2.Compose(steps[:2])(Image.new("RGB", (100, 50))).size == (256, 256)


def test_lighting_moves_all_pixels_along_the_principal_components() -> None:
    torch.manual_seed(0)
    image = torch.rand(3, 4, 4)
    shifts = torch.stack([(Lighting()(image) - image) for _ in range(4000)])
    assert torch.allclose(shifts, shifts[:, :, :1, :1].expand_as(shifts), atol=1e-6)
    along = shifts[:, :, 0, 0] @ torch.tensor(PCA_VECTORS)
    torch.testing.assert_close(along.std(0), 0.1 * torch.tensor(PCA_SCALES), rtol=0.05, atol=0)
    torch.testing.assert_close(torch.corrcoef(along.T), torch.eye(3), rtol=0, atol=0.06)  # each draws its own multiple


@pytest.mark.parametrize(
    ("normalisation", "grey"),
    [("channel", (0.5 - 0.485) / 0.229), ("channel_mean", 127.5 - 255 * 0.485), ("unit", 0.5), ("inception", 0.0)],
)
def test_normalisations(normalisation: Normalisation, grey: float) -> None:
    _, plain = transforms(DataConfig(name="imagenet", normalisation=normalisation))
    assert plain[-1](torch.full((3, 2, 2), 0.5))[0, 0, 0].item() == pytest.approx(grey, rel=1e-4)


@pytest.mark.parametrize("name", sorted(IMAGENET_AUGMENTATIONS.keys() - {"inception"}))
def test_augmentations_of_torchvisions_images_are_those_of_pillows(folder: Path, name: str) -> None:
    """But for the resize's rounding: each draws the same crop, mirror and colours."""
    [*_, image], _ = list_images(folder, "train")
    crops = []
    for decoder in (None, "torchvision"):
        torch.manual_seed(3)
        crops.append(v2.Compose(IMAGENET_AUGMENTATIONS[name].steps(48))(decode(image, decoder)))
    assert (crops[0] - crops[1]).abs().mean() < 0.01


def test_torchvisions_decoder_differs_by_the_rounding_of_the_resize(folder: Path) -> None:
    fields = {"name": "imagenet", "root": str(folder), "size": 32, "normalisation": "unit"}
    plain, fast = (
        imagenet_loaders(DataConfig.model_validate({**fields, "decoder": decoder}), 4, workers=0)
        for decoder in (None, "torchvision")
    )
    for (images, labels), (others, same_labels) in zip(plain.test, fast.test, strict=True):
        assert torch.equal(labels, same_labels)
        assert 0 < (images - others).abs().max() < 1.5 / 255
    with pytest.raises(UserError, match=r"box filter, which only Pillow has: data\.decoder=null"):
        transforms(DataConfig(name="imagenet", decoder="torchvision", augmentation="inception"))


def test_a_run_tells_and_records_its_images_per_second(folder: Path, workdir: Path) -> None:
    """21 batches: the speed is told for every 20."""
    data = {"name": "imagenet", "root": folder, "size": 32, "augmentation": "scale_aspect", "decoder": "torchvision"}
    words = [f"data.{key}={value}" for key, value in {**data, "train_images": "null", "test_images": "null"}.items()]
    words += ["recipe.batch_size=2", "recipe.epochs=3", "scale=smoke", "launcher=inline", "variant=A"]
    sweep = run_experiment("resnet_shortcuts", words, quiet=True)
    [run], [record] = sweep.runs, sweep.records
    progress = read_progress(RunStore(sweep.experiment.runs_dir).folder(run.id))
    assert record.timing.images_per_second
    assert record.config["data"]["decoder"] == "torchvision"
    assert progress is not None
    assert f"{progress.images_per_second:.0f} images/s" in describe(progress)


def test_mean_image_is_refused() -> None:
    with pytest.raises(UserError, match="channel_mean is nearest"):
        transforms(DataConfig(name="imagenet", normalisation="mean_image"))


@pytest.mark.parametrize(("size", "resize", "side"), [(224, None, 256), (299, None, 342), (320, 320, 320)])
def test_test_resolution(size: int, resize: int | None, side: int) -> None:
    steps = centre_crop(size, resize)
    assert steps[0](Image.new("RGB", (30, 20))).size[1] == side
    assert v2.Compose(steps)(Image.new("RGB", (30, 20))).shape == (3, size, size)


def test_ten_crops_are_corners_centre_and_their_mirror_images() -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8))
    crops = v2.Compose(ten_crop(14, 20))(picture)
    whole = torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255
    corners = [(0, 0), (0, 16), (6, 0), (6, 16), (3, 8)]
    torch.testing.assert_close(crops[:5], torch.stack([whole[:, y : y + 14, x : x + 14] for y, x in corners]))
    assert torch.equal(crops[5:], crops[[1, 0, 3, 2, 4]].flip(3))  # the corners of the mirrored image
    _, plain = transforms(DataConfig(name="imagenet", size=14, test_resize=20, test_crops=10))
    torch.testing.assert_close(v2.Compose(plain)(picture), plain[-1](crops))


def test_crops_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UserError, match=r"data\.size=299 does not fit"):
        transforms(DataConfig(name="imagenet", size=299, augmentation="alexnet"))
    with pytest.raises(UserError, match=r"data\.test_resize=256"):
        transforms(DataConfig(name="imagenet", test_size=320, test_resize=256))


def test_folder_must_be_named_and_laid_out(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REPLICATE_IMAGENET", raising=False)
    with pytest.raises(UserError, match=r"no ImageNet folder is named: set data\.root \(or REPLICATE_IMAGENET\)"):
        imagenet_root(DataConfig(name="imagenet"))
    monkeypatch.setenv("REPLICATE_IMAGENET", str(folder))
    assert imagenet_root(DataConfig(name="imagenet")) == folder
    with pytest.raises(UserError, match=rf"{tmp_path} has no folder train and no shards train-0+\.tar: set data"):
        imagenet_root(DataConfig(name="imagenet", root=str(tmp_path)))


def test_class_folders_must_agree(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    shutil.rmtree(copy / "val" / CLASSES[1])
    with pytest.raises(UserError, match=r"in train \(3 found, .*\) and val \(2 found, from n01440764 to n01484850\)"):
        make_loaders(copy)
    shutil.rmtree(copy / "val")
    (copy / "val").mkdir()
    with pytest.raises(UserError, match=r"val is not laid out as <class>/\*\.JPEG"):
        make_loaders(copy)
