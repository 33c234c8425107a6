"""From conf/experiment/<paper>/<name>.yaml to runs: scale, variants, seeds, and the command line, which always wins."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from replicate.errors import UserError, unknown
from replicate.experiments.catalogue import find
from replicate.experiments.composition import (
    BLOCKS,
    apply_overrides,
    compose_config,
    experiment_words,
    hydra_overrides,
    one_line,
    opened,
)
from replicate.experiments.deviations import Pair, derived
from replicate.experiments.duration import parse_duration
from replicate.experiments.guard import check_variant
from replicate.experiments.kinds import STUDIES
from replicate.experiments.overrides import check_overrides
from replicate.experiments.resolvers import register_resolvers
from replicate.experiments.run_config import (
    WANDB_MODES,
    MachineConfig,
    Run,
    RunConfig,
    Settings,
    build_config,
    run_id,
    validated,
    with_seed,
)
from replicate.experiments.scale import SMALL, Scale, lines_at

if TYPE_CHECKING:  # whose import takes longer than the commands that need no paper
    from replicate.papers import Paper

register_resolvers()

SEED_LIMIT = 100_000  # more would fill the memory with runs before the first begins
NEUTRAL = ("scale=", "budget=", "runs_dir=", "wandb=", "launcher", "machine.")
"""Overrides that change neither a run's configuration nor which runs there are."""
FOLDERS = ("root", "download")
"""Settings of `data` by which files are read and written elsewhere: no variant may have its own."""


class Experiment:
    """A composed experiment at one scale. Build one with :func:`load_experiment`."""

    def __init__(
        self, name: str, config: DictConfig, overrides: Sequence[str] = (), paper: "Paper | None" = None
    ) -> None:
        self.name, self._config, self._overrides = name, config, tuple(overrides)
        self._paper = paper  # of an experiment that has no file
        self._resolved: dict[str, Run] = {}  # seed 0 of each variant: resolving takes a hundred times as long as a seed
        self.settings = self._read_settings()
        for variant in map(str, config.variants):
            check_variant(name, variant)
        if self.settings.study not in STUDIES:
            raise unknown("study", self.settings.study, STUDIES)
        self.scale = self._scale_in_force()

    def _scale_in_force(self) -> Scale:
        """The scale that is asked for; what counts or computes has no size, and gives its one answer at every scale."""
        scale = Scale.named(str(self._config.scale))
        if self.settings.scales == (Scale.EXACT,):
            self._config.scale = scale = Scale.EXACT
        if scale not in self.settings.scales:
            raise UserError(f"{self.name} has no scale '{scale}': it has {', '.join(self.settings.scales)}")
        return scale

    def _read_settings(self) -> Settings:
        node = {key: self._config[key] for key in Settings.model_fields if key in self._config}
        try:
            return validated(Settings, self.name, OmegaConf.to_container(OmegaConf.create(node), resolve=True))
        except OmegaConfBaseException as error:
            raise UserError(f"{self.name}: {one_line(error)}") from error

    @cached_property
    def paper(self) -> "Paper":
        """The paper whose table it re-makes. Raises UserError for one that the suite does not have."""
        from replicate.papers import load_paper

        return self._paper or load_paper(self.settings.paper)

    @property
    def runs_dir(self) -> Path:
        """The folder of all runs, whatever the working folder becomes."""
        named = self._config.runs_dir
        if not named or not isinstance(named, (str, Path)):
            raise UserError(f"{self.name}: runs_dir is the folder of runs, not {named!r}")
        return Path(named).absolute()

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
    def budget(self) -> float | None:
        """Seconds that all runs may take; the planned ones are always done. None: no others are."""
        asked = self._config.budget
        return None if asked is None else parse_duration(str(asked))

    @property
    def launcher(self) -> dict[str, Any]:
        """The group `launcher` as composed: which executor does the runs, and its resources."""
        return cast(dict[str, Any], OmegaConf.to_container(self._config.launcher, resolve=True))

    @cached_property
    def deviations(self) -> tuple[str, ...]:
        """How the runs depart from the paper: what follows from their configuration, then what the file says."""
        return (*derived(self._compared()), *lines_at(self.settings.deviations, self.scale))

    def _compared(self) -> list[Pair]:
        """Every variant beside itself at the reference scale; beside that scale's first one where it exists here only.

        The reference is the paper's scale, without the overrides of the command line. A scale of the paper's size is
        compared with itself, and so only where overrides change it.
        """
        sized = [scale for scale in (Scale.PAPER, Scale.PRETRAINED) if scale in self.settings.scales]
        scale = self.scale if self.scale not in SMALL else next(iter(sized), None)
        if scale is self.scale and not self._overridden:
            return []
        here = {variant: self.run(variant, 0).config for variant in self.variants}
        if scale is None:
            return [Pair(variant, config, None) for variant, config in here.items()]
        reference = self.declared_at(scale)
        there = {v: reference.run(v if v in reference.variants else reference.variants[0], 0).config for v in here}
        return [Pair(variant, config, there[variant]) for variant, config in here.items()]

    @property
    def _overridden(self) -> bool:
        """Whether the command line may have changed what a run's result depends on."""
        return not all(override.startswith((*NEUTRAL, "seeds=")) for override in self._overrides)

    def declared_at(self, scale: Scale) -> "Experiment":
        """The experiment at another scale as its file declares it. Hydra is asked only if overrides are in the way."""
        if self._overridden:
            return load_experiment(self.name, [f"scale={scale}"])
        config = self._config.copy()
        config.scale = scale
        return Experiment(self.name, config)

    @cached_property
    def variants(self) -> list[str]:
        """The names of the variants that exist at this scale, in the file's order."""
        return variants_at(self._config.variants, self.scale)

    @property
    def seeds(self) -> list[int]:
        count = self._config.seeds
        if not isinstance(count, int) or count < 1:
            raise UserError(f"{self.name}: seeds is a whole number of at least 1, not {count!r}")
        if count > SEED_LIMIT:
            raise UserError(f"{self.name}: seeds is at most {SEED_LIMIT:,}, not {count:,}")
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
        for key in FOLDERS:
            if cast(dict[str, Any], blocks["data"]).get(key) != OmegaConf.select(self._config, f"data.{key}"):
                raise UserError(f"{label}: data.{key} is the command line's to say")
        return build_config(self.settings.study, label, blocks), names


def variants_at(variants: Mapping[str, Any], scale: str) -> list[str]:
    """The variants that exist at `scale`: all that name no scales of their own, or name this one."""
    return [str(name) for name, body in variants.items() if scale in ((body or {}).get("scales") or (scale,))]


def load_experiment(name: str, overrides: Sequence[str] = ()) -> Experiment:
    """Compose conf/config.yaml with the experiment and the command line's `key=value` overrides.

    `variant=` and `seed=` may be among them; they narrow a sweep and do not matter here. Raises UserError.
    """
    for override in overrides:
        if override.lstrip("+~").startswith(("experiment=", "paper=")):
            raise UserError(f"'{override}': the experiment is {name}, named before; an override cannot change it")
    entry = find(name)
    check_overrides(overrides)
    own = hydra_overrides(overrides)
    return Experiment(name, compose_config([*experiment_words(entry), *own]), own)
