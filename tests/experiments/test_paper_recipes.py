"""Every recipe at paper scale is its paper's, field by field, and says where the paper leaves a field open."""

import pytest
import torch

from replicate.data.names import IMAGENET
from replicate.data.shapes import data_shape
from replicate.experiments.recipe import Recipe, recipe_names, resolve_recipe
from replicate.experiments.run_config import Run
from replicate.models import create_model
from replicate.models.counting import NORMALISATION
from replicate.papers import load_paper
from replicate.papers.schema import Recipe as Stated
from replicate.training.network import network_options
from tests.helpers.composed import PAPER_CASES, over_experiments, over_paper_cases, paper_deviations, paper_run

NUMBERS = ("momentum", "nesterov", "dampening", "rmsprop_decay", "weight_decay", "lr", "batch_size")
DECIDED = ("weight_decay", "lr", "batch_size")
"""What a training cannot do without: a paper that does not print it leaves the decision to us."""

INCEPTION = {"ema": 0.9999, "bn_momentum": 0.0003, "decay": "weights", "batch_size": 32, "lr": 0.045, "clip_norm": 2.0}
RMSPROP = {"optimizer": "rmsprop", "rmsprop_decay": 0.9, "momentum": 0.9, "eps": 1.0}
BIASES = {"decay": "weights", "bias_rate": 2.0}
RELEASED: dict[str, dict[str, object]] = {
    # tensorflow/models, inception_train.py and inception_model.py: constants of the optimiser, the average, the layers
    "szegedy2015_imagenet": {**INCEPTION, **RMSPROP},
    "szegedy2015_imagenet_sgd": {**INCEPTION, "optimizer": "sgd", "momentum": 0.9},
    "szegedy2016_imagenet": {**INCEPTION, **RMSPROP},
    "szegedy2014_imagenet": {"ema": 0.9999, "batch_size": 32},
    "ioffe2015_imagenet": {"ema": 0.9999, "batch_size": 32},
    "chollet2017_imagenet": {"ema": 0.9999, "bn_momentum": 0.01},
    "chollet2017_imagenet_v3": {"ema": 0.9999, "bn_momentum": 0.01},
    # slim/nets/mobilenet_v1_train.py (batch, fall of the rate), its arg_scope (running statistics)
    "howard2017_imagenet": {**RMSPROP, "batch_size": 64, "bn_momentum": 0.0003, "decay": "not_depthwise"},
    # slim/nets/mobilenet/README.md, training_scope of mobilenet.py
    "sandler2018_imagenet": {**RMSPROP, "ema": 0.9999, "label_smoothing": 0.1, "bn_momentum": 0.003},
    # layer parameters of cuda-convnet: epsB = 2 epsW, wc on weights
    "krizhevsky2012_imagenet": BIASES,
    "krizhevsky2012_imagenet_no_decay": BIASES,
    # Caffe's msra filler counts inputs
    "he2015_imagenet": {"init": "he_normal"},
    "he2016_imagenet": {"init": "he_normal"},
}
"""What the authors' released settings fix where the paper is silent, or where ours follow them against its text."""
EVERY = {"sandler2018_imagenet": (2.5, 0.98), "howard2017_imagenet": (2.5, 0.94), "szegedy2015_imagenet": (2, 0.94)}
"""Epochs between falls of the rate, and the factor."""
WORKERS_BATCH = 96  # the largest batch of one of several asynchronous workers: Sandler et al. 2018


def recipes_of(case: tuple[str, Run]) -> tuple[Stated, Recipe]:
    """What the paper states, and what the run does."""
    paper, run = case
    ours = run.config.recipe
    assert ours is not None
    assert ours.published is not None, "conf/recipe/*.yaml names the paper's recipe: `published: paper/recipe`"
    source, _, name = ours.published.partition("/")
    assert source == paper or declared(case, "the table quotes"), "another paper's network is trained by its own recipe"
    return load_paper(source).recipes[name], ours


def steps(recipe: Stated | Recipe, per_epoch: int) -> float | None:
    """How long a recipe trains; iterations win, as in training. None where the paper gives no number."""
    if recipe.iterations is not None:
        return recipe.iterations
    return recipe.epochs * per_epoch if isinstance(recipe.epochs, (int, float)) else None


def per_epoch(case: tuple[str, Run]) -> int:
    """Steps in one epoch of the run."""
    config = case[1].config
    assert config.data is not None
    assert config.recipe is not None
    return -(-data_shape(config.data).train_images // config.recipe.batch_size)


def declared(case: tuple[str, Run], what: str) -> bool:
    """Whether a deviation at paper scale names what the paper did."""
    return any(what in line for line in paper_deviations(case[1].experiment))


@over_paper_cases
def test_every_stated_number_is_followed(experiment: str, variant: str) -> None:
    case = paper_run(experiment, variant)
    stated, ours = recipes_of(case)
    assert ours.optimizer in stated.optimizer or declared(case, stated.optimizer.partition(" (")[0])
    numbers = {field: getattr(stated, field) for field in NUMBERS}
    printed = {field: value for field, value in numbers.items() if isinstance(value, (int, float))}
    assert {field: getattr(ours, field) for field in printed} == printed
    wanted = steps(stated, per_epoch(case))
    if wanted is not None and not declared(case, f"after {ours.epochs:g} passes"):
        assert steps(ours, per_epoch(case)) == pytest.approx(wanted, rel=0.002)  # 60e4 iterations are 119.9 epochs


@over_paper_cases
def test_what_the_paper_leaves_open_is_a_declared_deviation(experiment: str, variant: str) -> None:
    stated, _ = recipes_of(paper_run(experiment, variant))
    open_fields = [field for field in DECIDED if not isinstance(getattr(stated, field), (int, float))]
    if open_fields or steps(stated, 1) is None:
        assert paper_deviations(experiment)


@pytest.mark.parametrize("name", RELEASED)
def test_released_settings_are_followed(name: str) -> None:
    ours = resolve_recipe(name, {}).model_dump()
    assert {field: ours[field] for field in RELEASED[name]} == RELEASED[name]


@pytest.mark.parametrize("name", EVERY)
def test_the_rate_falls_as_in_the_released_settings(name: str) -> None:
    schedule = resolve_recipe(name, {}).schedule
    assert (schedule.kind, schedule.unit, (schedule.every, schedule.gamma)) == ("exponential", "epochs", EVERY[name])


@pytest.mark.parametrize("name", recipe_names())
def test_rmsprop_has_momentum(name: str) -> None:
    """With an epsilon of 1, steps without momentum would be a tenth of the papers'."""
    ours = resolve_recipe(name, {})
    assert ours.optimizer != "rmsprop" or ours.momentum == 0.9


def lines_of(case: tuple[str, Run]) -> str:
    """The deviations at paper scale, with those of the experiments that they refer to."""
    lines = paper_deviations(case[1].experiment)
    named = {word.strip(",") for line in lines if "deviations that" in line for word in line.split()}
    others = [name for name in named if name in {experiment for experiment, _ in PAPER_CASES}]
    return " ".join([*lines, *(line for name in others for line in paper_deviations(name))])


def normalises(run: Run) -> bool:
    """Whether the network has batch normalisation; built without weights."""
    assert run.config.data is not None
    name, options = network_options(run.config.model, run.config.data)
    with torch.device("meta"):
        return any(isinstance(layer, NORMALISATION) for layer in create_model(name, **options).modules())


@over_experiments(dict(PAPER_CASES))
def test_what_torch_does_differently_is_declared(experiment: str) -> None:
    """Once for each recipe and augmentation of an experiment, on the last of its variants that has them."""
    cases = [paper_run(experiment, variant) for name, variant in PAPER_CASES if name == experiment]
    for case in {(str(run.config.recipe), str(run.config.data)): (paper, run) for paper, run in cases}.values():
        assert_declared(case)


def assert_declared(case: tuple[str, Run]) -> None:
    data, recipe = case[1].config.data, case[1].config.recipe
    assert data is not None
    assert recipe is not None
    lines = lines_of(case)
    assert data.augmentation != "pad4_crop_flip", "the papers' programs normalise, then pad"
    if recipe.optimizer == "rmsprop":
        assert "epsilon under the root" in lines
    if "colour" in data.augmentation and data.augmentation.startswith("scale_aspect"):
        assert "fb.resnet.torch draws the ratio uniformly" in lines
    if data.name == IMAGENET and recipe.batch_size > WORKERS_BATCH and normalises(case[1]):
        assert "batch normalisation is over " in lines, "several GPUs had statistics of their own"
