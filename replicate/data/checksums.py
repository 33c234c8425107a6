"""Checksums of data files, which are compared before a file is read."""

import hashlib
from pathlib import Path

from replicate.errors import UserError


def checksum(path: Path, algorithm: str = "sha256") -> str:
    """The hexadecimal digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def verify(path: Path, expected: str, remedy: str, algorithm: str = "sha256") -> None:
    """Raise UserError, naming the file and both sums, unless the file exists and has the checksum `expected`."""
    if not path.is_file():
        raise UserError(f"data file {path} is missing: {remedy}")
    found = checksum(path, algorithm)
    if found != expected:
        raise UserError(f"data file {path} has {algorithm} {found}, expected {expected}: {remedy}")
