"""The resident loader and the batched augmentations, against torchvision's per-image transforms."""

from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
import torchvision.transforms.functional as F
from scipy.stats import chisquare
from torch import Tensor, nn

from replicate.data import DataConfig, load
from replicate.data.augment import AUGMENTATIONS, augmentation, mirror, scale_jitter, shifted_crops
from replicate.data.batch_stream import Stream
from replicate.data.epochs import Batch, Plan, Share, training_plan
from replicate.data.loaders import check_data, make_loaders
from replicate.data.resident import ResidentLoader
from replicate.data.splits import ImageSet
from replicate.errors import UserError

OFFSETS = list(product(range(9), range(9)))


def random_images(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("fill", [None, (200, 17, 3)])
def test_every_crop_equals_torchvisions(fill: tuple[int, ...] | None) -> None:
    images = random_images(len(OFFSETS), 3, 7, 6)
    top, left = torch.tensor(OFFSETS).T
    colour = torch.tensor(fill).view(3, 1, 1) + 0.3 if fill else None
    crops = shifted_crops(images, 4, top, left, colour)
    canvas = torch.zeros(3, 1, 1) if fill is None else torch.tensor(fill).view(3, 1, 1)
    for image, crop, (row, column) in zip(images, crops, OFFSETS, strict=True):
        wide = canvas.expand(3, 15, 14).to(torch.uint8).clone()
        wide[:, 4:11, 4:10] = image
        assert torch.equal(crop, F.crop(wide, row, column, 7, 6))
        if fill is None:
            assert torch.equal(crop, F.crop(F.pad(image, [4]), row, column, 7, 6))


def test_mirror_flips_the_chosen_images_only() -> None:
    images = random_images(4, 3, 5, 6)
    flipped = mirror(images, torch.tensor([True, False, True, False]))
    for index in range(4):
        assert torch.equal(flipped[index], F.hflip(images[index]) if index % 2 == 0 else images[index])


def test_offsets_and_flips_are_uniform_and_independent() -> None:
    image = torch.arange(1, 26, dtype=torch.uint8).view(1, 1, 5, 5)  # each outcome has another pattern
    crops = shifted_crops(image.repeat(81, 1, 1, 1), 4, *torch.tensor(OFFSETS).T)
    outcomes = torch.cat([crops, crops.flip(3)]).view(162, 25)
    draw = torch.Generator().manual_seed(0)
    drawn = augmentation("pad4_crop_flip")(image.repeat(16_200, 1, 1, 1), draw).view(-1, 1, 25)
    matches = (drawn == outcomes).all(2)
    assert (matches.sum(1) == 1).all()
    counts = matches.sum(0)
    assert counts.min() > 0
    assert chisquare(counts.numpy()).pvalue > 1e-3
    assert chisquare(counts.view(2, 81).sum(1).numpy()).pvalue > 1e-3  # flips


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_augmentations_keep_shape_and_leave_their_input_alone(name: str, kind: torch.dtype) -> None:
    images = random_images(6, 3, 8, 8).to(kind)
    before, mean = images.clone(), torch.full((3, 1, 1), 90.0)
    first, second = (augmentation(name, 8)(images, torch.Generator().manual_seed(5), mean) for _ in range(2))
    assert (first.shape, first.dtype) == (images.shape, kind)
    assert torch.equal(first, second)
    assert torch.equal(images, before)
    assert torch.equal(first, images) == (name == "none")
    assert augmentation(name, 8).description


def test_scale_jitter_cuts_every_window_of_every_side() -> None:
    """Images of 2 x 2 pixels at sides 2 and 4: each value names its place, so a crop shows its side and window."""
    image = torch.tensor([[10, 20], [30, 40]], dtype=torch.uint8).view(1, 1, 2, 2)
    doubled = image.repeat_interleave(2, 2).repeat_interleave(2, 3)
    expected = [image[0, 0]] + [
        doubled[0, 0, row : row + 2, column : column + 2] for row in range(3) for column in range(3)
    ]
    crops = scale_jitter(image.repeat(4000, 1, 1, 1), (2, 4), 2, torch.Generator().manual_seed(0))
    seen = {tuple(crop.flatten().tolist()) for crop in crops}
    assert seen >= {tuple(window.flatten().tolist()) for window in expected}
    whole = (crops.view(-1, 4) == image.flatten()).all(1).float().mean()
    assert whole == pytest.approx((1 + 1 / 9) / 3, abs=0.03)  # side 2, and the middle window of side 4


def test_scale_jitter_draws_from_images_of_the_sets_own_size() -> None:
    splits = load(DataConfig(size=21, augmentation="shorter_side_24_48", train_images=20, test_images=20))
    assert (splits.train.images.shape[2], splits.test.images.shape[2]) == (28, 21)
    loader = make_loaders(
        DataConfig(size=21, augmentation="shorter_side_24_48"), 8, 0, torch.device("cpu"), False
    ).train
    assert next(iter(loader))[0].shape == (8, 1, 21, 21)


@pytest.mark.parametrize("size", [None, 25])
def test_a_crop_that_does_not_fit_the_smallest_side_is_refused(size: int | None) -> None:
    with pytest.raises(UserError, match=r"shorter_side_24_48 cuts data\.size pixels out of 24"):
        check_data(DataConfig(size=size, augmentation="shorter_side_24_48"))


def test_unknown_augmentation_is_refused() -> None:
    with pytest.raises(UserError, match="did you mean flip"):
        augmentation("flp")


def image_set(count: int) -> ImageSet:
    return ImageSet(random_images(count, 3, 8, 8), torch.arange(count))


def make_loader(count: int = 50, batch_size: int = 8, **options: Any) -> ResidentLoader:
    mean, std = torch.tensor([10.0, 120.0, 250.0]).view(3, 1, 1), torch.tensor([1.0, 60.0, 70.0]).view(3, 1, 1)
    defaults: dict[str, Any] = {"shuffle": True, "augment": augmentation("pad4_crop_flip"), "seed": 3}
    plan = options.pop("plan", Plan(count, batch_size))
    return ResidentLoader(image_set(count), plan, mean, std, **defaults | options)


def same(one: list[Batch], other: list[Batch]) -> bool:
    return len(one) == len(other) and all(
        torch.equal(mine, yours) for pair in zip(one, other, strict=True) for mine, yours in zip(*pair, strict=True)
    )


def test_plain_batches_equal_torchvisions_transforms() -> None:
    loader = make_loader(20, shuffle=False, augment=AUGMENTATIONS["none"])
    images, labels = (torch.cat(tensors) for tensors in zip(*loader, strict=True))
    assert labels.tolist() == list(range(20))
    for image, expected in zip(images, image_set(20).images, strict=True):
        scaled = F.to_tensor(F.to_pil_image(expected))
        wanted = F.normalize(scaled, [10 / 255, 120 / 255, 250 / 255], [1 / 255, 60 / 255, 70 / 255])
        torch.testing.assert_close(image, wanted, atol=1e-4, rtol=1e-5)


def test_an_epoch_shows_every_image_once() -> None:
    loader = make_loader(50)
    epochs = []
    for epoch in range(2):
        labels = [label for _, batch in loader.batches(epoch) for label in batch.tolist()]
        assert sorted(labels) == list(range(50))
        epochs.append(labels)
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize(("drop_last", "sizes"), [(False, [8] * 6 + [2]), (True, [8] * 6)])
def test_last_batch(drop_last: bool, sizes: list[int]) -> None:
    loader = make_loader(50, plan=Plan(50, 8, drop_last=drop_last))
    assert [len(labels) for _, labels in loader] == sizes
    assert len(loader) == len(sizes)


@pytest.mark.parametrize(("images", "batch_size"), [(50, 8), (48, 8), (43, 9), (17, 12), (100, 24)])
@pytest.mark.parametrize("parts", [1, 2, 3, 4])
def test_micro_batches_are_those_of_tensor_split(images: int, batch_size: int, parts: int) -> None:
    plan, order = training_plan(images, batch_size, Share(parts)), torch.arange(images)
    wanted = [part for batch in order.split(batch_size)[: plan.steps] for part in batch.tensor_split(parts)]
    assert [order[plan.micro_batch(index)].tolist() for index in range(len(plan))] == [part.tolist() for part in wanted]
    batches = [plan.batch(index // parts) for index in range(len(plan))]
    shares = [len(part) * parts / batch for part, batch in zip(wanted, batches, strict=True)]
    assert [plan.weight(index) for index in range(len(plan))] == pytest.approx(shares)
    assert min(map(len, wanted)) > 1


@pytest.mark.parametrize(
    ("images", "batch_size", "parts", "steps"),
    [
        (17, 8, 1, 2),  # the last image is alone
        (18, 8, 1, 3),
        (19, 8, 2, 2),  # 3 images in 2 micro-batches
        (20, 8, 2, 3),
        (19, 4, 4, 4),  # micro-batches of full batches have one image; none is too few
        (20, 4, 4, 5),
        (3, 1, 1, 3),
    ],
)
def test_a_last_batch_without_statistics_is_dropped(images: int, batch_size: int, parts: int, steps: int) -> None:
    assert training_plan(images, batch_size, Share(parts)).steps == steps


def test_an_epoch_of_no_batch_is_refused() -> None:
    with pytest.raises(UserError, match="7 training images are too few for a batch of 4 micro-batches"):
        training_plan(7, 16, Share(4))


def test_micro_batches_show_the_images_of_the_batch_in_its_order() -> None:
    whole, cut = make_loader(), make_loader(plan=training_plan(50, 8, Share(4)))
    assert len(cut) == 4 * 6  # the last batch has two images
    labels = [torch.cat([labels for _, labels in list(cut)[4 * step : 4 * step + 4]]) for step in range(6)]
    assert all(torch.equal(mine, yours) for mine, (_, yours) in zip(labels, whole, strict=False))


def test_channels_last() -> None:
    images, _ = next(iter(make_loader(channels_last=True)))
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(images, next(iter(make_loader()))[0])


@pytest.mark.parametrize("start", [1, 3, 6])
def test_an_epoch_can_be_entered_at_any_batch(start: int) -> None:
    loader = make_loader()
    whole = list(loader.batches(2))
    next(loader.batches(2))  # an abandoned iteration leaves nothing behind
    assert same(list(loader.batches(2, start)), whole[start:])
    assert not same(list(loader.batches(3)), whole)
    assert same(list(loader), list(loader.batches(0)))


def test_a_stream_runs_through_the_epochs_and_resumes_where_its_state_says() -> None:
    loader = make_loader()
    expected = [batch for epoch in range(3) for batch in loader.batches(epoch)][:17]
    assert same(list(Stream(loader, 17)), expected)
    first, second = Stream(loader, 17), Stream(loader, 17)
    seen = [batch for batch, _ in zip(first, range(9), strict=False)]
    assert same(seen, expected[:9])
    second.load_state_dict({"position": 9})
    assert same(list(second), expected[9:])
    assert list(second) == []


def test_seeds_and_batches_augment_differently() -> None:
    same_image = ImageSet(random_images(1, 3, 8, 8).repeat(32, 1, 1, 1), torch.zeros(32, dtype=torch.int64))
    mean, std = torch.zeros(3, 1, 1), torch.ones(3, 1, 1)
    augment = augmentation("pad4_crop_flip")
    loaders = [ResidentLoader(same_image, Plan(32, 16), mean, std, seed=seed, augment=augment) for seed in (0, 1)]
    batches = [images for loader in loaders for images, _ in loader]
    assert not any(torch.equal(one, other) for one, other in pairwise(batches))


def test_global_generator_is_neither_read_nor_moved() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    splits = load(DataConfig(name="synthetic", validation=5))
    batches = list(make_loader())
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert same(list(make_loader()), batches)
    assert load(DataConfig(name="synthetic", validation=5)).checksum == splits.checksum


class Recorder(pl.LightningModule):
    """Keeps the labels of every training batch."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self.stream = stream
        self.layer = nn.Linear(1, 1)
        self.seen: list[list[int]] = []

    def train_dataloader(self) -> Stream:
        return self.stream

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        self.seen.append(batch[1].tolist())
        return self.layer(batch[0].mean().view(1, 1)).sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class SaveAt(pl.Callback):
    """Writes a checkpoint when a number of batches has been seen."""

    def __init__(self, step: int, path: Path) -> None:
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)


@pytest.mark.parametrize("step", [4, 7, 9])  # mid-epoch, at the end of one, in the second
def test_lightning_resumes_inside_an_epoch(step: int, tmp_path: Path) -> None:
    quiet: dict[str, Any] = {
        "accelerator": "cpu",
        "max_epochs": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    unbroken, resumed = (Recorder(Stream(make_loader(), 21)) for _ in range(2))
    pl.Trainer(**quiet, callbacks=[SaveAt(step, tmp_path / "c.ckpt")]).fit(unbroken)
    pl.Trainer(**quiet).fit(resumed, ckpt_path=tmp_path / "c.ckpt", weights_only=True)
    loader = make_loader()
    expected = [labels.tolist() for epoch in range(3) for _, labels in loader.batches(epoch)]
    assert unbroken.seen == expected
    assert resumed.seen == expected[step:]
