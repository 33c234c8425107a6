"""A finished run as data, sealed by the digest of its own text."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal, SupportsFloat

from pydantic import BaseModel, ConfigDict

from replicate.files import canonical, digest

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


def parse(data: bytes) -> Record:
    """Read what :func:`dump` wrote. Raises ValueError for anything else."""
    checksum, _, text = data.decode().partition("\n")
    if digest(text.rstrip("\n")) != checksum:
        raise ValueError("its checksum does not match")
    return Record.model_validate_json(text)
