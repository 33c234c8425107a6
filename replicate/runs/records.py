"""A finished run as data, sealed by the digest of its own text."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal, SupportsFloat

from pydantic import BaseModel, ConfigDict

from replicate.experiments.run_config import run_id
from replicate.files import canonical, digest, plain_json

Status = Literal["finished", "diverged"]


class Measurement(BaseModel):
    """One number: `index` is the epoch, block or depth of a curve, None for a single value; None is not-a-number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    index: float | None = None
    value: float | None


def finite(value: SupportsFloat | None) -> float | None:
    """None for what is no finite number: JSON has no NaN."""
    return float(value) if value is not None and math.isfinite(value) else None


def singles(found: Mapping[str, SupportsFloat | None]) -> list[Measurement]:
    """Single values by metric."""
    return [Measurement(metric=metric, value=finite(value)) for metric, value in found.items()]


def curve(metric: str, points: Iterable[tuple[float, SupportsFloat | None]]) -> list[Measurement]:
    """A metric over its index, from (index, value)."""
    return [Measurement(metric=metric, index=index, value=finite(value)) for index, value in points]


class Timing(BaseModel):
    """Wall-clock seconds of the attempt that finished the run; its training images per second (None: no training)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float
    images_per_second: float | None = None


class Record(BaseModel):
    """What a finished run leaves. Everything but labels, timing and provenance is decided by configuration and seed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    experiment: str
    scale: str
    variant: str
    seed: int
    status: Status
    config: dict[str, Any]
    measurements: tuple[Measurement, ...]
    parameters: int | None
    multiply_adds: int | None
    timing: Timing
    provenance: dict[str, Any]

    def outcome(self) -> dict[str, Any]:
        """The part that must be the same whoever runs it, however often it was interrupted."""
        return self.model_dump(exclude={"experiment", "scale", "variant", "timing", "provenance"})

    def value(self, metric: str) -> float | None:
        """The single value of `metric`, None if it is absent or not a number."""
        return next((m.value for m in self.measurements if m.metric == metric and m.index is None), None)


def dump(record: Record) -> bytes:
    """The record's file: its text after the text's own sha256, so that a flipped bit is seen."""
    text = canonical(record.model_dump(mode="json"))
    return f"{digest(text)}\n{text}\n".encode()


def parse(data: bytes, run: str | None = None) -> Record:
    """Read what :func:`dump` wrote, for `run` if it is named. Raises ValueError for anything else."""
    checksum, _, text = data.decode().partition("\n")
    if digest(text.rstrip("\n")) != checksum:
        raise ValueError("its checksum does not match")
    return checked(text, run)


def checked(text: str | bytes, run: str | None = None) -> Record:
    """The record of one JSON text. Raises ValueError unless its numbers are finite and its id is that of `run`, if
    named, and of its own configuration and seed: whatever its seal says, the record then is of something else."""
    record = Record.model_validate(plain_json(text))
    if run not in (None, record.id):
        raise ValueError(f"it is the record of {record.id}")
    if record.id != run_id(str(record.config.get("study")), record.config, record.seed):
        raise ValueError("its configuration is not the one that its id is made of")
    measured = [(m.metric, m.index) for m in record.measurements]
    if len(set(measured)) < len(measured):
        raise ValueError("a measurement stands twice")
    return record


SEAL = "seal"
"""The key of a committed record's line that has the sha256 of the others."""


def sealed_line(record: Record) -> str:
    """The record as one line of records.jsonl, with its seal: a changed digit is seen."""
    body = record.model_dump(mode="json")
    return canonical({**body, SEAL: digest(canonical(body))})


def parse_line(line: bytes) -> tuple[Record, bool]:
    """The record of one line, and whether the line has a seal, as older ones have not. Raises ValueError."""
    body = plain_json(line)
    if not isinstance(body, dict):
        raise ValueError("it is no record")
    seal = body.pop(SEAL, None)
    if seal is not None and seal != digest(canonical(body)):
        raise ValueError("its seal does not match: something in it was changed")
    return checked(canonical(body)), seal is not None
