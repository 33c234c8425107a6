"""Views are those of the papers and of torchvision; answers are averaged over views, members and protocols."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2

from replicate.evaluation import score, stream
from replicate.evaluation.protocol import Protocol
from replicate.evaluation.score import Batch, Tally, batch_answer
from replicate.evaluation.views import corners, squares, views
from tests.helpers.protocols import protocol


@pytest.mark.parametrize(("height", "width"), [(20, 20), (21, 28), (31, 18)])
def test_corners_with_mirror_are_the_ten_crops_of_torchvision(height: int, width: int) -> None:
    image = torch.randn(3, height, width)
    ours = views(image, protocol(crops="corners", crop=16, scales=[19], flip=True))
    theirs = v2.TenCrop(16)(image)  # in another order: of the mirrored image, the corners from the left again
    assert len(ours) == len(theirs) == 10
    assert all(any(torch.equal(view, other) for other in theirs) for view in ours)
    assert all(any(torch.equal(view, other) for other in ours) for view in theirs)


def test_a_mirrored_view_is_the_mirror_image_of_a_view() -> None:
    """Where an odd number of pixels is left over, the centre of the mirrored image would lie a pixel further."""
    seen = views(torch.randn(3, 20, 19), protocol(crops="corners", crop=16, scales=[19], flip=True))
    assert torch.equal(seen[5:], seen[:5].flip(-1))


@pytest.mark.parametrize(("height", "width"), [(17, 23), (18, 18), (25, 16)])
def test_centre_is_torchvisions(height: int, width: int) -> None:
    image = torch.randn(2, 3, height, width)
    ours = views(image, protocol(crops="centre", crop=16, scales=[16]))
    assert torch.equal(ours[:, 0], v2.CenterCrop(16)(image))


def test_the_grid_has_50_views_a_scale_and_reaches_every_edge() -> None:
    image = torch.arange(32 * 40.0).view(1, 32, 40)
    seen = views(image, protocol(crops="grid", crop=24, scales=[32], flip=True))
    assert seen.shape == (50, 1, 24, 24)
    assert torch.unique(seen[:25, 0, 0, 0]).tolist() == [40 * y + x for y in (0, 2, 4, 6, 8) for x in (0, 4, 8, 12, 16)]
    assert torch.equal(seen[25:], seen[:25].flip(-1))


@pytest.mark.parametrize("upright", [False, True])
def test_squares_with_mirror_and_four_scales_are_144_views(upright: bool) -> None:
    """Szegedy et al. 2015, section 7: 4 scales x 3 squares x 6 views x 2."""
    image = torch.arange(32 * 48.0).view(1, 32, 48)
    image = image.transpose(1, 2) if upright else image
    assert 4 * len(views(image, protocol(crops="squares", crop=28, scales=[32], flip=True))) == 144
    seen = squares(image, 28)
    firsts = [(0, 0), (0, 8), (0, 16)]  # upper left corners of the squares
    for place, (top, left) in enumerate(firsts):
        square = image[:, left : left + 32, top:32] if upright else image[:, top : top + 32, left : left + 32]
        assert torch.equal(seen[6 * place], corners(square, 28)[0])
        torch.testing.assert_close(seen[6 * place + 5], v2.Resize(28, antialias=True)(square))


def scorer(images: Tensor) -> Tensor:
    """Logits of three classes that depend on all pixels."""
    flat = images.flatten(1)
    return torch.stack([flat.mean(1), flat.std(1), flat.amax(1)], 1)


def batch_of(images: Sequence[Tensor], *protocols: Protocol) -> Batch:
    seen = [([views(image, each) for each in protocols], 0) for image in images]
    return stream.Collate(protocols)(seen)


def test_images_of_many_sizes_keep_their_places() -> None:
    dense = protocol(dense=True, flip=True, scales=[9])
    images = [torch.randn(1, *size) for size in ((9, 12), (9, 9), (12, 9), (9, 12), (9, 9))]
    together = batch_answer([[scorer]], batch_of(images, dense), "mean")[0]
    alone = torch.cat([batch_answer([[scorer]], batch_of([image], dense), "mean")[0] for image in images])
    torch.testing.assert_close(together, alone)


def test_mean_and_maximum_over_views() -> None:
    image = torch.randn(1, 8, 8)
    crops = protocol(crops="corners", crop=6, scales=[8])
    scores = scorer(torch.stack(corners(image, 6))).softmax(1)
    batch = batch_of([image], crops)
    torch.testing.assert_close(batch_answer([[scorer]], batch, "mean")[0][0], scores.mean(0))
    torch.testing.assert_close(batch_answer([[scorer]], batch, "max")[0][0], scores.amax(0))


def test_members_and_protocols_are_averaged_as_softmax_scores() -> None:
    image, crops = torch.randn(1, 8, 8), protocol(crops="centre", crop=6, scales=[8])
    whole = protocol(dense=True, scales=[8])

    def other(images: Tensor) -> Tensor:
        return -2 * scorer(images)

    answers = batch_answer([[scorer] * 2, [other] * 2], batch_of([image], crops, whole), "mean")
    inner, full = image[None, :, 1:7, 1:7], image[None]
    for found, seen in zip(answers, (inner, full), strict=True):
        torch.testing.assert_close(found, (scorer(seen).softmax(1) + other(seen).softmax(1)) / 2)
    tallies = {"": Tally()}
    score.add_batch(tallies, answers, torch.tensor([0]), {"": (crops, whole)})
    assert tallies[""].loss == pytest.approx(-float(torch.stack(answers).mean(0)[0, 0].log()))


def test_forward_passes_in_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = batch_of(torch.randn(7, 1, 8, 8).unbind(), protocol(crops="corners", crop=6, scales=[8]))
    whole = batch_answer([[scorer]], batch, "mean")[0]
    monkeypatch.setattr(score, "FORWARD_PIXELS", 100)
    torch.testing.assert_close(batch_answer([[scorer]], batch, "mean")[0], whole)
