"""A small paper to change and to read."""

import copy
from pathlib import Path
from typing import Any

import yaml

from replicate import papers
from replicate.papers import read_paper

SMALL: dict[str, Any] = {
    "id": "small",
    "title": "A small paper",
    "authors": ["Nobody"],
    "year": 2020,
    "venue": "none",
    "arxiv": None,
    "official_code": None,
    "architectures": {"net": {"input": [3, 32, 32], "facts": "one layer"}},
    "tables": {
        "errors": {
            "locator": "Table 1",
            "about": "errors",
            "dataset": "cifar10_test",
            "protocol": "one view",
            "units": {"test_error": "percent"},
            "rows": [
                {"variant": "a", "params": {"depth": 1}, "published": {"test_error": 9.0}},
                {"variant": "b", "params": {"depth": 2}, "published": {"test_error": 8.0}},
                {"variant": "twin", "published": {"test_error": 7.0}},
                {"variant": "twin", "published": {"test_error": 6.0}},
            ],
            "figures_only": False,
            "provenance": [{"source": "the paper", "agrees": True}],
            "confidence": "verified",
        }
    },
    "recipes": {"cifar": {"optimizer": "sgd", "provenance": []}},
    "claims": [
        {
            "id": "deeper",
            "statement": "b is better",
            "table": "errors",
            "test": {"kind": "order", "metric": "test_error", "ascending": ["b", "a"]},
        }
    ],
    "discrepancies": [],
}


def read(tmp_path: Path, content: dict[str, Any] | str) -> papers.Paper:
    path = tmp_path / "small.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return read_paper(path)


def changed(place: list[str | int], value: Any) -> dict[str, Any]:
    """SMALL with the value at `place` replaced."""
    content = copy.deepcopy(SMALL)
    node: Any = content
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    return content
