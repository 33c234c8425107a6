"""Study `count`: what follows from a network's graph alone, exact, on the meta device."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import torch

from replicate.errors import UserError, unknown
from replicate.experiments.run_config import RunConfig
from replicate.models import create_model
from replicate.models.counting import Count, count
from replicate.runs.records import Measurement
from replicate.runs.task import Outcome, Task


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
COLUMN_KEYS = ("of", "model", "layer", "without", "share", "input", "density", "side")


def check(config: RunConfig) -> None:
    """Counting takes no longer than looking, so this counts."""
    counted(config)


def run(task: Task) -> Outcome:
    """Counts the variant's network, or its layers options.layer, on one image of options.input.

    options.columns names what is measured, as {column: {of: quantity, ...}}; without it parameters and multiply-adds
    under their own names. A column may also have
    model, input, layer, side: in place of the variant's (model: options that differ);
    without: layers to leave out of the number;
    side: pixels, for the maps of that side alone;
    share: true for the percentage that the layers are of the whole network;
    density: {layers: share of the weights that pruning leaves}, the last pattern that fits wins; biases stay.
    """
    model, options = task.run.config.model, task.run.config.options
    values = counted(task.run.config)
    whole = count(**_network(model, _defaults(options)))
    return Outcome(
        measurements=tuple(Measurement(metric=name, value=float(value)) for name, value in values.items()),
        parameters=whole.parameters,
        multiply_adds=whole.multiply_adds,
    )


def counted(config: RunConfig) -> dict[str, float]:
    """The number of every column. Raises UserError for a network, quantity, key or layer that does not exist."""
    columns = config.options.get("columns") or _both()
    own = {name: {**_defaults(config.options), **column} for name, column in columns.items() if column is not None}
    return {name: measure(config.model, column) for name, column in own.items()}


def _both() -> dict[str, dict[str, str]]:
    return {quantity: {"of": quantity} for quantity in ("parameters", "multiply_adds")}


def _defaults(options: Mapping[str, Any]) -> dict[str, Any]:
    own = {"input": options.get("input", (3, 224, 224)), "layer": options.get("layer", "")}
    return own | {"side": options["side"]} if "side" in options else own


def _network(model: Mapping[str, Any], column: Mapping[str, Any]) -> dict[str, Any]:
    return {**model, **column.get("model", {}), "input_shape": column["input"], "layer": column["layer"]}


def measure(model: Mapping[str, Any], column: Mapping[str, Any]) -> float:
    """The number of one column. Raises UserError for a quantity, key or layer that does not exist."""
    for key in column:
        if key not in COLUMN_KEYS:
            raise unknown("key of a column to count", key, COLUMN_KEYS)
    if column["of"] not in QUANTITIES:
        raise unknown("quantity to count", column["of"], QUANTITIES)
    network = _network(model, column)
    if "density" in column:
        return pruned(network, column["density"])
    quantity = QUANTITIES[column["of"]]
    value = quantity(of_side(count(**network), column.get("side")))
    if "without" in column:
        value -= quantity(count(**{**network, "layer": column["without"]}))
    return 100 * value / quantity(count(**{**network, "layer": ""})) if column.get("share") else value


def of_side(found: Count, side: int | None) -> Count:
    """What was found, with the maps of `side` pixels alone if a side is given."""
    return replace(found, maps=tuple(shape for shape in found.maps if side in (None, *shape[-1:])))


def pruned(network: Mapping[str, Any], density: Mapping[str, float]) -> int:
    """Parameters that remain when each layer keeps its share of the weights, rounded up, and all of its biases."""
    options = {key: value for key, value in network.items() if key not in ("input_shape", "layer")}
    with torch.device("meta"):
        parts = dict(create_model(in_channels=network["input_shape"][0], **options).named_modules())
    if network["layer"] not in parts:
        raise unknown("layer to prune", network["layer"], filter(None, parts))
    kept = 0
    for path, parameter in parts[network["layer"]].named_parameters(prefix=network["layer"]):
        owner = path.rpartition(".")[0]
        share = 1.0 if parameter.ndim == 1 else _density(owner, density)
        kept += math.ceil(round(share * parameter.numel(), 6))  # 0.3 * 10 is a little more than 3 in binary
    return kept


def _density(layer: str, density: Mapping[str, float]) -> float:
    share = next((value for pattern, value in reversed([*density.items()]) if fnmatchcase(layer, pattern)), 1.0)
    if not 0 <= share <= 1:
        raise UserError(f"density of {layer} is a share of the weights, from 0 to 1, not {share}")
    return share
