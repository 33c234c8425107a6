"""Every way in which papers count parameters, operations and bytes, tried against a printed number.

An erratum accuses only what no convention explains: `explain` lists the readings that give the printed digits.
Quantities that are neither parameters nor operations (channels, map sizes) are counted in one way only.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

import torch
from torch import Tensor, nn

from replicate.compat import TorchDispatchMode
from replicate.errors import unknown
from replicate.models import create_model, model_options
from replicate.models.counting import count_multiply_adds, count_parameters
from replicate.papers.misprints import Counted
from replicate.papers.printed import decimals
from replicate.papers.units import unit
from replicate.studies.count import measure
from replicate.studies.options import Column

Rounding = Literal["nearest", "truncated"]

BYTES = {"MB": 1e6, "MiB": float(2**20)}
"""Units of a size in 32-bit numbers."""

KILO = {"KB": 1.0, "KiB": 1.024}
"""Units of a count of kilobytes."""

THOUSANDS = {"thousands": 1e3, "thousands (1024)": 1024.0}

SIZED = frozenset({"parameters", "weights", "bare_parameters", "megabytes", "mebibytes"})
"""Quantities of study `count` that are counts of parameters."""

HEADS = {"auxiliary_heads": ("4a", "4d"), "auxiliary": "bn"}
"""Options of GoogLeNet and Inception-v3, and all their heads."""

Weighted = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


@dataclass(frozen=True)
class Match:
    """A reading that gives the printed digits: which count, in which unit, rounded how."""

    reading: str
    gives: float
    unit: str
    rounding: Rounding


class ElementwiseCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sums of two maps, products of two maps (a gate's), and the values that global pools read, for one pass."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.additions = self.products = self.pooled = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func._schema.name.partition("::")[2].rstrip("_")
        both = len(args) > 1 and all(isinstance(value, Tensor) for value in args[:2])
        if name == "add" and both:
            self.additions += result.numel()
        elif name == "mul" and both:
            self.products += result.numel()
        elif name in ("mean", "_adaptive_avg_pool2d"):
            self.pooled += args[0].numel()
        return result


def readings(counted: Counted) -> dict[str, float]:
    """Reading -> the count that it gives. Raises UserError for a network, quantity or layer that does not exist."""
    if counted.of not in SIZED and counted.of != "multiply_adds":
        column = Column(of=counted.of, input=counted.input, layer=counted.layer, side=counted.side)
        return {"as built": measure(counted.model, column)}
    with torch.device("meta"):
        network = create_model(**{"in_channels": counted.input[0], **counted.model}).eval()
        images = torch.empty(1, *counted.input)
    if counted.of in SIZED:
        parts = nn.ModuleList(parts_of(network, counted.layer)) if counted.layer else network
        found = parameter_readings(parts)
        return {**found} if counted.layer else {**found, **with_heads(counted.model, counted.input)}
    if counted.layer:
        names = names_of(network, counted.layer)
        return {"as built": sum(count_multiply_adds(network, images, name) for name in names)}
    return {**operation_readings(network, images, counted.extra)}


def with_heads(model: Mapping[str, Any], input_shape: Sequence[int]) -> dict[str, int]:
    """Parameters with the auxiliary heads that the network is trained with, where it has any."""
    option = next((name for name in HEADS if name in model_options(model["name"])), None)
    if option is None:
        return {}
    with torch.device("meta"):
        network = create_model(**{**model, "in_channels": input_shape[0], option: HEADS[option]})
    return {"with auxiliary heads": count_parameters(network)}


def names_of(network: nn.Module, layer: str) -> list[str]:
    """The names of the parts that `layer` names or matches. Raises UserError where there is none."""
    every = [name for name, _ in network.named_modules() if name]
    found = [name for name in every if name == layer or fnmatchcase(name, layer)]
    if not found:
        raise unknown("layer to count", layer, every)
    return found


def parts_of(network: nn.Module, layer: str) -> list[nn.Module]:
    """The parts that `layer` names or matches."""
    return [network.get_submodule(name) for name in names_of(network, layer)]


def parameter_readings(network: nn.Module) -> dict[str, int]:
    """The counts of parameters, with and without each kind of them."""
    every, weights = count_parameters(network), sum(p.numel() for p in network.parameters() if p.ndim > 1)
    norms = [part for part in network.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    normalisation = sum(count_parameters(part) for part in norms)
    statistics = sum(2 * part.num_features for part in norms if part.track_running_stats)
    dense = [part for part in network.modules() if isinstance(part, nn.Linear)]
    classifier = count_parameters(dense[-1]) if dense else 0
    bias = dense[-1].bias.numel() if dense and dense[-1].bias is not None else 0
    return {
        "as built": every,
        "without normalisation": every - normalisation,
        "with shifts but no scales": every - normalisation // 2,
        "with running statistics": every + statistics,
        "with shifts and running statistics but no scales": every - normalisation // 2 + statistics,
        "without biases": weights + normalisation,
        "weights alone": weights,
        "without the classifier": every - classifier,
        "without the classifier's bias": every - bias,
        "without dense layers": every - sum(map(count_parameters, dense)),
    }


def operation_readings(network: nn.Module, images: Tensor, extra: int = 0) -> dict[str, int]:
    """The counts of operations, with and without what papers leave out or add."""
    plain = count_multiply_adds(network, images) + extra
    dense = [part.weight.numel() for part in network.modules() if isinstance(part, nn.Linear)]
    counter = ElementwiseCounter()
    with counter, torch.no_grad():
        network(images)
    summed, gated = plain + counter.additions, plain + counter.additions + counter.products
    return {
        "as built": plain,
        "without the classifier": plain - (dense[-1] if dense else 0),
        "without dense layers": plain - sum(dense),
        "with biases": plain + biases_added(network, images),
        "with additions": summed,
        "with additions and gates": gated,
        "with additions, gates and pooling": gated + counter.pooled,
        "multiplications and additions apart": 2 * plain,
    }


def biases_added(network: nn.Module, images: Tensor) -> int:
    """How many times a bias is added in one pass: once for each value of a layer's output."""
    values: list[int] = []
    biased = [part for part in network.modules() if isinstance(part, Weighted) and part.bias is not None]
    hooks = [part.register_forward_hook(lambda *call: values.append(call[-1].numel())) for part in biased]
    try:
        with torch.no_grad():
            network(images)
    finally:
        for hook in hooks:
            hook.remove()
    return sum(values)


def explain(printed: float, unit_name: str, counted: Mapping[str, float]) -> list[Match]:
    """The readings among `counted` that give `printed`, a number in the unit called `unit_name`; plain ones first."""
    return [
        Match(reading, value, name, rounding)
        for name, size in sizes(unit_name)
        for rounding in ("nearest", "truncated")
        for reading, value in counted.items()
        if gives(value / size, printed, rounding)
    ]


def sizes(unit_name: str) -> Iterator[tuple[str, float]]:
    """The units that a paper may mean by `unit_name`, and how many counts make one: MB may be 2^20 bytes."""
    if unit_name in BYTES:
        yield from ((name, size / 4) for name, size in BYTES.items())
    elif unit_name in KILO:
        yield from KILO.items()
    elif unit_name in THOUSANDS:
        yield from THOUSANDS.items()
    else:
        yield unit_name, unit(unit_name).size


def gives(value: float, printed: float, rounding: Rounding) -> bool:
    """Whether `value` is printed as `printed`; a whole number may be rounded to its trailing zeros.

    >>> gives(15346.6, 15300, "nearest"), gives(15470.3, 15300, "nearest"), gives(3.858, 3.8, "truncated")
    (True, False, True)
    """
    slack = 1e-9 * max(1.0, abs(printed))
    if rounding == "nearest":
        return any(abs(value - printed) <= step / 2 + slack for step in steps(printed))
    # nobody truncates a number to its tens that is printed beside others to the last digit
    return any(printed - slack <= value < printed + step - slack for step in steps(printed) if step != 10)


def steps(printed: float) -> Iterable[float]:
    """The places to which `printed` may be rounded: its last one, or trailing zeros that leave it two digits."""
    if decimals(printed):
        return [10.0 ** -decimals(printed)]
    zeros = len(str(int(printed))) - len(str(int(printed)).rstrip("0"))
    return [10.0**place for place in range(zeros + 1) if printed / 10.0**place >= 10 or place == 0]
