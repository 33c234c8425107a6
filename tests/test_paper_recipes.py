"""Every recipe at paper scale is its paper's, field by field, and says where the paper leaves a field open."""

import pytest

from replicate.data.shapes import data_shape
from replicate.experiments.experiment import load_experiment
from replicate.experiments.recipe import Recipe
from replicate.experiments.run_config import Run
from replicate.papers import load_paper
from replicate.papers.schema import Recipe as Stated
from tests.test_paper_scale import label, paper_runs

NUMBERS = ("momentum", "nesterov", "dampening", "rmsprop_decay", "weight_decay", "lr", "batch_size")
DECIDED = ("weight_decay", "lr", "batch_size")
"""What a training cannot do without: a paper that does not print it leaves the decision to us."""


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
    return any(what in line for line in load_experiment(case[1].experiment, ["scale=paper"]).deviations)


@pytest.mark.parametrize("case", paper_runs(), ids=label)
def test_every_stated_number_is_followed(case: tuple[str, Run]) -> None:
    stated, ours = recipes_of(case)
    assert ours.optimizer in stated.optimizer or declared(case, stated.optimizer.partition(" (")[0])
    numbers = {field: getattr(stated, field) for field in NUMBERS}
    printed = {field: value for field, value in numbers.items() if isinstance(value, (int, float))}
    assert {field: getattr(ours, field) for field in printed} == printed
    wanted = steps(stated, per_epoch(case))
    if wanted is not None and not declared(case, f"after {ours.epochs:g} passes"):
        assert steps(ours, per_epoch(case)) == pytest.approx(wanted, rel=0.002)  # 60e4 iterations are 119.9 epochs


@pytest.mark.parametrize("case", paper_runs(), ids=label)
def test_what_the_paper_leaves_open_is_a_declared_deviation(case: tuple[str, Run]) -> None:
    stated, _ = recipes_of(case)
    open_fields = [field for field in DECIDED if not isinstance(getattr(stated, field), (int, float))]
    if open_fields or steps(stated, 1) is None:
        assert load_experiment(case[1].experiment, ["scale=paper"]).deviations
