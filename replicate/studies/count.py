"""Study `count`: what follows from a network's graph alone, exact, on the meta device."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import torch

from replicate.errors import UserError, unknown
from replicate.experiments.run_config import RunConfig
from replicate.files import canonical
from replicate.models import create_model
from replicate.models.counting import Count, count
from replicate.runs.records import singles
from replicate.runs.task import Outcome, Task
from replicate.studies.options import Column, CountOptions

Config = RunConfig[CountOptions]
CountLayers = Callable[[Mapping[str, Any], Column, str], Count]
"""What there is to count in a layer of a column's network."""


def largest(found: Count) -> tuple[int, ...]:
    """(channels, height, width) of the map with most values. Raises UserError where there is none."""
    maps = [shape for shape in found.maps if len(shape) == 3]
    if not maps:
        raise UserError("none of the layers gives a map of that size")
    return max(maps, key=math.prod)


QUANTITIES: dict[str, Callable[[Count], float]] = {
    "parameters": lambda found: found.parameters,
    "weights": lambda found: found.weights,  # of convolutions and matrices, without biases and normalisation
    "bare_parameters": lambda found: found.parameters - found.normalisation,  # with biases, without normalisation
    "multiply_adds": lambda found: found.multiply_adds,
    # LeCun et al. 1998 count what each unit reads: the inputs of its sum, and its bias
    "connections": lambda found: found.multiply_adds + found.pooled + math.prod(found.output),
    "channels": lambda found: found.output[0],
    "values": lambda found: math.prod(found.output),  # that a layer gives for one image
    "most_channels": lambda found: largest(found)[0],  # of the largest map that any of the layers gives
    "map_kilobytes": lambda found: 2 * math.prod(largest(found)) / 1e3,  # of that map in 16-bit numbers
    "megabytes": lambda found: 4 * found.parameters / 1e6,  # of 32-bit parameters
    "mebibytes": lambda found: 4 * found.parameters / 2**20,
}


def check(config: Config) -> None:
    """Counting takes no longer than looking, so this counts."""
    counted(config)


def run(task: Task[Config]) -> Outcome:
    """Counts the columns of the options, by default parameters and multiply-adds of the variant's network."""
    config = task.run.config
    column = filled(Column(of="parameters"), config.options)
    whole = counted_layers(config.model, column, column.layer)
    return Outcome(tuple(singles(counted(config))), parameters=whole.parameters, multiply_adds=whole.multiply_adds)


def counted(config: Config) -> dict[str, float]:
    """The number of every column. Raises UserError for a network, quantity or layer that does not exist."""
    columns = {name: column for name, column in config.options.columns.items() if column is not None}
    once = counted_once()
    return {name: measure(config.model, filled(column, config.options), once) for name, column in columns.items()}


def filled(column: Column, options: CountOptions) -> Column:
    """The column with the options' input, layer and side where it names none."""
    common = {"input", "layer", "side"} - column.model_fields_set
    return column.model_copy(update={name: getattr(options, name) for name in common})


def network_of(model: Mapping[str, Any], column: Column) -> dict[str, Any]:
    """Name and options of the column's network."""
    options = {**model, **column.model}
    if "name" not in options:
        raise UserError("model.name is missing: which network is counted?")
    return options


def counted_layers(model: Mapping[str, Any], column: Column, layer: str) -> Count:
    """What there is to count in `layer` of the column's network."""
    return count(**network_of(model, column), input_shape=column.input, layer=layer)


def counted_once() -> CountLayers:
    """:func:`counted_layers` with a memory of its own: many columns ask about one network."""
    known: dict[str, Count] = {}

    def once(model: Mapping[str, Any], column: Column, layer: str) -> Count:
        key = canonical([network_of(model, column), column.input, layer])
        if key not in known:
            known[key] = counted_layers(model, column, layer)
        return known[key]

    return once


def measure(model: Mapping[str, Any], column: Column, count_layers: CountLayers = counted_layers) -> float:
    """The number of one column. Raises UserError for a quantity or layer that does not exist."""
    if column.of not in QUANTITIES:
        raise unknown("quantity to count", column.of, QUANTITIES)
    if column.density is not None:
        return pruned(model, column, column.density)
    quantity = QUANTITIES[column.of]
    value = quantity(of_side(count_layers(model, column, column.layer), column.side))
    if column.without is not None:
        value -= quantity(count_layers(model, column, column.without))
    return 100 * value / quantity(count_layers(model, column, "")) if column.share else value


def of_side(found: Count, side: int | None) -> Count:
    """What was found, with the maps of `side` pixels alone if a side is given."""
    return replace(found, maps=tuple(shape for shape in found.maps if side in (None, *shape[-1:])))


def pruned(model: Mapping[str, Any], column: Column, density: Mapping[str, float]) -> int:
    """Parameters that remain when each layer keeps its share of the weights, rounded up, and all of its biases."""
    layer, options = column.layer, {"in_channels": column.input[0], **network_of(model, column)}
    with torch.device("meta"):
        parts = dict(create_model(**options).named_modules())
    if layer not in parts:
        raise unknown("layer to prune", layer, filter(None, parts))
    kept = 0
    for path, parameter in parts[layer].named_parameters(prefix=layer):
        owner = path.rpartition(".")[0]
        share = 1.0 if parameter.ndim == 1 else density_of(owner, density)
        kept += math.ceil(round(share * parameter.numel(), 6))  # 0.3 * 10 is a little more than 3 in binary
    return kept


def density_of(layer: str, density: Mapping[str, float]) -> float:
    """The share of the layer's weights that stays."""
    share = next((value for pattern, value in reversed([*density.items()]) if fnmatchcase(layer, pattern)), 1.0)
    if not 0 <= share <= 1:
        raise UserError(f"density of {layer} is a share of the weights, from 0 to 1, not {share}")
    return share
