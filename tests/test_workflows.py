"""The hosted workflows run what the Makefile and the command line have, with no more rights than they need."""

import re
from typing import Any

import pytest
import yaml

from replicate.paths import PACKAGE
from tools.lowest_versions import lowest

ROOT = PACKAGE.parent
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS: dict[str, dict[Any, Any]] = {
    path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.yml")
}
each_workflow = pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=WORKFLOWS)


def commands(workflow: dict[Any, Any]) -> list[str]:
    return [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]


@each_workflow
def test_every_job_ends_may_only_read_and_gives_way(workflow: dict[Any, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"]
    for name, job in workflow["jobs"].items():
        assert job["timeout-minutes"] <= 360
        assert set(job.get("permissions", {})) <= ({"pages", "id-token"} if name == "pages" else set())


@each_workflow
def test_every_target_exists(workflow: dict[Any, Any]) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    for command in commands(workflow):
        if command.startswith("make "):
            assert command.split()[1] in targets


def test_the_jobs_cover_what_the_local_command_does() -> None:
    local = re.findall(r"^make \w+", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.M)
    assert set(local) <= set(commands(WORKFLOWS["ci.yml"]))
    nightly = " ".join(commands(WORKFLOWS["nightly.yml"]))
    assert "make faults" in nightly
    assert "replicate verify" in nightly


def test_every_supported_python_and_the_lowest_versions_are_tried() -> None:
    matrix = WORKFLOWS["ci.yml"]["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert {"python": "3.11", "versions": "lowest"} in matrix["include"]
    assert lowest(["torch>=2.6", "pydantic-core", "replicate[cluster]>=1.0", "a-b >= 3"]) == [
        "torch==2.6",
        "replicate==1.0",
        "a-b==3",
    ]
