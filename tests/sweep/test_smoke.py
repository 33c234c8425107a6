"""`replicate smoke`: every experiment gets its line, and what fails is counted and does not stop the others."""

from types import SimpleNamespace

import pytest

from replicate.experiments.catalogue import catalogue
from replicate.experiments.scale import Scale
from replicate.sweep import smoke


def chosen(monkeypatch: pytest.MonkeyPatch, *names: str, scales: tuple[Scale, ...] = (Scale.SMOKE,)) -> None:
    monkeypatch.setattr(smoke, "catalogue", lambda: [SimpleNamespace(name=name, scales=scales) for name in names])


def test_every_experiment_gets_a_line_and_a_failure_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen(monkeypatch, "alexnet_parameters", "no_such_experiment", "squeezenet_versions_cost")
    assert smoke.smoke_all(workers=2) == 1
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.split()[:3] == ["alexnet_parameters", "9", "runs"]
    assert first.endswith("ok")
    assert "UserError: unknown experiment 'no_such_experiment'" in second
    assert third.split()[:3] == ["squeezenet_versions_cost", "2", "runs"]


def test_what_counts_is_run_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(smoke, "smoke", lambda name, _: smoke.Smoked(name, 1, 0, 0.0))
    assert smoke.smoke_all(workers=1) == 0
    told = {line.split()[0] for line in capsys.readouterr().out.splitlines()}
    assert told == {entry.name for entry in catalogue()}


def test_experiments_without_that_scale_are_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen(monkeypatch, "alexnet_parameters", scales=(Scale.PAPER,))
    assert smoke.smoke_all(workers=1) == 0
    assert capsys.readouterr().out == ""


def test_a_run_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    result = SimpleNamespace(runs=[1, 2, 3], failed=[1])
    monkeypatch.setattr(smoke, "run_experiment", lambda name, words, quiet: result)
    assert smoke.smoke("anything", "nowhere").line().endswith("1 FAILED")
