"""The Dockerfile as far as it can be read without an engine."""

from pathlib import Path

import pytest

from replicate.paths import PACKAGE

ROOT = PACKAGE.parent
FILE = ROOT / "Dockerfile"

pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="a wheel has no Dockerfile")


def instructions() -> list[tuple[str, list[str]]]:
    """Instruction and words, continued lines joined."""
    lines = FILE.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    return [(line.split()[0], line.split()[1:]) for line in lines if line and not line.startswith("#")]


def copied() -> list[str]:
    return [source for name, words in instructions() if name == "COPY" for source in words[1:-1]]


def test_the_base_is_a_build_argument() -> None:
    assert instructions()[0][0] == "ARG"
    assert instructions()[0][1][0].startswith("BASE=")
    assert instructions()[1] == ("FROM", ["${BASE}"])


def test_what_is_copied_is_there_and_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert copied()
    for source in copied():
        assert (ROOT / source).exists(), source
        assert source not in ignored


def test_what_is_installed_is_copied_before_it_is_installed() -> None:
    """The package's folders, as pyproject.toml lists them; the second COPY of everything must not be needed for it."""
    before = copied()[: copied().index(".")]
    for needed in ("pyproject.toml", "constraints.txt", "replicate", "benchmarks", "conf"):
        assert needed in before


def test_everything_but_the_systems_packages_is_done_by_a_user_without_rights() -> None:
    names = [name for name, _ in instructions()]
    assert ("USER", ["replicate"]) in instructions()
    assert names.count("USER") == 1
    assert names.index("USER") < names.index("COPY")
    assert names[: names.index("USER")].count("RUN") == 1
    assert all(words[0] == "--chown=replicate" for name, words in instructions() if name == "COPY")


def test_it_has_a_command() -> None:
    assert instructions()[-1] == ("CMD", ['["make",', '"help"]'])
    assert Path(ROOT / "Makefile").read_text(encoding="utf-8").count("\nhelp:") == 1
