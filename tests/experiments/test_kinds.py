"""What each study says that it measures, against what experiments, claims and committed records name."""

import json
import subprocess
import sys

import pytest

from replicate.errors import UserError
from replicate.experiments.catalogue import catalogue
from replicate.experiments.experiment import load_experiment
from replicate.experiments.kinds import STUDIES
from replicate.papers.measured import MEASURED
from replicate.paths import PACKAGE
from replicate.sweep.preflight import check_metrics

IN_TABLES_ONLY = {"block_params", "params", "top1_error"}
"""Columns of tables, which claims on rows without a printed number name, too."""


def test_every_metric_of_an_experiment_is_measured_by_its_study() -> None:
    for entry in catalogue():
        for metric in entry.metrics.values():
            assert STUDIES[entry.study].metric(metric), (entry.name, metric)


def test_what_claims_rest_on_is_measured_in_the_claims_unit() -> None:
    for name, unit in MEASURED.items():
        found = {metric.unit for study in STUDIES.values() if (metric := study.metric(name)) and metric.name != "*"}
        assert found == ({unit} if name not in IN_TABLES_ONLY else set()), name


def test_every_committed_measurement_is_one_that_its_study_names() -> None:
    committed = list((PACKAGE.parent / "results").glob("*/*/*/records.jsonl"))
    assert committed
    for path in committed:
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            study = STUDIES[record["config"]["study"]]
            assert all(study.metric(m["metric"]) for m in record["measurements"]), path


def test_a_metric_that_the_study_does_not_measure_is_refused_with_the_nearest() -> None:
    experiment = load_experiment("stochastic_depth", ["scale=smoke", "+metrics.extra=test_eror"])
    with pytest.raises(
        UserError, match=r"metric of study train \(metrics\.extra\) 'test_eror'; did you mean test_error"
    ):
        check_metrics(experiment)


def test_options_are_read_without_torch() -> None:
    code = """
import sys
from replicate.experiments.kinds import STUDIES
from importlib import import_module
for study in STUDIES.values():
    module, _, name = study.options.partition(":")
    getattr(import_module(module), name)
assert "torch" not in sys.modules
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
