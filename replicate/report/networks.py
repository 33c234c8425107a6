"""All trained networks of the suite: error against parameters, one panel for each way of training, as data."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from replicate.files import canonical
from replicate.report.verdict_file import VerdictFile
from replicate.report.wording import plural
from replicate.runs.records import Record

NETWORKS = "networks.svg"
"""The file of results/ with the figure."""
FEWEST = 3  # networks of a panel
WHERE = ("root", "download", "decoder", "validation")
"""Keys of a run's data that change no image that is learnt or tested."""


@dataclass(frozen=True)
class Network:
    """One variant of one experiment: `error` the mean test error (%) of its finished runs."""

    experiment: str
    variant: str
    parameters: int
    error: float
    runs: int


@dataclass(frozen=True)
class Panel:
    """Networks that were trained on the same images for as long, so that their errors may be compared."""

    title: str
    networks: tuple[Network, ...]


def networks(found: Sequence[tuple[VerdictFile, Sequence[Record]]]) -> tuple[list[Panel], int]:
    """The panels, fullest first, and how many networks stand in none, since too few were trained as they were."""
    groups: dict[tuple[str, str], list[Network]] = {}
    titles: dict[tuple[str, str], str] = {}
    for data, records in found:
        for own in by_variant(records).values():
            key = (data.scale.value, canonical(regime(own[0].config)))
            titles[key] = titled(data.scale.value, own[0].config)
            groups.setdefault(key, []).append(network(data.experiment, own))
    kept = {key: own for key, own in groups.items() if len({one.parameters for one in own}) >= FEWEST}
    alone = sum(len(own) for key, own in groups.items() if key not in kept)
    made = [Panel(titles[key], tuple(own)) for key, own in kept.items()]
    return sorted(made, key=lambda panel: (-len(panel.networks), panel.title)), alone


def by_variant(records: Sequence[Record]) -> dict[str, list[Record]]:
    """The finished runs of trained networks that tell their error and their size, by variant."""
    made: dict[str, list[Record]] = {}
    for record in records:
        told = record.value("test_error") is not None and record.parameters and record.config.get("data")
        if told and record.config["study"] == "train" and record.status == "finished":
            made.setdefault(record.variant, []).append(record)
    return made


def network(experiment: str, own: Sequence[Record]) -> Network:
    errors = [value for record in own if (value := record.value("test_error")) is not None]
    return Network(experiment, own[0].variant, own[0].parameters or 0, mean(errors), len(own))


def regime(config: dict[str, Any]) -> dict[str, Any]:
    """What must be the same for two errors to be compared: the images, and for how long they were shown."""
    data = {key: value for key, value in config["data"].items() if key not in WHERE and value is not None}
    return {"data": data, "epochs": config["recipe"].get("epochs"), "noise": config["options"].get("label_noise")}


def titled(scale: str, config: dict[str, Any]) -> str:
    """`laptop scale: bundled, 16 pixels, 1,000 images, 100 epochs`."""
    data, epochs = config["data"], config["recipe"].get("epochs")
    parts = [str(data["name"]).replace("bundled", "Fashion-MNIST")]
    parts += [f"{data['size']} pixels"] if data.get("size") else []
    parts += [plural(data["train_images"], "image")] if data.get("train_images") else []
    parts += [f"{epochs:g} epochs"] if epochs else []
    return f"{scale} scale: {', '.join(parts)}"
