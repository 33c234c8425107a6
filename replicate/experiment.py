"""From conf/experiment/<name>.yaml to runs: scale, variants, seeds, and the command line, which always wins."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from replicate.catalogue import find
from replicate.composition import BLOCKS, FREE_BLOCKS, apply_overrides, compose_config, one_line, opened, own_words
from replicate.data.config import DataConfig
from replicate.errors import UserError, unknown
from replicate.records import run_id
from replicate.resolvers import register_resolvers
from replicate.studies import STUDIES
from replicate.training.recipe import Recipe, first_line, resolve_recipe

SCALES = ("smoke", "laptop", "paper", "pretrained")
WANDB_MODES = ("auto", "online", "offline", "disabled")
register_resolvers()
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
    scales: tuple[Literal["smoke", "laptop", "paper", "pretrained"], ...]
    claims: tuple[str, ...]
    metrics: dict[str, str]
    statistic: Literal["mean", "median", "best", "single"]
    deviations: dict[str, tuple[str, ...]]


class Experiment:
    """A composed experiment at one scale. Build one with :func:`load_experiment`."""

    def __init__(self, name: str, config: DictConfig, overrides: Sequence[str] = ()) -> None:
        self.name, self.scale = name, str(config.scale)
        self._config, self._overrides = config, tuple(overrides)
        self._resolved: dict[str, Run] = {}  # seed 0 of each variant: resolving takes a hundred times as long as a seed
        self.settings = self._read_settings()
        for variant in map(str, config.variants):
            if Path(variant).is_absolute() or ".." in Path(variant).parts:
                raise UserError(f"{name}: '{variant}' is a path, not the name of a variant")
        if self.settings.study not in STUDIES:
            raise unknown("study", self.settings.study, STUDIES)
        if self.scale not in SCALES:
            raise unknown("scale", self.scale, SCALES)
        if self.scale not in self.settings.scales:
            raise UserError(f"{name} has no scale '{self.scale}': it has {', '.join(self.settings.scales)}")

    def _read_settings(self) -> Settings:
        node = {key: self._config[key] for key in Settings.model_fields}
        return validated(Settings, self.name, OmegaConf.to_container(OmegaConf.create(node), resolve=True))

    @property
    def runs_dir(self) -> Path:
        return Path(self._config.runs_dir)

    @property
    def wandb(self) -> str:
        """One of WANDB_MODES."""
        mode = str(self._config.wandb)
        if mode not in WANDB_MODES:
            raise unknown("wandb mode", mode, WANDB_MODES)
        return mode

    @cached_property
    def machine(self) -> MachineConfig:
        return validated(
            MachineConfig, self.name, OmegaConf.to_container(self._config.machine, resolve=True), "machine"
        )

    @property
    def devices(self) -> int:
        """What the experiment and the command line say of trainer.devices, also where the study reads no such block."""
        return self._config.trainer.devices or 1

    @property
    def launches_here(self) -> bool:
        """Whether the runs are done on this machine, as the launchers of the command line's word tell."""
        return not any(word.startswith(("launcher=ray", "launcher=slurm")) for word in self._overrides)

    @property
    def deviations(self) -> tuple[str, ...]:
        return self.settings.deviations.get(self.scale, ())

    @cached_property
    def variants(self) -> list[str]:
        """The names of the variants that exist at this scale, in the file's order."""
        return variants_at(self._config.variants, self.scale)

    @property
    def seeds(self) -> list[int]:
        count = self._config.seeds
        if not isinstance(count, int) or count < 1:
            raise UserError(f"{self.name}: seeds is a whole number of at least 1, not {count!r}")
        return list(range(count))

    def run(self, variant: str, seed: int) -> Run:
        """The run of one variant and seed, fully resolved. Raises UserError for anything that does not make sense."""
        if variant not in self._resolved:
            self._resolved[variant] = self._first_run(variant)
        return with_seed(self._resolved[variant], seed)

    def _first_run(self, variant: str) -> Run:
        config, names = self._resolve(variant)
        return Run(
            id=run_id(config.study, config.identity(), 0),
            experiment=self.name,
            scale=self.scale,
            variant=variant,
            seed=0,
            row=names["row"],
            architecture=names["architecture"],
            columns=self._columns(variant, names["columns"]),
            config=config,
        )

    def runs(self, variants: Sequence[str] | None = None, seeds: Sequence[int] | None = None) -> list[Run]:
        """Variants x seeds, seeds outermost, so that the first results compare all variants."""
        chosen = list(variants) if variants is not None else self.variants
        return [self.run(name, seed) for seed in (seeds or self.seeds) for name in chosen]

    @cached_property
    def _base(self) -> DictConfig:
        """What a variant is merged into."""
        return opened(self._config)

    def _columns(self, variant: str, named: Sequence[str] | None) -> tuple[str, ...]:
        for column in named or ():
            if column not in self.settings.metrics:
                raise unknown(f"column of variant {variant} of {self.name}", str(column), self.settings.metrics)
        return tuple(named or ())

    def _resolve(self, variant: str) -> tuple[RunConfig, dict[str, Any]]:
        if variant not in self.variants:
            raise unknown(f"variant of {self.name} at {self.scale} scale", variant, self.variants)
        overlay: dict[str, Any] = {**(self._config.variants[variant] or {})}
        names = {key: overlay.pop(key, None) for key in ("row", "architecture", "columns")}
        overlay.pop("scales", None)
        for key in overlay:
            if key not in BLOCKS:
                raise unknown(f"block in variant {variant} of {self.name}", str(key), BLOCKS)
        label = f"{self.name}, variant {variant}"
        try:
            merged = cast(DictConfig, OmegaConf.merge(self._base, overlay))
            apply_overrides(merged, self._overrides)
            blocks = {key: OmegaConf.to_container(merged[key], resolve=True) for key in BLOCKS}
        except OmegaConfBaseException as error:
            raise UserError(f"{label}: {one_line(error)}") from error
        return build_config(self.settings.study, label, blocks), names


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


def variants_at(variants: Mapping[str, Any], scale: str) -> list[str]:
    """The variants that exist at `scale`: all that name no scales of their own, or name this one."""
    return [str(name) for name, body in variants.items() if scale in ((body or {}).get("scales") or (scale,))]


def validated(model: type[Model], label: str, data: Any, block: str = "") -> Model:
    """`data` as `model`, or a UserError that names the setting in one line."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        prefix = f"{block}." if block else ""
        raise UserError(f"{label}: {prefix}{first_line(error)}") from error


def load_experiment(name: str, overrides: Sequence[str] = ()) -> Experiment:
    """Compose conf/config.yaml with the experiment and the command line's `key=value` words.

    `variant=` and `seed=` may be among them; they narrow a sweep and do not matter here. Raises UserError.
    """
    find(name)
    for word in overrides:
        if word.lstrip("+~").startswith("experiment="):
            raise UserError(f"'{word}': the experiment is {name}, named before; another word cannot change it")
    own = own_words(overrides)
    return Experiment(name, compose_config([f"experiment={name}", *own]), own)
