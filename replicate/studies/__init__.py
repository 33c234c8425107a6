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
    """`blocks` are the parts of the configuration that the study reads, and so the parts of its runs' identity.

    `untrained`: a run may name no recipe, when its network is not one that we train.
    `counted`: what it compares with the print follows from graphs and arithmetic alone, without data or training.
    """

    module: str
    blocks: tuple[str, ...]
    trains: bool = False
    counted: bool = False
    untrained: bool = False


STUDIES = {
    "train": Study("replicate.studies.train", ("model", "data", "recipe", "trainer", "options"), trains=True),
    "count": Study("replicate.studies.count", ("model", "options"), counted=True),
    "convolution": Study("replicate.studies.convolution", ("options",), counted=True),
    "convolution_speed": Study("replicate.studies.convolution", ("options",)),
    "receptive_fields": Study("replicate.studies.convolution", ("options",)),
    "translation": Study("replicate.studies.convolution", ("options",)),
    "random_draws": Study("replicate.studies.convolution", ("options",)),
    "evaluate": Study(
        "replicate.studies.evaluate", ("model", "data", "recipe", "trainer", "options"), trains=True, untrained=True
    ),
    "memory": Study("replicate.studies.memory", ("model", "data", "options")),
    "step_time": Study("replicate.studies.step_time", ("model", "data", "recipe", "options")),
    "lesion": Study("replicate.studies.lesion", ("model", "data", "recipe", "trainer", "options"), trains=True),
    "lesion_pretrained": Study("replicate.studies.lesion", ("model", "data", "options")),
    "responses": Study("replicate.studies.responses", ("model", "data", "recipe", "trainer", "options"), trains=True),
    "paths": Study("replicate.studies.paths", ("model", "data", "recipe", "trainer", "options"), trains=True),
    "path_lengths": Study("replicate.studies.path_lengths", ("options",)),
}


def study_check(name: str) -> "Callable[[RunConfig], None]":
    """The study's own look at a configuration before the sweep: `check` of its file. Raises UserError."""
    function: Callable[[RunConfig], None] = import_module(STUDIES[name].module).check
    return function


def load_study(name: str) -> "Callable[[Task], Outcome]":
    """The function of the study `name`."""
    function: Callable[[Task], Outcome] = import_module(STUDIES[name].module).run
    return function
