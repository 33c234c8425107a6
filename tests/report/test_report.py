"""From records to findings: what counts, under which name and unit, and the statistics against scipy."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from replicate.errors import UserError
from replicate.papers import load_paper
from replicate.report import judge
from replicate.report.findings import Sample, gather
from replicate.report.wording import DASH, decimals_of, estimate, published_cell
from replicate.runs.committed import available_records, committed_records, joint_records
from replicate.runs.store import RunStore
from tests.helpers.made_up import LADDER, errors_falling, made_up_experiment, record_of
from tests.helpers.reported import report


def test_mean_and_interval_are_scipys() -> None:
    experiment = made_up_experiment(seeds=4)
    runs = experiment.runs()
    records = errors_falling(runs)
    findings = gather(experiment, runs, records)
    for line in findings.variants:
        values = [r.value("test_error") or 0.0 for r in records if r.variant == line.variant]
        sample = line.measured["top1_error"]
        low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
        assert sample.values == tuple(values)
        assert sample.mean == pytest.approx(np.mean(values), rel=1e-12)
        assert sample.interval == pytest.approx((low, high), rel=1e-9)


def test_one_run_has_no_interval() -> None:
    experiment = made_up_experiment(seeds=1)
    findings = gather(experiment, experiment.runs(), errors_falling(experiment.runs()))
    assert {line.measured["top1_error"].interval for line in findings.variants} == {None}


def test_only_planned_runs_count_under_the_plans_names() -> None:
    experiment = made_up_experiment()
    other = made_up_experiment(model={"name": "another"})
    elsewhere = [r.model_copy(update={"experiment": "x", "variant": "y"}) for r in errors_falling(experiment.runs())]
    findings = gather(experiment, experiment.runs(), [*errors_falling(other.runs()), *elsewhere])
    assert [(r.experiment, r.variant, r.seed) for r in findings.records] == [
        ("made_up", variant, seed) for variant in LADDER for seed in range(3)
    ]
    assert not set(findings.frame["seed"]) - {0, 1, 2}
    assert gather(experiment, experiment.runs(), errors_falling(other.runs())).records == ()


def test_a_training_that_misses_the_level_is_judged_by_its_length_and_has_no_number_in_the_table() -> None:
    experiment = made_up_experiment(metrics={"steps": "steps_to_reach"}, recipe={"name": "laptop", "epochs": 2})
    runs = experiment.runs()
    records = [record_of(run, {"steps_to_reach": None if run.seed else 20.0}) for run in runs]
    findings = gather(experiment, runs, records)
    assert {line.measured["steps"].values for line in findings.variants} == {(20.0,)}
    missed = findings.frame[findings.frame["status"] == "unreached"]
    assert set(missed["value"]) == {2.0 * 157}  # 10,000 images in batches of 64
    assert len(missed) == 6


def test_variants_of_one_configuration_share_their_record() -> None:
    variants = {name: {"row": row, "model": {}} for name, row in LADDER.items()}
    experiment = made_up_experiment(variants=variants, seeds=1)
    [record] = {run.id: record_of(run, {"test_error": 10.0}) for run in experiment.runs()}.values()
    findings = gather(experiment, experiment.runs(), [record])
    assert [line.measured["top1_error"].mean for line in findings.variants] == [10.0] * 3


def twins() -> dict[str, object]:
    """An experiment whose variants measure two columns of one printed row: a network without and with its gates."""
    own = {"plain": "reimpl_top1", "gated": "se_top1"}
    return {
        "paper": "senet",
        "table": "imagenet_main",
        "claims": ["se_helps_every_depth"],
        "metrics": dict.fromkeys(own.values(), "test_error"),
        "variants": {name: {"row": "ResNet-50", "columns": [c], "model": {"tag": name}} for name, c in own.items()},
    }


def test_two_variants_may_measure_columns_of_one_row() -> None:
    experiment = made_up_experiment(**twins())
    findings = gather(experiment, experiment.runs(), errors_falling(experiment.runs()))
    plain, gated = findings.variants
    assert (set(plain.measured) & set(findings.columns), set(gated.measured) & set(findings.columns)) == (
        {"reimpl_top1"},
        {"se_top1"},
    )
    assert ("se_top1" in plain.published, plain.published["reimpl_top1"]) == (False, 24.8)
    assert "base_gflops" in plain.published  # of the row as a whole: no run of ours measures it
    [verdict] = judge(findings)
    assert verdict.n == 6
    assert verdict.effect == pytest.approx(gated.measured["se_top1"].mean - plain.measured["reimpl_top1"].mean)


def test_how_training_begins_is_a_measurement_of_its_own() -> None:
    experiment = made_up_experiment(seeds=1)
    frame = gather(experiment, experiment.runs(), errors_falling(experiment.runs())).frame
    begun = frame[frame["metric"] == "train_loss_first_epoch"]
    assert (len(begun), set(begun["value"]), begun["index"].notna().any()) == (3, {2.0}, False)


def test_missing_runs_are_not_failures() -> None:
    experiment = made_up_experiment()
    done = errors_falling(experiment.runs())
    kept = [r for r in done if r.variant != "2x40d" and (r.variant, r.seed) != ("1x64d", 2)]
    findings = gather(experiment, experiment.runs(), kept)
    states = {line.variant: (line.finished, line.diverged, line.missing) for line in findings.variants}
    assert states == {"1x64d": (2, 0, 1), "2x40d": (0, 0, 3), "32x4d": (3, 0, 0)}
    assert {(run.variant, run.seed) for run in findings.missing} == {("1x64d", 2), *(("2x40d", s) for s in range(3))}


def test_a_failed_row_fails_in_the_columns_that_the_paper_prints() -> None:
    experiment = made_up_experiment({"x": "dropout shortcut 0.5"}, paper="preact", table="shortcut_types", claims=[])
    [line] = gather(experiment, experiment.runs(), []).variants
    assert (published_cell(line, "test_error"), published_cell(line, "train_loss")) == ("fail", DASH)


@pytest.mark.parametrize(("scored", "counts_as"), [(None, 90.0), (87.5, 87.5)])
def test_a_diverged_run_counts_with_its_score_or_at_chance(scored: float | None, counts_as: float) -> None:
    experiment = made_up_experiment()
    [first, *others] = errors_falling(experiment.runs())
    failed = record_of(experiment.runs()[0], {"test_error": scored, "classes": 10.0}, status="diverged")
    line = gather(experiment, experiment.runs(), [failed, *others]).variants[0]
    assert line.measured["top1_error"].values[0] == counts_as
    assert (line.finished, line.diverged, first.variant) == (2, 1, line.variant)


def test_chance_needs_one_number_of_classes() -> None:
    experiment = made_up_experiment(seeds=1, metrics={"top1_error": "test_error", "top1_accuracy": "test_error"})
    runs = experiment.runs()

    def chance(*classes: float) -> dict[str, float]:
        records = [record_of(run, {"classes": n}) for run, n in zip(runs, classes, strict=True)]
        return dict(gather(experiment, runs, records).chance)

    assert chance(10, 10, 10) == {
        "test_error": 90,
        "test_top5_error": 50,
        "top1_error": 90,
        "top1_accuracy": 10,
    }
    assert chance(10, 10, 100) == {}


def test_bound_metrics_take_the_columns_name_and_unit() -> None:
    experiment = made_up_experiment(
        {"a": "1.0 mobilenet-224"},
        seeds=1,
        paper="mobilenet",
        table="width_multiplier",
        metrics={"top1_accuracy": "test_error", "params": "parameters"},
        claims=[],
    )
    values, curves = {"test_error": 12.5, "train_error": 5.0}, {"train_loss": [2.0, 1.0], "train_error": [9.0, 7.0]}
    record = record_of(experiment.runs()[0], values, curves)
    findings = gather(experiment, experiment.runs(), [record])
    measured = {name: sample.mean for name, sample in findings.variants[0].measured.items()}
    assert measured == pytest.approx(
        {
            "top1_accuracy": 87.5,
            "params": 0.270896,  # the table prints millions
            "train_loss": 1.0,  # of a curve the last value
            "train_error": 5.0,  # which a single value of the same name goes before
            "train_loss_first_epoch": 2.0,
            "train_error_first_epoch": 9.0,
            "multiply_adds": 10_400_000,
            "seconds": 61.25,
            "images_per_second": 812.5,
        }
    )
    curve = findings.frame[findings.frame["metric"] == "train_loss"]
    assert list(zip(curve["index"], curve["value"], strict=True)) == [(1.0, 2.0), (2.0, 1.0)]
    assert set(findings.frame["row"]) == {"1.0 mobilenet-224"}


def test_a_measured_metric_called_like_a_bound_column_does_not_mix_in() -> None:
    experiment = made_up_experiment(seeds=1)
    records = [record_of(run, {"test_error": 10.0, "top1_error": 99.0}) for run in experiment.runs()]
    findings = gather(experiment, experiment.runs(), records)
    assert [line.measured["top1_error"].values for line in findings.variants] == [(10.0,)] * 3


def test_verdicts_and_table_rest_on_the_same_means() -> None:
    experiment = made_up_experiment()
    _, *others = errors_falling(experiment.runs())
    failed = record_of(experiment.runs()[0], {"test_error": None, "classes": 10.0}, status="diverged")
    findings = gather(experiment, experiment.runs(), [failed, *others])
    means = [line.measured["top1_error"].mean for line in findings.variants]
    [verdict] = judge(findings)
    assert verdict.claim == "cardinality_beats_width"
    assert verdict.effect == pytest.approx(means[-1] - means[0], rel=1e-9)
    assert verdict.n == len(findings.records)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"table": "cardinality_vs_widht"}, "did you mean cardinality_vs_width"),
        ({"rows": {"1x64d": "ResNet-50 1x46d"}}, "did you mean ResNet-50 1x64d"),
        ({"claims": ["cardinality_beats_with"]}, "did you mean cardinality_beats_width"),
        ({"rows": {"a": "ResNet-50 1x64d", "b": "ResNet-50 1x64d"}}, "two variants"),
    ],
)
def test_names_that_the_paper_lacks(settings: dict[str, object], said: str) -> None:
    experiment = made_up_experiment(**settings)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=said):
        report(experiment, errors_falling(experiment.runs()))


def test_own_runs_go_before_committed_ones(tmp_path: Path) -> None:
    experiment = made_up_experiment()
    store, results = RunStore(tmp_path / "runs"), tmp_path / "results"
    assert available_records(experiment, store, results) == []
    report(experiment, errors_falling(experiment.runs()), results)
    assert len(available_records(experiment, store, results)) == 9
    assert len(committed_records(results, "resnext", "made_up", "paper")) == 0
    [own, *_] = errors_falling(experiment.runs(), spread=0.1)
    store.folder(own.id).mkdir(parents=True)
    store.write(own)
    assert available_records(experiment, store, results) == [own]
    joint = joint_records(experiment, store, results)
    assert len(joint) == 9
    assert own in joint


def test_importing_the_report_leaves_torch_and_matplotlib_alone() -> None:
    code = "import sys, replicate.report; assert not {'torch', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_ten_thousand_records_in_ten_seconds(tmp_path: Path) -> None:
    """Of processor time, so that other work on the machine does not count; the figure is one of forty rows."""
    published = [row.variant for row in load_paper("resnext").tables["cardinality_vs_width"].rows]
    rows = {name: name for name in published} | {f"v{number}": None for number in range(len(published), 40)}
    claims = ["cardinality_beats_width", "saturation_at_small_width", "gain_is_not_regularisation"]
    experiment = made_up_experiment(rows, seeds=250, claims=claims)
    records = errors_falling(experiment.runs())
    assert len(records) == 10_000
    started = time.process_time()
    findings, verdicts = report(experiment, records, tmp_path)
    spent = time.process_time() - started
    assert len(findings.records) == 10_000
    assert verdicts[0].kind == "trend"
    assert verdicts[0].n <= 16 * len(published), "a look counts planned seeds alone"
    assert spent < 10, f"{spent:.1f} s"


def test_a_row_that_exploded_leaves_the_others_their_digits() -> None:
    losses = [Sample((value, 1.2 * value), 1.1 * value, 0.1 * value) for value in (0.016, 0.4321, 3.851e16)]
    digits = decimals_of(losses, "")
    assert [estimate(loss, digits) for loss in losses] == [
        "0.0176 ± 0.0016 (2)",
        "0.4753 ± 0.0432 (2)",
        "4.236e+16 ± 3.851e+15 (2)",
    ]
