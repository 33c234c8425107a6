"""Szegedy et al. 2016, Inception-v4: timm's graph, the widths of the figures, small images."""

import timm

from replicate.models import create_model
from replicate.models.counting import count
from tests.helpers.inception import map_channels, map_sides
from tests.helpers.reference import assert_same_network
from tests.helpers.smallest import assert_smallest_size


def test_parameters() -> None:
    assert count("inception_v4", (3, 299, 299)).parameters == 42_679_816


def test_timm_weights_load() -> None:
    reference = timm.create_model("inception_v4")
    assert_same_network(create_model("inception_v4"), reference, "timm", "inception_v4", size=80)


def test_channels_and_sides_of_figure_9() -> None:
    model = create_model("inception_v4", blocks=(1, 1, 1))
    assert map_channels(model) == [384, 1024, 1024, 1536, 1536]
    assert map_sides(create_model("inception_v4", width=0.0625), 299) == [35, 35, 17, 8]


def test_small_images() -> None:
    model = create_model("inception_v4", stem="small", width=0.0625, in_channels=1, blocks=(1, 1, 1))
    assert (map_sides(model, 28), map_sides(model, 16)) == ([28, 28, 13, 6], [16, 16, 7, 3])


def test_smallest_size() -> None:
    assert_smallest_size("inception_v4", 75, width=0.0625)
    assert_smallest_size("inception_v4", 7, stem="small", width=0.0625, blocks=(1, 2, 1))
