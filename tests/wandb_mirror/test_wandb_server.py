"""What the real wandb SDK brings to a server: runs of every study, large ones with artifacts, the sweep, a report."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from replicate.experiments.run_config import Run
from replicate.report import judge
from replicate.report.findings import gather
from replicate.runs.records import Measurement, Record, parse
from replicate.runs.store import RunStore
from replicate.wandb_mirror.dashboard import build_dashboard, saved
from replicate.wandb_mirror.session import SYNCED
from replicate.wandb_mirror.summary import means, mirror_summary
from replicate.wandb_mirror.tracking import make_tracker
from replicate.wandb_mirror.upload import offline_files
from tests.helpers.made_up import errors_falling, made_up_experiment, record_of
from tests.wandb_mirror.wandb_answers import ArrivedRun
from tests.wandb_mirror.wandb_runs import CHECKSUM, EPOCHS, the_run, trained_record
from tests.wandb_mirror.wandb_server import KEY, WandbServer, outside


def lesion_record(run: Run) -> Record:
    """Measured over blocks, from 3; block 5 gave no number."""
    made = record_of(run, {"test_error": 20.0})
    found = [(3, 30.0), (4, 12.5), (5, None)]
    curve = tuple(Measurement(metric="deleted_error", index=i, value=v) for i, v in found)
    return made.model_copy(update={"measurements": (*curve, *made.measurements)})


def mirror_online(folder: Path) -> None:
    """A training, a lesion, a training of the paper's size, and the summary of a sweep; for a process of its own."""
    mirror, run = the_run()
    with make_tracker(mirror, run, folder / run.id) as tracker:
        for epoch, values in enumerate(EPOCHS, start=1):
            tracker.log(epoch, {**values, "images_per_second": None})
        tracker.finish(trained_record(run))
    mirror, run = the_run(study="lesion")
    with make_tracker(mirror, run, folder / run.id) as tracker:
        tracker.finish(lesion_record(run))
    mirror, run = replace(the_run()[0], scale="paper"), the_run(recipe={"name": "laptop", "lr": 0.5})[1]
    (folder / run.id).mkdir(parents=True)
    (folder / run.id / "weights.pt").write_bytes(b"weights")
    with make_tracker(mirror, run, folder / run.id) as tracker:
        tracker.finish(trained_record(run))
    experiment = made_up_experiment(wandb="auto")
    findings = gather(experiment, experiment.runs(), errors_falling(experiment.runs()))
    verdicts = judge(findings)
    assert mirror_summary(findings, verdicts, RunStore(folder))
    assert not mirror_summary(findings, verdicts, RunStore(folder))
    print(saved(lambda entity, project: build_dashboard(findings, verdicts, entity, project), ""))


@pytest.fixture(scope="module")
def server() -> Iterator[WandbServer]:
    made = WandbServer()
    yield made
    made.close()


@pytest.fixture(scope="module")
def folder(server: WandbServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs' folder of `mirror_online`, whose server has all."""
    made = tmp_path_factory.mktemp("online")
    code = "from pathlib import Path; from tests.wandb_mirror.test_wandb_server import *; mirror_online(Path({!r}))"
    done = outside(code.format(str(made / "r")), made, {**server.environment, "WANDB_PROJECT": "mine"})
    assert done.stderr == ""
    (made / "told").write_text(done.stdout, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def training(server: WandbServer, folder: Path) -> ArrivedRun:
    return server.runs[the_run()[1].id]


def test_curves_arrive_over_epochs_beside_the_published_error(training: ArrivedRun) -> None:
    line = {"published/test_error": 22.2}
    *steps, last = training.history
    assert steps == [{"epoch": epoch, **values, **line} for epoch, values in enumerate(EPOCHS, start=1)]
    assert training.step_metrics == {"*": "epoch"}
    assert set(last) == {"epoch", "errors_table"}
    [chart] = [data for name, data in training.files.items() if name.startswith("media/table/errors_table")]
    assert json.loads(chart)["data"] == [
        [1, "train_error", 50],
        [2, "train_error", 25],
        [1, "published/test_error", 22.2],
        [2, "published/test_error", 22.2],
    ]


def test_single_values_are_the_summary_without_what_is_no_number(training: ArrivedRun) -> None:
    record = trained_record(the_run()[1])
    known = {key: training.summary.get(key) for key in ("test_error", "parameters", "seconds", "published/test_error")}
    assert list(known.values()) == [20.0, record.parameters, record.timing.seconds, 22.2]
    assert "lost" not in training.summary
    assert training.complete


def test_a_run_says_what_it_is_and_where_it_ran(training: ArrivedRun) -> None:
    head, told = training.head, training.settings()
    assert (head["displayName"], head["groupName"], head["jobType"]) == ("32x4d-s2", "made_up-laptop", "train")
    assert set(head["tags"]) == {"resnext", "train", "laptop", "32x4d"}
    assert head["project"] == "mine"
    named = ("scale", "paper", "table", "variant", "seed", "published", "data_checksum")
    values = ["laptop", "resnext", "cardinality_vs_width", "32x4d", 2, {"top1_error": 22.2}, CHECKSUM]
    assert [told[key] for key in named] == values
    assert told["machine"]["packages"]["torch"]
    assert "commit" in told
    assert told["model"]["name"] == "made_up"


def test_a_study_without_epochs_has_its_curves_over_the_index(server: WandbServer, folder: Path) -> None:
    run = server.runs[the_run(study="lesion")[1].id]
    assert run.history == [{"index": 3, "deleted_error": 30.0}, {"index": 4, "deleted_error": 12.5}]
    assert run.step_metrics == {"*": "index"}
    assert run.head["jobType"] == "lesion"
    assert (run.summary["test_error"], run.summary["published/test_error"]) == (20.0, 22.2)


def test_runs_of_the_papers_size_leave_record_weights_and_name_their_data(server: WandbServer, folder: Path) -> None:
    run = the_run(recipe={"name": "laptop", "lr": 0.5})[1]
    kept = {
        a["input"]["artifactTypeName"]: a for a in server.artifacts if a["input"]["artifactTypeName"] != "run_table"
    }
    assert parse(kept["record"]["files"]["record.json"]) == trained_record(run)
    assert kept["model"]["files"]["weights.pt"] == b"weights"
    data = kept["dataset"]
    assert data["input"]["artifactCollectionName"] == f"bundled-{CHECKSUM[:12]}"
    assert data["files"]["checksum.txt"].decode() == f"{CHECKSUM}\n"
    assert data["used"]
    assert not kept["record"]["used"]


def test_small_runs_leave_no_artifacts_of_their_own(server: WandbServer, training: ArrivedRun) -> None:
    names = [artifact["input"]["artifactCollectionName"] for artifact in server.artifacts]
    assert f"record-{the_run()[1].id}" not in names


def test_the_summary_has_tables_means_and_intervals_over_seeds(server: WandbServer, folder: Path) -> None:
    experiment = made_up_experiment()
    findings = gather(experiment, experiment.runs(), errors_falling(experiment.runs()))
    [run] = [run for name, run in server.runs.items() if name.startswith("summary-")]
    *steps, _ = run.history
    assert [step["epoch"] for step in steps] == [1, 2]
    assert steps[0]["train_loss/32x4d"] == steps[0]["train_loss/32x4d/low"] == steps[0]["train_loss/32x4d/high"] == 2
    assert {key: run.summary[key] for key in means(findings)} == pytest.approx(means(findings))
    low, high = findings.variants[0].measured["top1_error"].interval or (None, None)
    assert (run.summary["top1_error/1x64d/low"], run.summary["top1_error/1x64d/high"]) == pytest.approx((low, high))
    assert {name.split("_")[0] for name in run.files if name.startswith("media/")} == {
        "media/table/comparison",
        "media/table/verdicts",
        "media/table/intervals",
        "media/images/figure",
    }


def test_a_report_is_saved_and_its_address_told(server: WandbServer, folder: Path) -> None:
    [report] = server.reports
    assert report["projectName"] == "mine"
    assert report["entityName"] == "tester"
    assert "made_up, laptop scale" in report["displayName"]
    assert (folder / "told").read_text(encoding="utf-8").strip().startswith(server.url)


def test_what_has_arrived_is_marked_and_not_sent_again(folder: Path) -> None:
    files = list((folder / "r" / "wandb").glob("run-*/*.wandb"))
    assert len(files) == 4
    assert all(file.with_name(file.name + SYNCED).exists() for file in files)
    assert offline_files(folder / "r") == []


def test_no_key_and_no_path_of_the_user_arrive(server: WandbServer, folder: Path) -> None:
    told = json.dumps([[run.config, run.summary, run.history] for run in server.runs.values()])
    assert KEY not in told
    assert str(folder) not in told
