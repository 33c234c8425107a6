"""Experiments and records for tests of the report: real papers, invented measurements."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from omegaconf import OmegaConf

from replicate.experiments.experiment import Experiment
from replicate.experiments.run_config import Run
from replicate.runs.records import Measurement, Record, Status, Timing

LADDER = {
    "1x64d": "ResNet-50 1x64d",
    "2x40d": "ResNeXt-50 2x40d",
    "32x4d": "ResNeXt-50 32x4d",
}
"""Variants of :func:`made_up_experiment` and their published rows."""


def made_up_experiment(rows: Mapping[str, str | None] = LADDER, seeds: int = 3, **settings: Any) -> Experiment:
    """An experiment that needs no file: `rows` maps variants to published rows; `settings` overrides anything."""
    variants = {name: {"row": row, "model": {"tag": place}} for place, (name, row) in enumerate(rows.items())}
    config = {
        "scale": "laptop",
        "runs_dir": "runs",
        "wandb": "disabled",
        "paper": "resnext",
        "table": "cardinality_vs_width",
        "study": "train",
        "scales": ["smoke", "laptop", "paper"],
        "claims": ["cardinality_beats_width"],
        "metrics": {"top1_error": "test_error"},
        "statistic": "mean",
        "deviations": {"laptop": ["data: small images"]},
        "variants": variants,
        "variant": None,
        "seeds": seeds,
        "model": {"name": "made_up"},
        "data": {"name": "bundled", "size": 16},
        "recipe": {"name": "laptop"},
        "trainer": {},
        "machine": {},
        "options": {},
        **settings,
    }
    return Experiment("made_up", OmegaConf.create(config))


def record_of(
    run: Run,
    values: Mapping[str, float | None],
    curves: Mapping[str, Sequence[float]] | None = None,
    status: Status = "finished",
) -> Record:
    """The record of `run` with single `values` and `curves` over epochs."""
    points = [(metric, epoch, v) for metric, curve in (curves or {}).items() for epoch, v in enumerate(curve, start=1)]
    single = [(metric, None, value) for metric, value in values.items()]
    return Record(
        id=run.id,
        experiment=run.experiment,
        scale=run.scale,
        variant=run.variant,
        seed=run.seed,
        status=status,
        config=run.config.identity(),
        measurements=tuple(Measurement(metric=m, index=i, value=v) for m, i, v in [*points, *single]),
        parameters=270_896,
        multiply_adds=10_400_000,
        timing=Timing(seconds=61.25, images_per_second=812.5),
        provenance={
            "commit": "c0ffee",
            "dirty": False,
            "python": "3.12.1",
            "packages": {"torch": "2.6.0"},
            "threads": 1,
        },
    )


def errors_falling(runs: Sequence[Run], spread: float = 0.3) -> list[Record]:
    """Records whose test error falls by one point from variant to variant, about 15 % in the first."""
    places = {name: place for place, name in enumerate(dict.fromkeys(run.variant for run in runs))}
    noise = np.random.default_rng(0).normal(0, spread, len(runs))
    return [
        record_of(run, {"test_error": 15 - places[run.variant] + e, "classes": 10.0}, {"train_loss": [2.0, 1.0]})
        for run, e in zip(runs, noise.tolist(), strict=True)
    ]
