"""Generated tasks about places, and images on a larger canvas."""

import pytest
import torch
from torch import Tensor

from replicate.data import DataConfig, load
from replicate.data.canvas import MARGIN
from replicate.data.position import MARKS, POSITION_TASKS, SIDE, segments, two_marks, two_segments


def drawn(name: str, count: int = 400) -> tuple[Tensor, Tensor]:
    """Ink without noise, and the labels."""
    labels = torch.arange(count) % 2
    return POSITION_TASKS[name](labels, torch.Generator().manual_seed(0)), labels


@pytest.mark.parametrize("name", POSITION_TASKS)
def test_the_same_images_every_time_in_two_equal_classes(name: str) -> None:
    splits = load(DataConfig(name=name, train_images=200, test_images=100))
    again = load(DataConfig(name=name, train_images=200, test_images=100))
    assert splits.train.images.shape == (200, 1, SIDE, SIDE)
    assert torch.equal(splits.train.images, again.train.images)
    assert not torch.equal(splits.train.images[:100], splits.test.images)
    assert splits.train.labels.bincount().tolist() == [100, 100]
    assert splits.classes == 2


@pytest.mark.parametrize("name", POSITION_TASKS)
def test_no_class_is_told_by_its_ink(name: str) -> None:
    """A threshold on the sum of ink is right about as often as a coin."""
    ink, labels = drawn(name, 2000)
    sums = ink.sum((1, 2))
    means = [sums[labels == label].mean() for label in (0, 1)]
    assert abs(means[0] - means[1]) < 0.05 * sums.mean()


def test_the_mark_is_the_one_that_the_label_says() -> None:
    ink, labels = drawn("position_free")
    for image, label in zip(ink, labels, strict=True):
        windows = image.unfold(0, 3, 1).unfold(1, 3, 1).flatten(0, 1)
        assert any(torch.equal(window.long(), MARKS[label]) for window in windows)
        assert image.sum() == 5


@pytest.mark.parametrize(("name", "least", "most"), [("position_near", 3, 4), ("position_far", 9, 13)])
def test_two_marks_lie_so_far_apart_and_are_alike_as_labelled(name: str, least: int, most: int) -> None:
    ink, labels = drawn(name)
    for image, label in zip(ink, labels, strict=True):
        found = []
        for row in range(SIDE - 2):
            for column in range(SIDE - 2):
                window = image[row : row + 3, column : column + 3].long()
                found += [(row, column, kind) for kind in (0, 1) if torch.equal(window, MARKS[kind])]
        assert image.sum() == 10
        pairs = [
            (a, b) for a in found for b in found
            if a < b and least <= max(abs(a[0] - b[0]), abs(a[1] - b[1])) <= most
        ]  # fmt: skip
        assert any((a[2] == b[2]) == bool(label) for a, b in pairs)


def test_segments_cross_as_labelled() -> None:
    """Segments that cross have their ink in one piece; those that do not leave a gap of a pixel or more."""
    ink, labels = drawn("position_crossing")
    pieces = torch.tensor([float(count_pieces(image > 0.99)) for image in ink])
    assert pieces[labels == 1].eq(1).float().mean() > 0.95
    assert pieces[labels == 0].ge(2).float().mean() > 0.95


def count_pieces(bright: Tensor) -> int:
    """Connected regions of bright pixels, corners included."""
    left = {(int(row), int(column)) for row, column in bright.nonzero()}
    pieces = 0
    while left:
        pieces += 1
        border = [left.pop()]
        while border:
            row, column = border.pop()
            near = {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= near
            border += near
    return pieces


def test_a_segment_is_as_long_as_it_should_be() -> None:
    across = segments(torch.tensor([[8.0, 8.0]]), torch.zeros(1), torch.full((1,), 3.0))[0]
    assert across[:, 8].gt(0.99).sum() == 7
    assert across[8].gt(0.99).sum() == 1


def test_draws_follow_their_generator() -> None:
    labels = torch.arange(8) % 2
    for draw in (two_segments, lambda labels, rng: two_marks(labels, rng, 3, 4)):
        first, second = (draw(labels, torch.Generator().manual_seed(seed)) for seed in (0, 1))
        assert not torch.equal(first, second)


def test_canvases_hold_the_same_images_in_the_middle_or_anywhere() -> None:
    plain, centred, shifted = (
        load(DataConfig(name=f"bundled{kind}", train_images=50, test_images=50)).test
        for kind in ("", "_centred", "_shifted")
    )
    half = MARGIN // 2
    assert torch.equal(centred.images[:, :, half:-half, half:-half], plain.images)
    assert centred.images.sum() == plain.images.sum() == shifted.images.sum()
    assert torch.equal(plain.labels, shifted.labels)
    assert centred.images.shape == shifted.images.shape == (50, 1, 28 + MARGIN, 28 + MARGIN)
    places = {tuple(image[0].nonzero().amin(0).tolist()) for image in shifted.images}
    assert len(places) > 20
