"""Study `count`: parameters and multiply-adds, exact, on the meta device."""

from typing import Any

from replicate.counting import Count, count
from replicate.errors import unknown
from replicate.experiment import RunConfig
from replicate.records import Measurement
from replicate.studies.base import Outcome, Task

QUANTITIES = ("parameters", "multiply_adds")


def check(config: RunConfig) -> None:
    """Counting takes as long as checking: count."""
    counted(config)


def run(task: Task) -> Outcome:
    """Counts the variant's network, or its submodule options.layer, on one image of options.input.

    options.columns names what is measured: {column: {of: parameters | multiply_adds, model: {overrides}}}; without it
    both quantities under their own names.
    """
    counts = counted(task.run.config)
    columns = columns_of(task.run.config)
    first = next(iter(counts.values()))
    return Outcome(
        measurements=tuple(
            Measurement(metric=name, value=float(getattr(counts[name], column["of"])))
            for name, column in columns.items()
        ),
        parameters=first.parameters,
        multiply_adds=first.multiply_adds,
    )


def columns_of(config: RunConfig) -> dict[str, Any]:
    """What to count, by the name it gets."""
    return config.options.get("columns") or {quantity: {"of": quantity} for quantity in QUANTITIES}


def counted(config: RunConfig) -> dict[str, Count]:
    """The counts of every column."""
    shape, layer = config.options.get("input", (3, 224, 224)), config.options.get("layer", "")
    return {name: count_column(config.model, column, shape, layer) for name, column in columns_of(config).items()}


def count_column(model: dict[str, Any], column: dict[str, Any], shape: tuple[int, int, int], layer: str) -> Count:
    """Count the network of one column: the variant's with the column's overrides."""
    if column["of"] not in QUANTITIES:
        raise unknown("quantity to count", column["of"], QUANTITIES)
    options = {**model, **column.get("model", {})}
    return count(options.pop("name"), shape, layer, **options)
