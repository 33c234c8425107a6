"""Which runs of an experiment the command line asks for."""

from collections.abc import Iterable, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString
from hydra.errors import HydraException

from replicate.errors import UserError, unknown
from replicate.experiments.composition import is_sweep
from replicate.experiments.experiment import Experiment
from replicate.experiments.run_config import Run


def selected(experiment: Experiment, overrides: Sequence[str]) -> list[Run]:
    """The runs that `variant=` and `seed=` among the command line's overrides leave, or all."""
    chosen = dict(chosen_values(override, experiment.variants) for override in overrides if is_sweep(override))
    seeds = [whole_number(value) for value in chosen["seed"]] if "seed" in chosen else None
    for variant in chosen.get("variant", []):
        if variant not in experiment.variants:
            raise unknown(f"variant of {experiment.name} at {experiment.scale} scale", variant, experiment.variants)
    for key, values in chosen.items():
        if len(set(values)) < len(values) or not values:
            raise UserError(f"{key}= names {'nothing' if not values else 'something twice'}: {', '.join(values)}")
    return experiment.runs(chosen.get("variant"), seeds)


def chosen_values(override: str, variants: Iterable[str]) -> tuple[str, list[str]]:
    """`variant=a,b`, `seed=range(3)`, `variant=[a, b]` as key and values.

    A variant whose name has commas or parentheses, which are Hydra's grammar, may be given as it is.
    """
    key, _, text = override.partition("=")
    if text in variants:
        return key, [text]
    try:
        parsed = OverridesParser.create().parse_override(override)
    except HydraException as error:
        raise UserError(
            f"'{override}' is no list of names: {key}=a,b or {key}=range(3), quoted where it has odd signs"
        ) from error
    given: Any = list(parsed.sweep_iterator()) if parsed.is_sweep_override() else parsed.value()
    values = given if isinstance(given, list) else [given]
    return key, [one.text if isinstance(one, QuotedString) else str(one) for one in values]


def whole_number(text: str) -> int:
    if not text.isdecimal():
        raise UserError(f"seed is a whole number of at least 0, not {text}")
    return int(text)
