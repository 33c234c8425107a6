"""What a run of the paper's size leaves in wandb besides numbers: its record, its weights, and which data it used."""

from pathlib import Path
from typing import Any

from replicate.runs.records import Record, dump


def keep(run: Any, record: Record, folder: Path) -> None:
    """Log the record and, if there are any, the weights; name the data set, of which nothing is uploaded."""
    run.log_artifact(record_artifact(record))
    weights = weights_artifact(record, folder)
    if weights is not None:
        run.log_artifact(weights)
    data = data_artifact(record)
    if data is not None and not run.offline:  # wandb knows used artifacts online only; the checksum is in the config
        run.use_artifact(data)


def record_artifact(record: Record) -> Any:
    """The record as its file stands in the store, sealed."""
    import wandb

    artifact = wandb.Artifact(f"record-{record.id}", type="record")
    with artifact.new_file("record.json", mode="wb") as file:
        file.write(dump(record))
    return artifact


def weights_artifact(record: Record, folder: Path) -> Any | None:
    """The trained weights, None for a run that left none."""
    import wandb

    from replicate.training.checkpoint import WEIGHTS

    path = folder / WEIGHTS
    if not path.exists():
        return None
    metadata = {"experiment": record.experiment, "variant": record.variant, "seed": record.seed}
    artifact = wandb.Artifact(f"weights-{record.id}", type="model", metadata=metadata)
    artifact.add_file(str(path), policy="immutable")  # never changed once written, so wandb needs no copy of its own
    return artifact


def data_artifact(record: Record) -> Any | None:
    """The data set by its checksum: equal data are one artifact, whoever used them."""
    import wandb

    checksum = record.provenance.get("data_checksum")
    data = record.config.get("data") or {}
    if not checksum:
        return None
    artifact = wandb.Artifact(f"{data.get('name', 'data')}-{checksum[:12]}", type="dataset", metadata=data)
    with artifact.new_file("checksum.txt") as file:
        file.write(f"{checksum}\n")
    return artifact
