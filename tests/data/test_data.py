"""The bundled images, how a set is cut and prepared, and that all randomness is a function of names."""

import importlib.util
import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from replicate.data import DataConfig, augmentation_names, data_names, load, sources
from replicate.data.augment import AUGMENTATIONS
from replicate.data.config import Normalisation
from replicate.data.imagenet_augment import IMAGENET_AUGMENTATIONS
from replicate.data.images import resize
from replicate.data.random import derived_seed, permutation
from replicate.data.splits import DataSplits, ImageSet, Parts, balanced_index, prepare, statistics, validation_index
from replicate.errors import UserError

FULL_SET = Path(os.environ.get("FASHION_MNIST_IDX", "/usr/share/datasets/fashion-mnist"))
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bundled() -> DataSplits:
    return load(DataConfig())


def test_bundled_set_is_balanced(bundled: DataSplits) -> None:
    assert bundled.train.images.shape == (10_000, 1, 28, 28)
    assert bundled.train.images.dtype == torch.uint8
    assert bundled.train.labels.bincount().tolist() == [1000] * 10
    assert bundled.test.labels.bincount().tolist() == [1000] * 10
    assert sources.BUNDLED_FILE.stat().st_size < 10e6
    assert "Zalando" in (sources.BUNDLED_FILE.parent / "LICENSE").read_text()


def test_training_and_test_part_share_no_image(bundled: DataSplits) -> None:
    train, test = ({image.numpy().tobytes() for image in part.images} for part in (bundled.train, bundled.test))
    assert not train & test


def test_damaged_bundled_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray(sources.BUNDLED_FILE.read_bytes())
    content[len(content) // 2] ^= 1
    damaged = tmp_path / "images.npz"
    damaged.write_bytes(content)
    monkeypatch.setattr(sources, "BUNDLED_FILE", damaged)
    with pytest.raises(UserError, match=rf"{damaged} has sha256 \w{{64}}, expected {sources.BUNDLED_SHA256}"):
        load(DataConfig())
    damaged.unlink()
    with pytest.raises(UserError, match=r"images\.npz is missing"):
        load(DataConfig())


@pytest.mark.skipif(not FULL_SET.is_dir(), reason="needs the full Fashion-MNIST (FASHION_MNIST_IDX)")
def test_bundled_file_is_rebuilt_byte_for_byte(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("build", REPOSITORY / "tools" / "build_bundled_images.py")
    assert spec is not None
    assert spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    rebuilt = tmp_path / "rebuilt.npz"
    build.write(build.select(FULL_SET), rebuilt)
    if "ng" in zlib.ZLIB_RUNTIME_VERSION:  # zlib-ng packs the same bytes otherwise
        with np.load(rebuilt) as ours, np.load(sources.BUNDLED_FILE) as kept:
            assert all(np.array_equal(ours[name], kept[name]) for name in kept.files)
    else:
        assert rebuilt.read_bytes() == sources.BUNDLED_FILE.read_bytes()


def test_subset_takes_the_first_images_of_each_class() -> None:
    labels = torch.tensor([2, 0, 0, 1, 2, 1, 0, 2, 1])
    assert balanced_index(labels, 6, 3, "n").tolist() == [0, 1, 2, 3, 4, 5]
    assert balanced_index(labels, 4, 3, "n").tolist() == [0, 1, 2, 3]  # class 0 gives the odd one
    assert balanced_index(labels, None, 3, "n").tolist() == list(range(9))
    with pytest.raises(UserError, match=r"data\.train_images=10 needs 4 images of class 0, which has 3"):
        balanced_index(labels, 10, 3, "data.train_images")


def test_validation_images_leave_the_training_part(bundled: DataSplits) -> None:
    splits = load(DataConfig(validation=500, train_images=1000))
    whole = load(DataConfig(validation=500))
    assert splits.validation is not None
    assert whole.validation is not None
    assert splits.validation.labels.bincount().tolist() == [50] * 10
    assert splits.train.labels.bincount().tolist() == [100] * 10
    assert torch.equal(splits.validation.images, whole.validation.images)  # whatever is kept for training
    together = torch.cat([whole.train.images, whole.validation.images])
    assert multiset(together) == multiset(bundled.train.images)
    assert torch.equal(splits.test.images, bundled.test.images)


def test_validation_images_are_the_same_in_every_release() -> None:
    rest, validation = validation_index(torch.arange(20) % 2, 4, 2)
    assert validation.tolist() == [1, 3, 10, 18]
    assert sorted(rest.tolist() + validation.tolist()) == list(range(20))


def test_something_is_left_to_train_on() -> None:
    with pytest.raises(UserError, match=r"data\.validation=10000 leaves no image to train on"):
        load(DataConfig(validation=10_000))


def multiset(images: Tensor) -> list[bytes]:
    return sorted(image.numpy().tobytes() for image in images)


def parts(train_seed: int, test_seed: int) -> Parts:
    def part(seed: int, count: int) -> ImageSet:
        pixels = torch.randint(0, 256, (count, 3, 6, 6), generator=torch.Generator().manual_seed(seed))
        return ImageSet(pixels.to(torch.uint8), torch.arange(count) % 5)

    return Parts(part(train_seed, 40), part(test_seed, 20), classes=5)


def test_statistics_come_from_the_training_part_alone() -> None:
    config = DataConfig(name="synthetic", validation=10, train_images=20)
    splits, other_test = prepare(parts(0, 1), config), prepare(parts(0, 2), config)
    assert not torch.equal(splits.test.images, other_test.test.images)
    assert torch.equal(splits.mean, other_test.mean)
    assert torch.equal(splits.std, other_test.std)
    assert splits.checksum != other_test.checksum
    pixels = splits.train.images.double()  # 20 images: neither the validation images nor the unused ones
    torch.testing.assert_close(splits.mean.flatten().double(), pixels.mean((0, 2, 3)))
    torch.testing.assert_close(splits.std.flatten().double(), pixels.std((0, 2, 3), correction=0))


@pytest.mark.parametrize(
    ("normalisation", "mean", "std"),
    [
        ("channel", [3, 30], [1, 10]),
        ("channel_mean", [3, 30], [1, 1]),
        ("unit", [0, 0], [255, 255]),
        ("inception", [127.5] * 2, [127.5] * 2),
    ],
)
def test_normalisations(normalisation: Normalisation, mean: list[float], std: list[float]) -> None:
    images = torch.tensor([[[[2, 4]], [[20, 40]]]], dtype=torch.uint8)
    found = statistics(images, normalisation)
    assert [tensor.flatten().tolist() for tensor in found] == [mean, std]


def test_mean_image_has_a_mean_for_each_pixel() -> None:
    images = torch.tensor([[[[0, 10]]], [[[4, 30]]]], dtype=torch.uint8)
    mean, std = statistics(images, "mean_image")
    assert (mean.tolist(), std.tolist()) == ([[[2.0, 20.0]]], [[[1.0]]])


def test_constant_channel_cannot_be_normalised() -> None:
    with pytest.raises(UserError, match="one value only"):
        statistics(torch.full((2, 1, 3, 3), 7, dtype=torch.uint8), "channel")


@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 20), width=st.integers(1, 20), size=st.integers(1, 20), seed=st.integers(0, 99))
def test_resizing_averages_areas(height: int, width: int, size: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (2, 1, height, width), generator=draw).to(torch.uint8)
    fine = images.long().repeat_interleave(size, 2).repeat_interleave(size, 3)  # every pixel size x size times
    sums = fine.view(2, 1, size, height, size, width).sum((3, 5))
    assert torch.equal(resize(images, size).long(), (2 * sums + height * width) // (2 * height * width))


def test_randomness_is_the_same_in_every_process() -> None:
    code = "from replicate.data.random import *; print(derived_seed(3, 'a', 7), permutation(8, 3, 7).tolist())"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.split(maxsplit=1) == [str(derived_seed(3, "a", 7)), f"{permutation(8, 3, 7).tolist()}\n"]
    # written down, since a run that is resumed under another release must see the same images
    assert derived_seed(0, "permutation", 0) == 0x6F1E5976CE596B99
    assert permutation(8, 0, 0).tolist() == [3, 7, 4, 0, 6, 2, 5, 1]


def test_every_name_in_a_stream_counts() -> None:
    streams: list[tuple[int | str, ...]] = [("a", 0), ("a", 1), ("b", 0), ("a", 0, 0), ("a0",), (0, "a")]
    seeds = {derived_seed(seed, *stream) for seed in (0, 1) for stream in streams}
    assert len(seeds) == 12
    assert not torch.equal(permutation(100, 0, 1), permutation(100, 1, 0))


def test_synthetic_images_have_the_shape_asked_for() -> None:
    config = DataConfig(name="synthetic", channels=2, size=9, classes=1000, train_images=6, test_images=3, validation=4)
    splits, again = load(config), load(config)
    assert splits.validation is not None
    assert [tuple(part.images.shape) for part in (splits.train, splits.validation, splits.test)] == [
        (6, 2, 9, 9),
        (4, 2, 9, 9),
        (3, 2, 9, 9),
    ]
    assert (splits.classes, splits.checksum) == (1000, again.checksum)
    assert torch.equal(splits.train.images, again.train.images)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "cifr10"}, "unknown data set 'cifr10'; did you mean cifar10"),
        ({"augmentation": "pad4crop"}, "unknown augmentation of data set bundled 'pad4crop'; did you mean pad4_crop"),
        ({"name": "imagenet", "augmentation": "pad4_crop"}, "unknown augmentation of data set imagenet"),
        ({"classes": 3}, "data.classes is an option of data set synthetic, not of bundled"),
        ({"name": "cifar10", "test_size": 320}, "data.test_size is an option of data set imagenet"),
    ],
)
def test_bad_configuration_is_one_clear_line(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        DataConfig.model_validate(values)


def test_imagenet_is_not_loaded_into_memory() -> None:
    with pytest.raises(UserError, match="does not fit in memory"):
        load(DataConfig(name="imagenet"))


def test_names_are_listed() -> None:
    assert data_names() == sorted([*sources.SOURCES, "imagenet"])
    assert augmentation_names("bundled") == sorted(AUGMENTATIONS)
    assert augmentation_names("imagenet") == sorted(IMAGENET_AUGMENTATIONS)
    assert {"scale_aspect", "shorter_side_256_480", "alexnet"} <= set(augmentation_names("imagenet"))


def test_torch_is_not_imported_before_images_are_asked_for() -> None:
    code = "import sys; from replicate.experiments.experiment import load_experiment; "
    code += "load_experiment('resnext_cardinality').runs(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
