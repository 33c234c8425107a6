"""The kinds of study by name: what each reads, takes as options and measures. Read without importing torch."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from replicate.experiments import metrics as measured
from replicate.experiments.metrics import Metric

NETWORK = ("model", "data", "options")
TRAINING = ("model", "data", "recipe", "trainer", "options")


@dataclass(frozen=True)
class Study:
    """`module` has the functions: `run(task) -> Outcome`, and `check(config)` where more than options can be wrong.

    `blocks` are the parts of the configuration that the study reads, and so the parts of its runs' identity.
    `options`: the class of its block `options`, as "module:class"; the module imports no torch.
    `metrics`: what it measures, single values and curves.
    `untrained`: a run may name no recipe, when its network is not one that we train.
    `counted`: what it compares with the print follows from graphs and arithmetic alone, without data or training.
    """

    module: str
    blocks: tuple[str, ...]
    options: str
    metrics: tuple[Metric, ...]
    trains: bool = False
    counted: bool = False
    untrained: bool = False

    def metric(self, name: str) -> Metric | None:
        """The metric of that name, None if the study does not measure it."""
        return next((metric for metric in self.metrics if fnmatchcase(name, metric.name)), None)


def study(file: str, blocks: tuple[str, ...], options: str, metrics: tuple[Metric, ...], **kind: bool) -> Study:
    """The study of replicate/studies/<file>.py, whose options are a class of replicate/studies/options.py."""
    return Study(f"replicate.studies.{file}", blocks, f"replicate.studies.options:{options}", metrics, **kind)


STUDIES = {
    "train": study("train", TRAINING, "TrainOptions", measured.TRAINED, trains=True),
    "course": study("course", TRAINING, "NoOptions", measured.COURSE, trains=True),
    "gates": study("gates", TRAINING, "NoOptions", measured.GATES, trains=True),
    "reuse": study("reuse", TRAINING, "NoOptions", measured.REUSE, trains=True),
    "feature_sources": study("feature_sources", TRAINING, "SourceOptions", measured.READOUT, trains=True),
    "efficiency": study("efficiency", TRAINING, "NoOptions", measured.EFFICIENCY, trains=True),
    "count": study("count", ("model", "options"), "CountOptions", measured.COUNTED, counted=True),
    "convolution": study("convolution", ("options",), "ConvolutionOptions", measured.CHECKED, counted=True),
    "convolution_speed": study("conv_speed", ("options",), "SpeedOptions", measured.SPEED),
    "receptive_fields": study("receptive_fields", ("options",), "FieldOptions", measured.FIELDS),
    "translation": study("translation", ("options",), "TranslationOptions", measured.TRANSLATION),
    "random_draws": study("random_draws", ("options",), "DrawOptions", measured.DRAWS),
    "evaluate": Study(
        "replicate.studies.evaluate",
        TRAINING,
        "replicate.evaluation.protocol:Evaluation",
        measured.EVALUATED,
        trains=True,
        untrained=True,
    ),
    "memory": study("memory", NETWORK, "MemoryOptions", measured.MEMORY),
    "step_time": study("step_time", ("model", "data", "recipe", "options"), "StepTimeOptions", measured.STEP_TIME),
    "lesion": study("lesion", TRAINING, "LesionOptions", measured.LESION, trains=True),
    "lesion_pretrained": study("lesion", NETWORK, "LesionOptions", measured.LESION),
    "responses": study("responses", TRAINING, "NoOptions", measured.RESPONSES, trains=True),
    "paths": study("gradient_paths", TRAINING, "PathOptions", measured.PATHS, trains=True),
    "path_lengths": study("path_lengths", ("options",), "LengthOptions", measured.PATH_LENGTHS),
}
