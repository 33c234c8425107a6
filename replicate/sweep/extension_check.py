"""`replicate check FOLDER`: everything that is wrong with an extension folder, at once; nothing is run."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from replicate.errors import UserError
from replicate.experiments.catalogue import Entry, read_entry
from replicate.experiments.experiment import Experiment, load_experiment
from replicate.experiments.recipe import resolve_recipe
from replicate.experiments.run_config import Run
from replicate.experiments.scale import SMALL
from replicate.models.counting import count
from replicate.papers import Paper
from replicate.papers.reading import read_paper
from replicate.paths import OWN
from replicate.sweep.preflight import check_metrics, check_paper, check_settings
from replicate.training.network import count_network

FOLDERS = {"papers": ".yaml", "models": ".py", "recipe": ".yaml", "data": ".yaml", "study": ".yaml", "regime": ".yaml"}
"""What an extension folder may have beside `experiment`, and what its files end in."""


def check_folder(folder: Path) -> tuple[int, list[str]]:
    """How many files there are, and a line for each thing that is wrong. Raises UserError for what is no folder.

    REPLICATE_PATH names the folder from then on; it must have named none when this module was imported.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder")
    os.environ[OWN] = str(folder.absolute())
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix in (".yaml", ".yml", ".py")]
    found = [*strangers(folder, files), *broken_models(folder)]
    found += [line for path in sorted(folder.glob("papers/*.yaml")) for line in tried(read_paper, path)]
    for path in sorted(folder.glob("recipe/*.yaml")):
        found += tried(resolve_recipe, path.stem, {})
    for path in sorted(folder.glob("experiment/*/*.yaml")):
        found += wrong_experiment(path)
    return len(files), list(dict.fromkeys(found))


def strangers(folder: Path, files: Sequence[Path]) -> Iterator[str]:
    """Files that nothing reads."""
    for path in files:
        place = path.relative_to(folder)
        known = FOLDERS.get(place.parts[0]) == path.suffix and len(place.parts) == 2
        known |= place.parts[0] == "experiment" and len(place.parts) == 3 and path.suffix == ".yaml"
        if not known:
            yield f"{place}: nothing reads it: files lie in {', '.join(FOLDERS)} or experiment/<paper>/"


def broken_models(folder: Path) -> Iterator[str]:
    from replicate.models.extension import load_file

    for path in sorted(folder.glob("models/*.py")):
        yield from tried(load_file, f"replicate_own_models.{path.stem}", path)


def tried(function: Callable[..., object], *given: object) -> list[str]:
    """What the function refuses, a line for each field where the error is one of validation."""
    try:
        function(*given)
    except UserError as error:
        cause, name = error.__cause__, str(error).partition(": ")[0]
        if isinstance(cause, ValidationError) and cause.error_count() > 1:
            problems = cause.errors(include_url=False)
            return [f"{name}: {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in problems]
        return [str(error)]
    except ValueError as error:  # a network's name that stands twice
        return [str(error)]
    return []


def wrong_experiment(path: Path) -> list[str]:
    """What is wrong with one experiment at any of its scales."""
    found = tried(read_entry, path)
    return found or [line for scale in read_entry(path).scales for line in wrong_scale(read_entry(path), scale)]


def wrong_scale(entry: Entry, scale: str) -> list[str]:
    """The names in the file, the settings, and the network of each variant."""
    try:
        experiment = load_experiment(entry.name, [f"scale={scale}"])
    except UserError as error:
        return [str(error)]
    found: list[str] = []
    runs: list[Run] = []
    for variant in experiment.variants:
        try:
            runs.append(experiment.run(variant, 0))
        except UserError as error:
            found.append(str(error))
    found += tried(check_paper, experiment, runs)
    found += tried(check_metrics, experiment) + tried(check_settings, experiment)
    return [*found, *(line for run in runs for line in wrong_network(experiment, run))]


def wrong_network(experiment: Experiment, run: Run) -> list[str]:
    """A network that cannot be built; at the paper's size also one of another size or input than its paper says."""
    config, label = run.config, f"{experiment.name}, variant {run.variant}"
    if "name" not in config.model:
        return []
    if config.data is not None:
        found = tried(count_network, config.model, config.data)
    else:
        found = tried(counted, config.model, (3, 224, 224))
    if found or experiment.scale in SMALL or run.architecture is None:
        return [f"{label}: {line}" for line in found]
    return [f"{label}: {line}" for line in wrong_size(experiment.paper, run)]


def wrong_size(paper: Paper, run: Run) -> Iterator[str]:
    """Where the paper's `architectures` entry and the network of the run disagree."""
    entry = paper.architectures.get(run.architecture or "")
    if entry is None:
        yield f"paper {paper.id} has no architecture '{run.architecture}'"
        return
    shape = entry.input if isinstance(entry.input, list) else None
    asked = run.config.options.given.get("input") if run.config.study == "count" else None
    if run.config.study == "count" and shape is not None and (asked or [3, 224, 224]) != shape:
        yield f"it is counted on {asked or [3, 224, 224]}, its paper says {shape}: set options.input"
    if shape is not None and isinstance(entry.reference_params, int):
        own = counted(run.config.model, (shape[0], shape[1], shape[2]))
        if own != entry.reference_params:
            yield f"it has {own:,} parameters, architecture {run.architecture} says {entry.reference_params:,}"


def counted(model: dict[str, Any], shape: tuple[int, int, int]) -> int:
    """Parameters of the network on images of that shape."""
    options = {"in_channels": shape[0], **model}
    return count(str(options.pop("name")), shape, **options).parameters
