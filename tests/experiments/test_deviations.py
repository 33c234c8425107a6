"""Deviations follow from the configurations, at every scale and under every override; no written line disagrees."""

import re
from collections.abc import Iterator

import pytest

from replicate.data.shapes import data_shape
from replicate.experiments.deviations import derived, joined
from replicate.experiments.experiment import Experiment, load_experiment
from replicate.experiments.run_config import RunConfig
from replicate.experiments.scale import Scale, lines_at
from tests.helpers.composed import ENTRIES, experiment_at, over_experiments
from tests.helpers.made_up import made_up_experiment

TRAINED = [name for name, entry in ENTRIES.items() if entry.scales != (Scale.EXACT,)]


def line(experiment: Experiment, part: str) -> str:
    """The derived line of one part, empty without."""
    return next((text for text in experiment.deviations if text.startswith(f"{part}: ")), "")


def test_a_small_scale_is_compared_with_the_papers() -> None:
    found = load_experiment("resnext_cardinality")
    assert line(found, "network") == "network: resnext_cifar, 11 layers, 0.5 of the width instead of resnext, 50 layers"
    here, there = line(found, "data").split(" instead of ")
    assert here.startswith("data: 10,000 images of Fashion-MNIST, 12 pixels, gray, 10 classes")
    assert there.startswith("1,281,167 images of ImageNet, 224 pixels, in colour, 1,000 classes")
    assert line(found, "augmentation") == "augmentation: pad2 crop flip instead of scale aspect colour"
    assert re.match(r"recipe: 8 epochs, cosine schedule, .* instead of 100 epochs, steps after ", line(found, "recipe"))


@pytest.mark.parametrize("scale", ["smoke", "laptop"])
@pytest.mark.parametrize(
    ("word", "part", "said"),
    [
        ("recipe.epochs=7", "recipe", "7 epochs, cosine schedule"),
        ("recipe.batch_size=32", "recipe", "batches of 32"),
        ("data.train_images=1000", "data", "1,000 images of Fashion-MNIST"),
        ("data.size=28", "data", "28 pixels"),
        ("model.depth=29", "network", "29 layers"),
        ("model.width=0.5", "network", "0.5 of the width"),
        ("data.augmentation=none", "augmentation", "none instead of scale aspect colour"),
        ("trainer.precision=bf16-mixed", "arithmetic", "precision bf16-mixed instead of 32-true"),
        ("at_paper.recipe=laptop", "recipe", "instead of 100 epochs"),
    ],
)
def test_an_override_is_told_at_every_small_scale(scale: str, word: str, part: str, said: str) -> None:
    assert said in line(load_experiment("resnext_cardinality", [f"scale={scale}", word]), part)


def test_the_papers_scale_departs_from_itself_by_overrides_alone() -> None:
    plain = load_experiment("resnext_cardinality", ["scale=paper"])
    assert plain.deviations == plain.settings.deviations[Scale.PAPER]
    shorter = load_experiment("resnext_cardinality", ["scale=paper", "recipe.epochs=50", "machine.threads=2"])
    assert shorter.deviations == ("recipe: 50 instead of 100 epochs", *plain.deviations)


def test_what_sets_variants_apart_names_them() -> None:
    found = load_experiment("stochastic_depth_1202")
    assert "20 instead of 110 layers (110 constant, 110 stochastic)" in line(found, "network")
    assert "110 instead of 1202 layers (1202 constant, 1202 stochastic)" in line(found, "network")
    assert "0.5 of the width;" in line(found, "network")


def test_many_values_are_told_by_their_ends() -> None:
    assert "10 to 28 instead of 40 to 190 layers (by variant)" in line(load_experiment("densenet_growth"), "network")


def test_without_a_scale_to_compare_with_the_training_is_told() -> None:
    assert line(load_experiment("random_filters", ["recipe.epochs=9"]), "recipe") == "recipe: 9 epochs, cosine schedule"


def test_nothing_is_derived_from_equal_configurations() -> None:
    config = made_up_experiment().run("1x64d", 0).config
    assert derived([]) == []
    assert made_up_experiment().deviations == ("data: small images",)
    assert made_up_experiment(scale="smoke").deviations == ()
    assert config == made_up_experiment(scale="paper").run("1x64d", 0).config


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("8 layers", "44 layers", "8 to 44 layers"),
        ("growth rate 8", "growth rate 32", "growth rate 8 to 32"),
        ("blocks [1, 2]", "blocks [1, 2, 3]", "blocks [1, 2] to [1, 2, 3]"),
        ("SGD", "Adam", "SGD to Adam"),
    ],
)
def test_what_two_phrases_share_is_said_once(first: str, last: str, said: str) -> None:
    assert joined(first, last, "to") == said


@over_experiments(TRAINED)
def test_no_written_line_disagrees_with_the_configuration(experiment: str) -> None:
    """Numbers of epochs, images, pixels and layers in a line are those of a run, or said to be the paper's."""
    for scale in ENTRIES[experiment].scales:
        found = experiment_at(experiment, scale)
        known = {number for variant in found.variants for number in numbers_of(found.run(variant, 0).config)}
        for text in lines_at(ENTRIES[experiment].deviations, scale):
            for number, unit in said_of_us(text):
                assert (number, unit) in known, f"{scale}: '{text}' says {number} {unit}"


QUOTED = re.compile(r"(?:instead of|, not |; the (?:paper|original)|the paper|The paper|of which the paper).*")
"""What a line says of the paper, and not of our runs."""


def said_of_us(text: str) -> Iterator[tuple[int, str]]:
    for number, unit in re.findall(r"(\d[\d,]*) (?:\w+ )?(epoch|image|pixel|layer)s?\b", QUOTED.sub("", text)):
        yield int(number.replace(",", "")), unit


def numbers_of(config: RunConfig) -> Iterator[tuple[float, str]]:
    """What the run has, in the units in which a line may say it."""
    if config.recipe is not None:
        yield config.recipe.epochs or 0, "epoch"
        yield config.recipe.batch_size, "image"
    if config.data is not None:
        shape = data_shape(config.data)
        yield shape.size, "pixel"
        yield shape.train_images, "image"
        yield from ((int(pad), "pixel") for pad in re.findall(r"pad(\d)", config.data.augmentation))
        if config.data.name == "imagenet":
            yield 50_000, "image"  # all that there are to test with
    if isinstance(config.model.get("depth"), int):
        yield config.model["depth"], "layer"
