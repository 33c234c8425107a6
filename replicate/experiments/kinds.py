"""The kinds of study by name: which parts of a configuration each reads. Read without importing torch."""

from dataclasses import dataclass


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
    "course": Study("replicate.studies.course", ("model", "data", "recipe", "trainer", "options"), trains=True),
    "gates": Study("replicate.studies.gates", ("model", "data", "recipe", "trainer", "options"), trains=True),
    "reuse": Study("replicate.studies.reuse", ("model", "data", "recipe", "trainer", "options"), trains=True),
    "feature_sources": Study(
        "replicate.studies.feature_sources", ("model", "data", "recipe", "trainer", "options"), trains=True
    ),
    "efficiency": Study("replicate.studies.efficiency", ("model", "data", "recipe", "trainer", "options"), trains=True),
    "count": Study("replicate.studies.count", ("model", "options"), counted=True),
    "convolution": Study("replicate.studies.topics", ("options",), counted=True),
    "convolution_speed": Study("replicate.studies.topics", ("options",)),
    "receptive_fields": Study("replicate.studies.topics", ("options",)),
    "translation": Study("replicate.studies.topics", ("options",)),
    "random_draws": Study("replicate.studies.topics", ("options",)),
    "evaluate": Study(
        "replicate.studies.evaluate", ("model", "data", "recipe", "trainer", "options"), trains=True, untrained=True
    ),
    "memory": Study("replicate.studies.memory", ("model", "data", "options")),
    "step_time": Study("replicate.studies.step_time", ("model", "data", "recipe", "options")),
    "lesion": Study("replicate.studies.lesion", ("model", "data", "recipe", "trainer", "options"), trains=True),
    "lesion_pretrained": Study("replicate.studies.lesion", ("model", "data", "options")),
    "responses": Study("replicate.studies.responses", ("model", "data", "recipe", "trainer", "options"), trains=True),
    "paths": Study("replicate.studies.gradient_paths", ("model", "data", "recipe", "trainer", "options"), trains=True),
    "path_lengths": Study("replicate.studies.path_lengths", ("options",)),
}
