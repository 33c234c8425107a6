"""A run as data: everything that decides its result, and the id that follows from it."""

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from replicate.data.config import DataConfig
from replicate.errors import UserError
from replicate.experiments.composition import FREE_BLOCKS
from replicate.experiments.kinds import STUDIES
from replicate.experiments.recipe import Recipe, first_line, resolve_recipe
from replicate.experiments.scale import Scale, Where
from replicate.files import canonical, digest

WANDB_MODES = ("auto", "online", "offline", "disabled")
Model = TypeVar("Model", bound=BaseModel)


class Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TrainerConfig(Block):
    """How the optimiser's arithmetic is done. The recipe's batch goes through the network in `parts`.

    `devices` at once, `accumulate` on each. The number of devices decides batch statistics, and so a run's result;
    None, which one device becomes, leaves the id of a run what it was before there could be several.
    """

    precision: Literal["32-true", "16-mixed", "bf16-mixed", "64-true"] = "32-true"
    accumulate: int = Field(1, ge=1)
    devices: int | None = Field(None, ge=1)

    @field_validator("devices")
    @classmethod
    def _one_is_none(cls, devices: int | None) -> int | None:
        return None if devices == 1 else devices

    @property
    def parts(self) -> int:
        """Parts of the recipe's batch, each with batch statistics of its own."""
        return self.accumulate * (self.devices or 1)


class MachineConfig(Block):
    """Where and how fast a run runs; recorded, but no part of its identity."""

    accelerator: str = "auto"
    threads: int = Field(1, ge=1)
    workers: int | None = Field(None, ge=1)
    loader_workers: int = Field(0, ge=0)
    channels_last: bool = True
    compile: bool = False
    checkpoint_seconds: float = Field(60, ge=0)


class RunConfig(Block):
    """Everything that decides the result of a run but its seed."""

    study: str
    model: dict[str, Any] = {}
    data: DataConfig | None = None
    recipe: Recipe | None = None
    trainer: TrainerConfig | None = None
    options: dict[str, Any] = {}

    @property
    def devices(self) -> int:
        """Devices of the training; 1 where nothing is trained."""
        return self.trainer.devices or 1 if self.trainer is not None else 1

    def identity(self) -> dict[str, Any]:
        """What a run's id is made of: all that is set, less where files lie and where a recipe's numbers came from."""
        unimportant = {"data": {"root", "download"}, "recipe": {"published"}}
        return self.model_dump(mode="json", exclude_none=True, exclude=unimportant)


class Run(Block):
    """One (experiment, scale, variant, seed).

    `row` is the published row that the variant re-makes, `architecture` the paper's entry for its graph at paper scale.
    `columns` are the columns of that row that it measures, where a row takes several runs (a network on two data sets,
    with and without its gates); empty: all that the experiment binds.
    """

    id: str
    experiment: str
    scale: str
    variant: str
    seed: int
    row: str | None
    architecture: str | None = None
    columns: tuple[str, ...] = ()
    config: RunConfig


class Settings(Block):
    """What an experiment file says about itself, besides the blocks."""

    paper: str
    table: str
    study: str
    scales: tuple[Scale, ...]
    claims: tuple[str, ...]
    metrics: dict[str, str]
    statistic: Literal["mean", "median", "best", "single"]
    deviations: dict[Where, tuple[str, ...]]


def build_config(study: str, label: str, blocks: dict[str, Any]) -> RunConfig:
    """Keep the blocks that the study uses, drop what is not set, and check every value."""
    used = {key: blocks[key] for key in STUDIES[study].blocks}
    for free in FREE_BLOCKS:
        if free in used:
            used[free] = {key: value for key, value in used[free].items() if value is not None}
    if "recipe" in used:
        fields = dict(used["recipe"])
        name = fields.pop("name")
        if name is None and not STUDIES[study].untrained:
            raise UserError(f"{label}: recipe.name is missing: how is the network trained?")
        used["recipe"] = None if name is None else resolve_recipe(name, fields)
    return validated(RunConfig, label, {"study": study, **used})


def with_seed(run: Run, seed: int) -> Run:
    """The same run under another seed; the configuration is not resolved again."""
    if seed < 0:
        raise UserError(f"seed is a whole number of at least 0, not {seed}")
    return run.model_copy(update={"seed": seed, "id": f"{run.id.rsplit('-s', 1)[0]}-s{seed}"})


def validated(model: type[Model], label: str, data: Any, block: str = "") -> Model:
    """`data` as `model`, or a UserError that names the setting in one line."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        prefix = f"{block}." if block else ""
        raise UserError(f"{label}: {prefix}{first_line(error)}") from error


def run_id(study: str, config: dict[str, Any], seed: int) -> str:
    """`train-1a2b3c4d5e6f-s0`: the study, twelve digits of the configuration's hash, the seed."""
    return f"{study}-{digest(canonical(config))[:12]}-s{seed}"
