"""Studies `convolution`, `convolution_speed`, `receptive_fields`, `translation`: the source documents on convolutions.

Also `random_draws`: what papers say of random embeddings and of randomly dropped blocks, from many draws.

options.topic says which of :data:`TOPICS`; the topic's other options are the fields of its class.
"""

from typing import Any

from replicate.errors import unknown
from replicate.experiments.run_config import RunConfig, validated
from replicate.runs.task import Outcome, Task
from replicate.statements.checks import Arithmetic
from replicate.statements.receptive import Fields
from replicate.studies.block_survival import Survival
from replicate.studies.conv_speed import Speed
from replicate.studies.random_embedding import Embedding
from replicate.studies.translation import Motion

Topic = Arithmetic | Speed | Fields | Motion | Embedding | Survival
TOPICS: dict[str, type[Topic]] = {
    "arithmetic": Arithmetic,
    "algorithms": Speed,
    "fields": Fields,
    "motion": Motion,
    "embedding": Embedding,
    "survival": Survival,
}


def topic_of(config: RunConfig) -> Topic:
    """The topic with its options. Raises UserError for an unknown topic or option."""
    options: dict[str, Any] = dict(config.options)
    name = str(options.pop("topic", ""))
    if name not in TOPICS:
        raise unknown("topic of study convolution (options.topic)", name, TOPICS)
    topic: Topic = validated(TOPICS[name], config.study, options, "options")
    return topic


def check(config: RunConfig) -> None:
    """Raises UserError for options that make no sense."""
    topic_of(config).check()


def run(task: Task) -> Outcome:
    """The measurements of the topic. The run's seed draws tensors, which matter to no equality and no count."""
    return Outcome(tuple(topic_of(task.run.config).measure(task)))
