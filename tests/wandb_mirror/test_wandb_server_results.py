"""`replicate mirror`: committed records on a server, once; and the overview of all papers."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from replicate.errors import UserError
from replicate.experiments.experiment import load_experiment
from replicate.paths import PACKAGE
from replicate.runs.committed import RECORDS, read_records
from replicate.wandb_mirror import backfill
from replicate.wandb_mirror.backfill import mirror_results, owners_of
from tests.wandb_mirror.wandb_server import WandbServer, outside

NAME, CURVES = "path_lengths", "se_3x3"


def committed(name: str) -> Path:
    """The folder of an experiment's committed results."""
    return next(path for path in (PACKAGE.parent / "results").rglob(name) if path.is_dir())


def mirror_again_and_again(results: Path, runs_dir: Path) -> None:
    """Twice, and once more after what was noted is lost; for a process of its own."""
    words = [f"runs_dir={runs_dir}"]
    for _ in range(2):
        print(json.dumps(vars(mirror_results(results, CURVES, words))))
    for ledger in (runs_dir / "wandb").glob("mirrored-*.txt"):
        ledger.unlink()
    print(json.dumps(vars(mirror_results(results, CURVES, words))))


@pytest.fixture(scope="module")
def server() -> Iterator[WandbServer]:
    made = WandbServer()
    yield made
    made.close()


@pytest.fixture(scope="module")
def told(server: WandbServer, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, int]]:
    folder = tmp_path_factory.mktemp("mirror")
    code = "from tests.wandb_mirror.test_wandb_server_results import *; mirror_again_and_again(Path({!r}), Path({!r}))"
    done = outside(code.format(str(committed(CURVES)), str(folder / "runs")), folder, server.environment)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_committed_run_arrives_once(server: WandbServer, told: list[dict[str, int]]) -> None:
    records = read_records(next(committed(CURVES).rglob(RECORDS)))
    first, second, forgotten = told
    assert first == {"now": len(records) + 1, "before": 0, "failed": 0}
    assert second == {"now": 0, "before": len(records), "failed": 0}
    assert forgotten["now"] == len(records) + 1
    for record in records:
        run = server.runs[record.id]
        curve = {m.index: m.value for m in record.measurements if m.metric == "train_error" and m.index is not None}
        steps = [step for step in run.history if "train_error" in step]
        assert {step["epoch"]: step["train_error"] for step in steps} == curve
        assert len(steps) == len(curve)  # none twice, though sent again
        assert run.summary["test_error"] == record.value("test_error")
        assert run.config["commit"] == record.provenance["commit"]
        assert run.head["groupName"] == f"{CURVES}-{record.scale}"
    assert len([name for name in server.runs if name.startswith("summary-")]) == 1


def test_experiments_that_share_a_run_have_each_their_own(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "laptop").mkdir(parents=True)
        line = {"id": "train-0-s0", "experiment": name, "scale": "laptop"}
        (tmp_path / name / "laptop" / RECORDS).write_text(json.dumps(line) + "\n", encoding="utf-8")
    assert owners_of(tmp_path) == {"train-0-s0": "a-laptop"}
    experiment = load_experiment(NAME, ["scale=laptop"])
    records = read_records(next(committed(NAME).rglob(RECORDS)))
    findings = backfill.findings_of(experiment, records)
    owned = [past.name for past in backfill.past_runs(findings, {})]
    shared = [past.name for past in backfill.past_runs(findings, dict.fromkeys(owned, "a-laptop"))]
    group = backfill.mirror_of(experiment).group
    assert owned == [record.id for record in findings.records]
    assert shared == [f"{name}-{group}" for name in owned]


def test_what_is_disabled_or_unknown_is_told_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    with pytest.raises(UserError, match="wandb is disabled"):
        mirror_results(committed(NAME), NAME, [f"runs_dir={tmp_path}"])
    with pytest.raises(UserError, match="unknown experiment 'path_length'"):
        mirror_results(committed(NAME), "path_length", [])
