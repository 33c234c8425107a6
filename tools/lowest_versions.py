"""Print constraints that pin each dependency to the lowest version that pyproject.toml declares: for CI, to try them.

python tools/lowest_versions.py > constraints.txt
"""

import re
import tomllib
from pathlib import Path


def lowest(requirements: list[str]) -> list[str]:
    """`torch>=2.6` as `torch==2.6`; without a lowest version a requirement stays free."""
    pairs = (re.match(r"([\w.-]+)(?:\[[^\]]*\])?\s*>=\s*([\w.]+)", line) for line in requirements)
    return [f"{found[1]}=={found[2]}" for found in pairs if found]


if __name__ == "__main__":
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    print("\n".join(lowest(project["dependencies"])))
