"""The plan of the house holds: layers, sizes, names, declared dependencies; read from the files, nothing is run."""

import ast
import re
import sys
import tomllib
from collections import Counter, defaultdict
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "replicate"
FILE_LINES, FUNCTION_LINES, FOLDER_FILES = 300, 50, 25

LAYERS = (
    ("cli",),
    ("api",),
    ("sweep",),
    ("site", "overview", "wandb_mirror"),
    ("report",),
    ("studies",),
    ("evaluation", "statements"),
    ("training",),
    ("runs",),
    ("verdicts", "experiments"),
    ("models", "papers"),
    ("data",),
    ("files", "compat"),
    ("paths",),
    ("errors",),
)
"""From the top of the house to its ground: a file imports from its own floor and from those below it."""
TOP = {"errors", "paths", "files", "compat", "__init__", "api"}
"""The only modules that lie loose in the package."""


@cache
def files(folder: str = "replicate") -> tuple[Path, ...]:
    return tuple(sorted((ROOT / folder).rglob("*.py")))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


@cache
def imports(path: Path) -> tuple[tuple[str, str], ...]:
    """(module, name) of each import, wherever it stands in the file; name is empty for `import x`."""
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [(node.module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
    return tuple(found)


@cache
def arrows() -> dict[str, frozenset[str]]:
    """Module -> the modules of the package that it imports."""
    known = {module(path) for path in files()}
    graph: dict[str, set[str]] = defaultdict(set)
    for path in files():
        for source, name in imports(path):
            target = f"{source}.{name}" if f"{source}.{name}" in known else source
            if target in known and target != module(path):
                graph[module(path)].add(target)
    return {name: frozenset(targets) for name, targets in graph.items()}


def test_imports_only_go_down() -> None:
    floor = {name: height for height, names in enumerate(LAYERS) for name in names}
    climbing = [
        f"{name} -> {target}"
        for name, targets in arrows().items()
        for target in targets
        if room(name) != "__init__" and floor[room(target)] < floor[room(name)]
    ]
    assert climbing == []


def test_rooms_of_one_floor_do_not_import_each_other_both_ways() -> None:
    pairs = {(room(a), room(b)) for a, targets in arrows().items() for b in targets if room(a) != room(b)}
    assert sorted((a, b) for a, b in pairs if a < b and (b, a) in pairs) == []


def test_files_import_each_other_in_no_circle() -> None:
    try:
        TopologicalSorter(arrows()).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_every_room_has_a_floor_and_few_modules_lie_loose() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    loose = {path.stem for path in PACKAGE.glob("*.py")}
    assert rooms | loose - {"__init__"} == {name for names in LAYERS for name in names}
    assert loose <= TOP


@pytest.mark.parametrize("folder", ["replicate", "benchmarks", "conf", "tests"])
def test_no_file_is_long(folder: str) -> None:
    paths = [*files(folder), *((ROOT / "conf").rglob("*.yaml") if folder == "conf" else ())]  # papers are data
    counts = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n") for path in paths}
    assert {path: lines for path, lines in counts.items() if lines > FILE_LINES} == {}


def test_no_function_is_long() -> None:
    functions = [(path, node) for path in files() for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef)]
    lengths = {f"{path.name}:{node.name}": (node.end_lineno or 0) - node.lineno + 1 for path, node in functions}
    assert {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES} == {}


def test_no_folder_is_crowded() -> None:
    counts = Counter(path.parent.relative_to(PACKAGE).as_posix() for path in files() if path.stem != "__init__")
    assert {name: count for name, count in counts.items() if count > FOLDER_FILES and name != "models"} == {}


def test_no_file_name_stands_twice() -> None:
    counts = Counter(path.name for path in files() if path.stem != "__init__")
    assert [name for name, count in counts.items() if count > 1] == []


def is_library(name: str) -> bool:
    """Whether a module is neither ours nor Python's own."""
    return name.split(".")[0] not in ("replicate", "benchmarks", *sys.stdlib_module_names)


def test_private_doors_of_libraries_are_in_one_file() -> None:
    """`module._name` and `from module import _name`; names with two underscores are Python's own."""
    private = re.compile(r"_[a-z]\w*")
    found = []
    for path in (*files(), *files("benchmarks")):
        for source, name in imports(path):
            if is_library(source) and any(private.fullmatch(part) for part in (*source.split(".")[1:], name)):
                found.append(f"{path.name}: {source}.{name}")
        libraries = {name or source.split(".")[0] for source, name in imports(path) if is_library(source)}
        attributes = (node for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute))
        owned = [(node.value.id, node.attr) for node in attributes if isinstance(node.value, ast.Name)]
        found += [
            f"{path.name}: {owner}.{name}"
            for owner, name in owned
            if private.fullmatch(name) and owner in libraries and not owner[0].isupper()
        ]
    assert [line for line in found if not line.startswith("compat.py")] == []


def test_every_experiment_lies_in_the_folder_of_its_paper_and_has_known_keys() -> None:
    folder = ROOT / "conf" / "experiment"
    known = {*yaml.safe_load((ROOT / "conf" / "config.yaml").read_text(encoding="utf-8")), "defaults"}
    papers = {path.stem for path in (PACKAGE / "papers").glob("*.yaml")}
    assert {path.name for path in folder.iterdir() if path.is_dir()} <= papers
    assert list(folder.glob("*.yaml")) == []
    for path in folder.rglob("*.yaml"):
        body = yaml.safe_load(path.read_text(encoding="utf-8"))
        helpers = set(re.findall(r"\$\{(\w+)\}", path.read_text(encoding="utf-8")))
        assert set(body) - known - helpers == set(), path.name


def test_the_design_page_names_exactly_the_rooms_that_exist() -> None:
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`replicate/(\w+)/`", page))
    assert named == {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))}


def test_what_is_imported_is_declared_and_the_other_way_round() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [*project["dependencies"], *project["optional-dependencies"]["cluster"]]
    declared = {re.split(r"[\[<>=! ]", line)[0].lower().replace("_", "-") for line in named}
    owners = packages_distributions()
    tops = {source.split(".")[0] for path in files() for source, _ in imports(path)}
    used = {
        owners[name][0].lower().replace("_", "-")
        for name in tops - {"replicate"}
        if name not in sys.stdlib_module_names and name in owners
    }
    assert used == declared
