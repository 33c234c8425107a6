"""From a YAML file to a Paper, with one clear line when the file is not one."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from replicate.errors import UserError, first_line
from replicate.papers.bounds import LOADER, load_yaml
from replicate.papers.printed import Printed
from replicate.papers.schema import Paper


class _PaperLoader(LOADER):  # type: ignore[misc]
    """Safe YAML that keeps the printed digits of decimals and refuses a key written twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"key '{key}' stands twice", node.start_mark)
        result: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return result


def _printed(loader: _PaperLoader, node: yaml.ScalarNode) -> float:
    plain = node.value.replace("_", "").lstrip("+-").replace(".", "", 1).isdigit()
    return Printed(node.value.replace("_", "")) if plain else loader.construct_yaml_float(node)


_PaperLoader.add_constructor("tag:yaml.org,2002:float", _printed)


def read_paper(path: Path) -> Paper:
    """The paper of one YAML file. Raises UserError when the file is missing, no YAML, or not of the schema."""
    try:
        paper = Paper.model_validate(load_yaml(path, _PaperLoader))
    except ValidationError as error:
        raise UserError(f"{path.name}: {first_line(error)}") from error
    if paper.id != path.stem:
        raise UserError(f"{path.name}: id is '{paper.id}', it must be the file's name '{path.stem}'")
    return paper
