"""The kinds of measurement. Each is one file with two functions: `run(task) -> Outcome` measures, `check(config)`
raises UserError for a configuration that cannot be run, before any work is done.

The table here is read without importing torch; :func:`load_study` imports the file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replicate.experiment import RunConfig
    from replicate.studies.base import Outcome, Task


@dataclass(frozen=True)
class Study:
    """`blocks` are the parts of the configuration that the study reads, and so the parts of its runs' identity."""

    module: str
    blocks: tuple[str, ...]
    trains: bool = False


STUDIES = {
    "train": Study("replicate.studies.train", ("model", "data", "recipe", "trainer", "options"), trains=True),
    "count": Study("replicate.studies.count", ("model", "options")),
}


def study_check(name: str) -> "Callable[[RunConfig], None]":
    """The study's own look at a configuration before the sweep: `check` of its file. Raises UserError."""
    function: Callable[[RunConfig], None] = import_module(STUDIES[name].module).check
    return function


def load_study(name: str) -> "Callable[[Task], Outcome]":
    """The function of the study `name`."""
    function: Callable[[Task], Outcome] = import_module(STUDIES[name].module).run
    return function
