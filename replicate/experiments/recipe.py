"""Training recipes as data: what conf/recipe/*.yaml may say, and the learning rate as a pure function of the step."""

import math
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from replicate.errors import UserError, first_line, unknown
from replicate.papers.bounds import load_yaml
from replicate.paths import data_files

Unit = Literal["epochs", "iterations"]
PUBLISHED_FIELDS = ("optimizer", "lr", "momentum", "dampening", "nesterov", "weight_decay", "batch_size", "epochs")
"""The fields that a recipe may take from its paper's data instead of naming them again."""


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Schedule(Part):
    """How the learning rate falls. `milestones` and `every` count in `unit`."""

    kind: Literal["constant", "step", "exponential", "linear", "cosine"] = "constant"
    unit: Unit = "epochs"
    milestones: tuple[float, ...] = ()  # step: multiply by gamma at each
    gamma: float = Field(0.1, gt=0, le=1)
    every: float = Field(1, gt=0)  # exponential: multiply by gamma each `every`, as a staircase


class Warmup(Part):
    """How training starts. `constant` keeps `lr`; with `until_train_error` it ends when the batch error falls below."""

    kind: Literal["none", "constant", "linear"] = "none"
    lr: float | None = None
    length: float = Field(0, ge=0)
    unit: Unit = "iterations"
    until_train_error: float | None = Field(None, gt=0, le=100)  # percent


class Recipe(Part):
    """One way to train. Learning rates are per step of `batch_size` images; percent and epochs as the papers print."""

    published: str | None = None  # "<paper>/<recipe>": where the fields that are not given here come from
    optimizer: Literal["sgd", "rmsprop", "adam"] = "sgd"
    lr: float = Field(gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    dampening: float = Field(0, ge=0)
    nesterov: bool = False
    rmsprop_decay: float = Field(0.9, gt=0, lt=1)
    eps: float | None = Field(None, gt=0)
    weight_decay: float = Field(0, ge=0)
    # weights: biases and normalisation are spared; not_depthwise: depthwise filters, too
    decay: Literal["all", "weights", "not_depthwise"] = "all"
    batch_size: int = Field(gt=0)
    epochs: float | None = Field(None, gt=0)
    iterations: int | None = Field(None, gt=0)  # wins over epochs
    schedule: Schedule = Schedule()
    warmup: Warmup = Warmup()
    init: str = "default"
    label_smoothing: float = Field(0, ge=0, lt=1)
    clip_norm: float | None = Field(None, gt=0)
    ema: float | None = Field(None, gt=0, lt=1)  # decay of a moving average of the weights, which is then tested
    bias_rate: float | None = Field(None, gt=0)  # biases learn at so many times the rate
    bn_momentum: float | None = Field(None, gt=0, le=1)  # share of a new batch in the running statistics; null: 0.1
    trained: str | None = None  # the module that alone is trained, the others staying as initialised; null: all

    @model_validator(mode="after")
    def _has_an_end(self) -> "Recipe":
        if self.epochs is None and self.iterations is None:
            raise ValueError("a recipe needs epochs or iterations")
        return self

    def total_steps(self, steps_per_epoch: int) -> int:
        """How many steps training takes."""
        if self.iterations is not None:
            return self.iterations
        assert self.epochs is not None
        return max(1, round(self.epochs * steps_per_epoch))

    def learning_rate(self, step: int, steps_per_epoch: int) -> float:
        """The rate of `step`, counted from 0, once any warm-up that waits for the training error has ended."""
        steps = self.total_steps(steps_per_epoch)
        length = self.warmup.length * (steps_per_epoch if self.warmup.unit == "epochs" else 1)
        if step < length:
            if self.warmup.kind == "linear":
                return self.lr * (step + 1) / length
            if self.warmup.kind == "constant" and self.warmup.lr is not None:
                return self.warmup.lr
        return self.lr * decay_factor(self.schedule, step, steps, steps_per_epoch)


def decay_factor(schedule: Schedule, step: int, steps: int, steps_per_epoch: int) -> float:
    """What the schedule multiplies the initial rate with at `step` of `steps`."""
    position = step / steps_per_epoch if schedule.unit == "epochs" else step
    if schedule.kind == "step":
        return schedule.gamma ** sum(position >= milestone for milestone in schedule.milestones)
    if schedule.kind == "exponential":
        return float(schedule.gamma ** math.floor(position / schedule.every))
    if schedule.kind == "linear":
        return 1 - step / steps
    if schedule.kind == "cosine":
        return (1 + math.cos(math.pi * step / steps)) / 2
    return 1.0


def recipe_names() -> list[str]:
    return list(data_files("recipe"))


@cache
def recipe_file(name: str) -> dict[str, Any]:
    """What conf/recipe/<name>.yaml says, completed by the published recipe that it names."""
    files = data_files("recipe")
    if name not in files:
        raise unknown("recipe", name, files)
    fields: dict[str, Any] = load_yaml(files[name]) or {}
    if not isinstance(fields, dict):
        raise UserError(f"{files[name].name} is no mapping of keys to values")
    if "published" in fields:
        fields = {**published_fields(fields["published"]), **fields}
    return fields


def published_fields(reference: str) -> dict[str, Any]:
    """The fields of a paper's recipe ("resnet/cifar10") that are stated as plain values."""
    from replicate.papers import load_paper

    paper, _, name = reference.partition("/")
    recipes = load_paper(paper).recipes
    if name not in recipes:
        raise unknown(f"recipe of paper {paper}", name, recipes)
    stated = recipes[name].model_dump(include=set(PUBLISHED_FIELDS), exclude_none=True)
    return {field: value for field, value in stated.items() if field == "optimizer" or not isinstance(value, str)}


def resolve_recipe(name: str, overrides: dict[str, Any]) -> Recipe:
    """The recipe file `name` with every override that is not None. Raises UserError if it does not make sense."""
    given = {field: value for field, value in overrides.items() if value is not None}
    try:
        return Recipe.model_validate({**recipe_file(name), **given})
    except ValueError as error:
        raise UserError(f"recipe {name}: {first_line(error)}") from error
