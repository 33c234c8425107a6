"""Where data files lie: the suite's own, and those of a folder that the user names to add papers of their own."""

import os
import re
from functools import cache
from pathlib import Path

from replicate.errors import UserError

PACKAGE = Path(__file__).parent
OWN = "REPLICATE_PATH"
"""The environment variable that names the user's folder.

It may have papers/, models/, recipe/, data/, study/ and experiment/<paper>/.
"""
NAME = re.compile(r"\w[\w-]*")


@cache
def conf_dir() -> Path:
    """The folder of config.yaml, experiment/, data/, study/, recipe/ and launcher/.

    Beside the package in a checkout, inside it in an installed wheel.
    """
    checkout = PACKAGE.parent / "conf"
    return checkout if (checkout / "config.yaml").exists() else PACKAGE / "conf"


def own_dir() -> Path | None:
    """The user's folder, or None. Raises UserError when the variable names no folder."""
    named = os.environ.get(OWN)
    if not named:
        return None
    folder = Path(named).expanduser().absolute()
    if not folder.is_dir():
        raise UserError(f"{OWN} names no folder: {named}")
    return folder


def own_files(kind: str, suffix: str = ".yaml") -> dict[str, Path]:
    """Name -> file in the user's folder `kind`, by name; nothing without such a folder.

    Raises UserError for a name that could lead out of a folder (`...yaml` is a YAML file called `..`).
    """
    own = own_dir()
    files = {path.stem: path for path in sorted((own / kind).glob(f"*{suffix}"))} if own is not None else {}
    for path in files.values():
        check_name(path)
    return files


def check_name(path: Path) -> None:
    if not NAME.fullmatch(path.stem):
        raise UserError(f"{path}: a file's name has letters, digits, _ and - alone")


def data_files(kind: str) -> dict[str, Path]:
    """Name -> YAML file of `kind` (papers, recipe, data, study), the suite's and the user's, by name.

    Raises UserError for a name that both have: which of them a record belongs to could not be told.
    """
    suite = PACKAGE / "papers" if kind == "papers" else conf_dir() / kind
    files, own = {path.stem: path for path in suite.glob("*.yaml")}, own_files(kind)
    twice = sorted(files.keys() & own.keys())
    if twice:
        raise UserError(f"{own[twice[0]]}: the suite has a file of this name; give yours another")
    return dict(sorted({**files, **own}.items()))


def experiment_files() -> dict[str, Path]:
    """Name -> experiment/<paper>/<name>.yaml, the suite's and the user's, by name.

    Raises UserError for a name that two files have, and for one that lies beside the folders of the papers.
    """
    roots = [conf_dir() / "experiment", *([own / "experiment"] if (own := own_dir()) is not None else [])]
    files: dict[str, Path] = {}
    for root in roots:
        for path in sorted(root.glob("*.yaml")):
            raise UserError(f"{path}: move it to {root / '<paper>' / path.name}, the folder of its paper's id")
        for path in sorted(root.glob("*/*.yaml")):
            check_name(path)
            check_name(path.parent)
            if path.stem in files:
                raise UserError(f"{path}: {files[path.stem]} has this name; give yours another")
            files[path.stem] = path
    return dict(sorted(files.items()))
