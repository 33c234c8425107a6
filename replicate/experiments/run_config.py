"""A run as data: everything that decides its result, and the id that follows from it."""

from importlib import import_module
from typing import Any, Generic, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypeVar

from replicate.data.config import DataConfig
from replicate.data.shapes import data_shape
from replicate.errors import UNKNOWN_SETTING, UserError, first_line, unknown
from replicate.experiments.kinds import STUDIES
from replicate.experiments.overrides import FREE_BLOCKS
from replicate.experiments.recipe import Recipe, resolve_recipe
from replicate.experiments.scale import Scale, Where
from replicate.files import canonical, digest

WANDB_MODES = ("auto", "online", "offline", "disabled")
Model = TypeVar("Model", bound=BaseModel)


class Block(BaseModel):
    """Settings as data. An unknown one is refused with the nearest that there is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        for key in data if isinstance(data, dict) else ():
            if key not in cls.model_fields:
                problem = str(unknown("setting", str(key), cls.model_fields))
                raise PydanticCustomError(UNKNOWN_SETTING, "{problem}", {"problem": problem, "key": str(key)})
        return data


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

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    threads: int = Field(1, ge=1)
    workers: int | None = Field(None, ge=1)
    runs_per_gpu: int = Field(1, ge=1)
    loader_workers: int = Field(0, ge=0)
    channels_last: bool = True
    compile: bool = False
    checkpoint_seconds: float = Field(60, ge=0)


class Options(Block):
    """The block `options` of a run; each study has its class.

    Dumped as it was given, without defaults: run ids are hashed from it, so that an option added later changes none.
    """

    _given: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _keep(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        options = handler(data)
        if isinstance(data, dict):
            options._given = data
        return options

    @model_serializer
    def _as_given(self) -> dict[str, Any]:
        return self._given

    @property
    def given(self) -> dict[str, Any]:
        """What the experiment and the command line say, and nothing else."""
        return self._given


OptionsT = TypeVar("OptionsT", bound=Options, default=Options, covariant=True)


class RunConfig(Block, Generic[OptionsT]):
    """Everything that decides the result of a run but its seed. Raises UserError for options that the study lacks."""

    study: str
    model: dict[str, Any] = {}
    data: DataConfig | None = None
    recipe: Recipe | None = None
    trainer: TrainerConfig | None = None
    options: OptionsT = Field(default_factory=dict, validate_default=True)

    @field_validator("options", mode="before")
    @classmethod
    def _of_the_study(cls, options: Any, info: ValidationInfo) -> Options:
        return read_options(info.data["study"], options)

    @property
    def devices(self) -> int:
        """Devices of the training; 1 where nothing is trained."""
        return self.trainer.devices or 1 if self.trainer is not None else 1

    @property
    def steps(self) -> int:
        """Steps of the training, the last batch of an epoch counted however few images it has; 0 without a training."""
        if self.data is None or self.recipe is None:
            return 0
        return self.recipe.total_steps(-(-data_shape(self.data).train_images // self.recipe.batch_size))

    def identity(self) -> dict[str, Any]:
        """What a run's id is made of: every field that is set, except file locations and the source of a recipe."""
        unimportant = {"data": {"root", "download"}, "recipe": {"published"}}
        return self.model_dump(mode="json", exclude_none=True, exclude=unimportant)


class DataRunConfig(RunConfig[OptionsT], Generic[OptionsT]):
    """A run that shows images to a network."""

    data: DataConfig


class RecipeRunConfig(DataRunConfig[OptionsT], Generic[OptionsT]):
    """A run whose network takes training steps, whether or not it is trained to the end."""

    recipe: Recipe


class TrainingConfig(RecipeRunConfig[OptionsT], Generic[OptionsT]):
    """A run that trains its network, or takes it from the run that did."""

    trainer: TrainerConfig


ConfigT = TypeVar("ConfigT", bound=RunConfig, default=RunConfig, covariant=True)


class Run(Block, Generic[ConfigT]):
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
    config: ConfigT


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
    regime: Literal["short", "small", "noisy", "long"] | None = None


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
    used["options"] = read_options(study, used["options"], label)
    return validated(config_class(study), label, {"study": study, **used})


def config_class(study: str) -> type[RunConfig]:
    """The configuration of the study's runs: the blocks that it reads are there."""
    optional = {"recipe", "trainer"} if STUDIES[study].untrained else set()
    required = set(STUDIES[study].blocks) - optional
    if "trainer" in required:
        return TrainingConfig
    if "recipe" in required:
        return RecipeRunConfig
    return DataRunConfig if "data" in required else RunConfig


def training_config(config: RunConfig) -> TrainingConfig:
    """The training of the same network on the same data by the same recipe, as study `train` does it."""
    fields = config.model_dump(include={"model", "data", "recipe", "trainer"})
    return TrainingConfig.model_validate({**fields, "study": "train"})


def read_options(study: str, options: Any, label: str = "") -> Options:
    """What `options` say, as the study's class. Raises UserError in one line for an option that makes no sense."""
    module, _, name = STUDIES[study].options.partition(":")
    return validated(getattr(import_module(module), name), label or f"study {study}", options, "options")


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
        raise UserError(f"{label}: {first_line(error, block)}") from error


def run_id(study: str, config: dict[str, Any], seed: int) -> str:
    """`train-1a2b3c4d5e6f-s0`: the study, twelve digits of the configuration's hash, the seed."""
    return f"{study}-{digest(canonical(config))[:12]}-s{seed}"
