"""Statements that counting decides: what counted.yaml says, interpreted."""

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from replicate.models.counting import Count, count
from replicate.statements.checks import Figures, holds, register
from replicate.statements.measure import conv, multiply_adds, output_shape, weights

Names = Mapping[str, Any]
"""The values of one case, and what was counted in it."""

IMAGE = (3, 224, 224)
LAYERS: dict[str, Callable[..., nn.Module]] = {
    "conv": conv,
    "linear": partial(nn.Linear, bias=False),
    "max_pool": nn.MaxPool2d,
}
MAP = {"channels": 0, "side": -1}  # of the last map: (channels, height, width)
OPERATORS: dict[type[ast.AST], Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: operator.pow,
    ast.Eq: operator.eq,
    ast.Lt: operator.lt,
}


@cache
def statements() -> dict[str, Any]:
    """Claim -> its cases, counts, formula and figures."""
    loaded: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("counted.yaml").read_text(encoding="utf-8"))
    return loaded


def counted(module: str, claims: str) -> None:
    """Make these claims of counted.yaml, separated by blanks, checks of `module`: they come where this is called."""
    for claim in claims.split():
        register(module, claim, partial(figures_of, statements()[claim]))


def figures_of(statement: Mapping[str, Any]) -> Figures:
    """In how many cases the statement holds, and its figures. Raises ValueError where cases disagree on a figure."""
    cases = [with_counts(statement["counts"], case) for case in cases_of(statement)]
    found = holds(evaluate(statement["holds"], names) for names in cases) if "holds" in statement else {}
    for figure, formula in statement.get("figures", {}).items():
        for names in cases:
            name, value = str(figure).format(**names), evaluate(formula, names)
            if found.setdefault(name, value) != value:
                raise ValueError(f"{name} is {found[name]} in one case and {value} in another")
    return found


def cases_of(statement: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The values of each case by name; a single case without any where none are given."""
    values: Mapping[str, list[Any]] = statement.get("grid") or statement.get("cases") or {}
    rows = zip(*values.values(), strict=True) if "cases" in statement else product(*values.values())
    return (dict(zip(values, row, strict=True)) for row in rows)


def with_counts(counts: Mapping[str, Any], case: Names) -> Names:
    """The case's values and what is counted in it; what is counted may be built by counts before it."""
    names = dict(case)
    for name, spec in counts.items():
        names[name] = counted_in(spec, names)
    return names


def counted_in(spec: Mapping[str, Any], names: Names) -> Count:
    """What there is to count in a registered model, or in layers in a row."""
    shape = [int(evaluate(side, names)) for side in spec.get("input", IMAGE if "model" in spec else ())]
    if "model" in spec:
        model = {**spec["model"], "name": spec["model"]["name"].format(**names)}
        return count(**model, input_shape=shape, layer=spec.get("layer", "").format(**names))
    with torch.device("meta"):
        layers = nn.Sequential(*(layer for one in spec["layers"] for layer in built(one, names)))
    size = weights(layers)
    if not shape:
        return Count(size, 0, size)
    return Count(size, multiply_adds(layers, *shape), size, maps=(output_shape(layers, *shape),))


def built(spec: Mapping[str, Any], names: Names) -> Iterator[nn.Module]:
    """The layer, as often as it is repeated."""
    kind = next(kind for kind in LAYERS if kind in spec)
    given = sizes(spec[kind], names)
    options = {name: sizes(value, names) for name, value in spec.items() if name not in (kind, "repeat")}
    for _ in range(evaluate(spec.get("repeat", 1), names)):
        yield LAYERS[kind](*given if isinstance(given, list) else [given], **options)


def sizes(value: Any, names: Names) -> Any:
    """A whole number, a list of them, or `same`, torch's name for a padding."""
    if isinstance(value, list):
        return [sizes(one, names) for one in value]
    return value if value == "same" else int(evaluate(value, names))


def evaluate(formula: str | float, names: Names) -> Any:
    """The value of arithmetic on numbers and names, or the truth of a comparison."""
    return value_of(ast.parse(str(formula), mode="eval").body, names)


def value_of(node: ast.AST, names: Names) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return names[name]
        case ast.Attribute(value=ast.Name(id=name), attr=quantity):
            found: Count = names[name]
            return found.output[MAP[quantity]] if quantity in MAP else getattr(found, quantity)
        case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]):
            return OPERATORS[type(op)](value_of(left, names), value_of(right, names))
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(value_of(part, names) for part in parts)
    raise ValueError(f"a formula has no {type(node).__name__}")
