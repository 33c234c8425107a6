"""How a scale departs from the paper's, derived from the two configurations, so that no line can be out of date."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from replicate.data.config import DataConfig
from replicate.data.shapes import data_shape
from replicate.experiments.recipe import Schedule, Warmup
from replicate.experiments.run_config import RunConfig

Settings = Mapping[str, Any]
WORD = re.compile(r"\[.*?\]|\S+")  # a list is one word
MANY = 3  # so many variants are named, and so many values told one by one
DATA_SETS = {
    "bundled": "Fashion-MNIST",
    "fashion_mnist": "Fashion-MNIST",
    "mnist": "MNIST",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "svhn": "SVHN",
    "svhn_extra": "SVHN with its extra images",
    "imagenet": "ImageNet",
    "synthetic": "noise",
}
ABSOLUTE = {"data": ("images", "size"), "recipe": ("length", "schedule")}
"""What is told where nothing is trained at the reference scale, or there is none."""


class Pair(NamedTuple):
    """One variant here, and what it is compared with: the same variant at the reference scale, None without one."""

    variant: str
    here: RunConfig
    there: RunConfig | None


class Difference(NamedTuple):
    """A setting here and there as words; an empty word is a setting that nobody set."""

    here: str
    there: str


def derived(pairs: Sequence[Pair]) -> list[str]:
    """One line for each part of the configuration in which any pair differs."""
    return [line for part in PARTS for line in part_lines(part, pairs)]


def part_lines(part: str, pairs: Sequence[Pair]) -> list[str]:
    """The line of one part: what all variants share, then setting by setting what sets them apart."""
    found = {pair.variant: differences(part, pair) for pair in pairs}
    keys = list(dict.fromkeys(key for settings in found.values() for key in settings))
    common = [key for key in keys if len({settings.get(key) for settings in found.values()}) == 1]
    first = next(iter(found.values()), {})
    shared = [instead(first[key] for key in common)] if common else []
    apart = [varied(key, {v: s[key] for v, s in found.items() if key in s}, pairs) for key in keys if key not in common]
    told = "; ".join([*shared, *apart])
    return [f"{part}: {told}"] if told else []


def differences(part: str, pair: Pair) -> dict[str, Difference]:
    """The settings of one part that differ; those of ABSOLUTE where nothing stands on the other side."""
    settings, told = PARTS[part]
    here, there = settings(pair.here), settings(pair.there) if pair.there is not None else {}
    if not there:
        return {key: Difference(told(key, here[key]), "") for key in ABSOLUTE.get(part, ()) if key in here}
    keys = [key for key in dict.fromkeys((*here, *there)) if here.get(key) != there.get(key)]
    return {key: Difference(told(key, here.get(key)), told(key, there.get(key))) for key in keys}


def instead(found: Iterable[Difference]) -> str:
    """`20 layers, 0.25 of the width instead of 50 layers`; of one setting alone `20 instead of 50 layers`."""
    pairs = list(found)
    if len(pairs) == 1 and pairs[0].here and pairs[0].there:
        return joined(pairs[0].here, pairs[0].there, "instead of")
    here = ", ".join(pair.here for pair in pairs if pair.here)
    there = ", ".join(pair.there for pair in pairs if pair.there)
    return f"{here or 'the default'} instead of {there}" if there else here


def joined(first: str, last: str, link: str) -> str:
    """Two phrases with what both begin or end with said once: `8 to 44 layers`, `growth rate 8 instead of 32`."""
    here, there = WORD.findall(first), WORD.findall(last)
    most = min(len(here), len(there)) - 1
    begin = min(most, common_start(here, there))
    end = min(most - begin, common_start(here[::-1], there[::-1]))
    return " ".join((*here[: len(here) - end], link, *there[begin:]))


def common_start(first: Sequence[str], last: Sequence[str]) -> int:
    """How many words two phrases begin with in common."""
    return next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))


def varied(key: str, found: Mapping[str, Difference], pairs: Sequence[Pair]) -> str:
    """A setting that is not the same in all variants: its values with their variants, or their range."""
    groups: dict[Difference, list[str]] = {}
    for variant, difference in found.items():
        groups.setdefault(difference, []).append(variant)
    if len(groups) <= MANY:
        return ", ".join(f"{instead([pair])} ({named(variants, len(pairs))})" for pair, variants in groups.items())
    here, there = ([word for word in dict.fromkeys(side) if word] for side in zip(*groups, strict=True))
    return instead([Difference(span(here), span(there))]) + f" ({named(list(found), len(pairs))})"


def named(variants: Sequence[str], of: int) -> str:
    """Which variants, or how many of how many."""
    if len(variants) == of:
        return "by variant"
    quoted = (f"'{variant}'" if "," in variant else variant for variant in variants)
    return ", ".join(quoted) if len(variants) <= MANY else f"{len(variants)} of {of} variants"


def span(words: Sequence[str]) -> str:
    """`8 to 44 layers`: the first and the last of the list, as the variants have it."""
    return joined(words[0], words[-1], "to") if len(words) > 1 else "".join(words)


def model_settings(config: RunConfig) -> Settings:
    return flattened(config.model)


def told_model(key: str, value: Any) -> str:
    if value is None or key == "name":
        return value or ""
    words = {"depth": f"{value} layers", "width": f"{value} of the width"}
    if key == "stem" and value == "small":
        return "the stem for small images"
    return words.get(key) or plain(key, value)


def data_settings(config: RunConfig) -> Settings:
    """What the images are, as the network sees them."""
    data = config.data
    if data is None:
        return {}
    shape = data_shape(data)
    own = {key: value for key, value in data if key in OWN_DATA}
    held_out = data.validation or None
    images = f"{shape.train_images:,} images of {DATA_SETS.get(data.name, data.name.replace('_', ' '))}"
    return {
        "images": images,
        "size": shape.size,
        "channels": shape.channels,
        "classes": shape.classes,
        **own,
        "validation": held_out,
    }


OWN_DATA = tuple(
    name
    for name in DataConfig.model_fields
    if name
    not in {"name", "size", "train_images", "validation", "root", "download", "channels", "classes", "augmentation"}
)


def told_data(key: str, value: Any) -> str:
    if value is None:
        return "one crop" if key == "test_crops" else ""
    words = {
        "images": value,
        "size": f"{value} pixels",
        "channels": "gray" if value == 1 else "in colour",
        "classes": f"{value:,} classes" if key == "classes" else "",
        "test_images": f"tested on {value}",
        "test_crops": f"{value} crops at test time",
        "validation": f"{value:,} more held out" if key == "validation" else "",
        "normalisation": f"normalised by {str(value).replace('_', ' ')}",
        "sampling": f"classes {value}",
    }
    return words.get(key) or plain(key, value)


def augmentation(config: RunConfig) -> Settings:
    return {"augmentation": config.data.augmentation} if config.data is not None else {}


def recipe_settings(config: RunConfig) -> Settings:
    """How the network is trained; `length` is iterations if they are given, epochs otherwise."""
    recipe = config.recipe
    if recipe is None:
        return {}
    length = counted(recipe.epochs or 0, "epoch") if recipe.iterations is None else f"{recipe.iterations:,} iterations"
    left = {
        key: value for key, value in recipe if key not in {"published", "epochs", "iterations", "schedule", "warmup"}
    }
    return {
        "length": length,
        "schedule": schedule_words(recipe.schedule),
        "warmup": warmup_words(recipe.warmup),
        **left,
    }


def counted(number: float, unit: str) -> str:
    return f"{number:g} {unit}{'' if number == 1 else 's'}"


def schedule_words(schedule: Schedule) -> str:
    if schedule.kind == "step":
        steps = ", ".join(f"{milestone:g}" for milestone in schedule.milestones)
        return f"steps after {steps} {schedule.unit}"
    if schedule.kind == "exponential":
        return f"factor {schedule.gamma:g} every {schedule.every:g} {schedule.unit}"
    return "constant rate" if schedule.kind == "constant" else f"{schedule.kind} schedule"


def warmup_words(warmup: Warmup) -> str:
    if warmup.kind == "none":
        return ""
    if warmup.until_train_error is not None:
        return f"warm-up until the error is {warmup.until_train_error:g} %"
    return f"warm-up of {warmup.length:g} {warmup.unit}"


def told_recipe(key: str, value: Any) -> str:
    if value is None:
        return ""
    words = {
        "length": value,
        "schedule": value,
        "warmup": value or "no warm-up",
        "optimizer": {"sgd": "SGD", "rmsprop": "RMSProp", "adam": "Adam"}.get(str(value), ""),
        "lr": f"rate {value}",
        "batch_size": f"batches of {value}",
        "nesterov": "Nesterov momentum" if value else "plain momentum",
        "ema": f"averaged weights (decay {value})",
        "bias_rate": f"biases at {value} times the rate",
        "bn_momentum": f"running statistics with {value} of a batch",
    }
    return words.get(key) or plain(key, value)


def arithmetic(config: RunConfig) -> Settings:
    return dict(config.trainer) if config.trainer is not None else {}


def told_option(key: str, value: Any) -> str:
    return f"{value:,} test images" if key == "images" and value is not None else plain(key, value)


def option_settings(config: RunConfig) -> Settings:
    return flattened(config.options.given)


def flattened(value: Any, name: str = "") -> dict[str, Any]:
    """Nested settings by their last names; lists of plain values stay whole."""
    if isinstance(value, Mapping):
        return {key: found for name, inner in value.items() for key, found in flattened(inner, str(name)).items()}
    if isinstance(value, Sequence) and any(isinstance(inner, Mapping) for inner in value):
        return {key: found for inner in value for key, found in flattened(inner, name).items()}
    return {name: value}


def plain(key: str, value: Any) -> str:
    """A setting without words of its own: `growth rate 8`, `with batch norm`."""
    if value is None:
        return ""
    name = key.replace("_", " ")
    if isinstance(value, bool):
        return f"with {name}" if value else f"without {name}"
    return f"{name} {value if isinstance(value, str) else json.dumps(value)}"


PARTS: dict[str, tuple[Callable[[RunConfig], Settings], Callable[[str, Any], str]]] = {
    "data": (data_settings, told_data),
    "augmentation": (augmentation, lambda _, value: str(value).replace("_", " ")),
    "network": (model_settings, told_model),
    "recipe": (recipe_settings, told_recipe),
    "arithmetic": (arithmetic, plain),
    "measurement": (option_settings, told_option),
}
"""Name of a part: its settings, and a setting as words."""
