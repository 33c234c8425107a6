"""Rows of a table share recipe and images, but for what the table varies: else they would compare that."""

from collections.abc import Mapping
from typing import Any

from replicate.experiments.catalogue import catalogue
from replicate.experiments.scale import Scale
from tests.helpers.composed import experiment_at, over_experiments

LAPTOP = [entry.name for entry in catalogue() if Scale.LAPTOP in entry.scales]
VARIED = {  # experiment -> what its table is about
    "alexnet_ablation": {"recipe.weight_decay"},
    "alexnet_classifier_only": {"recipe.trained"},
    "densenet_cosine": {"recipe.schedule.kind", "recipe.schedule.milestones"},
    "densenet_growth": {"data.augmentation"},
    "heads": {"data.name"},
    "inception_batchnorm": {"recipe.lr"},
    "inception_v3_ablation": {"recipe.label_smoothing", "recipe.optimizer", "recipe.lr"},
    "inception_v3_resolution": {"data.size"},
    "lenet_passes": {"recipe.epochs"},
    "lenet_training": {"data.augmentation"},
    "mobilenet_resolution": {"data.size"},
    "pooling_and_position": {"data.name"},
    "preact_batch_size": {"recipe.batch_size"},
    "random_filters": {"recipe.trained"},
    "small_training_sets": {"data.train_images", "recipe.epochs"},
    "stochastic_depth_imagenet": {"recipe.epochs"},
    "vgg_initialisation": {"recipe.init"},
    "vgg_multi_scale": {"data.augmentation"},
    "vgg_scale_jitter": {"data.augmentation"},
}
OWN_RECIPES = {  # networks without batch normalisation that diverge at the rate or the initialisation of the others
    "activations": {"recipe.init"},
    "families": {"recipe.lr", "recipe.init", "data.size"},
    "mobilenet_popular": {"recipe.lr", "recipe.init"},
    "mobilenet_smaller": {"recipe.lr", "recipe.init", "data.size"},
}


def flat(block: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by their dotted names."""
    found: dict[str, Any] = {}
    for name, value in block.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found


@over_experiments(LAPTOP)
def test_rows_differ_in_what_the_table_varies_alone(experiment: str) -> None:
    laptop = experiment_at(experiment, Scale.LAPTOP)
    rows = [flat(laptop.run(variant, 0).config.identity()) for variant in laptop.variants]
    keys = {key for row in rows for key in row if key.startswith(("recipe.", "data."))}
    differing = {key for key in keys if len({str(row.get(key)) for row in rows}) > 1}
    assert differing == VARIED.get(experiment, OWN_RECIPES.get(experiment, set()))


def test_the_lists_name_experiments() -> None:
    assert {*VARIED, *OWN_RECIPES} <= set(LAPTOP)
