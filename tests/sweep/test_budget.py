"""Seeds go where claims are open, while the budget lasts; the whole suite shares work and goes on after a kill."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from replicate.errors import UserError
from replicate.experiments.duration import parse_duration, spoken
from replicate.experiments.experiment import load_experiment
from replicate.report import findings_of
from replicate.runs.records import Measurement, Record
from replicate.runs.store import RunStore
from replicate.sweep import budget, execute, suite
from replicate.sweep.budget import run_within_budget
from replicate.sweep.costs import CostBook
from replicate.sweep.execute import Job
from replicate.sweep.launch import do_runs
from replicate.sweep.sequential import Step, next_step
from tests.runs.test_records import make_record

WORDS = ["launcher=inline", "wandb=disabled", "data.train_images=40", "data.test_images=20"]
Errors = Callable[[str, int], float]


def measured(job: Job, errors: Errors) -> Record:
    """A record of the run with that test error, its loss and a training error alike."""
    run, value = job.run, errors(job.run.variant, job.run.seed)
    names = {
        "test_error": value,
        "test_loss": value / 30,
        "train_error": value,
        "train_loss": value / 30,
        "classes": 10.0,
    }
    numbers = tuple(Measurement(metric=name, value=number) for name, number in names.items())
    labels = {"variant": run.variant, "seed": run.seed, "experiment": run.experiment, "scale": run.scale}
    return make_record(run).model_copy(update={"measurements": numbers, **labels})


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Callable[[Errors], list[str]]:
    """Let runs take no time and have the errors of a function; returns the list of those that were done."""

    def install(errors: Errors) -> list[str]:
        done: list[str] = []

        def measure(job: Job, store: RunStore) -> Record:
            done.append(f"{job.run.variant} {job.run.seed}")
            return measured(job, errors)

        monkeypatch.setattr(execute, "measure", measure)
        return done

    return install


def clear(variant: str, seed: int) -> float:
    """Residual networks far below the plain one, options in the paper's order, hardly any spread."""
    return {"plain": 80.0, "A": 24.0, "B": 18.0, "C": 12.0}[variant] + 0.01 * seed


def murky(variant: str, seed: int) -> float:
    """As clear, but B and C can hardly be told apart."""
    noise = ((seed * 7 + len(variant) * 3) % 5 - 2) * 1.5
    return {"plain": 40.0, "A": 25.0, "B": 20.0, "C": 19.0}[variant] + noise


def test_a_clear_table_needs_the_planned_seeds_only(workdir: Path, pretend: Callable[[Errors], list[str]]) -> None:
    done = pretend(clear)
    run_within_budget("resnet_shortcuts", ["scale=laptop", *WORDS], Path("results"))
    assert sorted(done) == sorted(f"{variant} {seed}" for variant in ("plain", "A", "B", "C") for seed in range(3))


def test_open_claims_get_further_seeds_of_their_rows_alone(
    workdir: Path, pretend: Callable[[Errors], list[str]]
) -> None:
    done = pretend(murky)
    run_within_budget("resnet_shortcuts", ["scale=laptop", *WORDS], Path("results"))
    further = {line.rpartition(" ")[0] for line in done if int(line.rpartition(" ")[2]) >= 3}
    assert {"B", "C"} <= further
    assert len(done) == len(set(done)) > 12
    again = len(done)
    run_within_budget("resnet_shortcuts", ["scale=laptop", *WORDS], Path("results"))
    assert len(done) == again, "what the records answer needs no further run"


def test_a_budget_that_is_spent_begins_no_further_look(
    workdir: Path, pretend: Callable[[Errors], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    done = pretend(murky)
    run_within_budget("resnet_shortcuts", ["scale=laptop", "budget=1s", *WORDS], Path("results"))
    assert len(done) == 12, "the planned runs are always done"
    assert "a larger budget= goes on from here" in capsys.readouterr().err


def test_without_a_budget_the_plan_is_all(workdir: Path, pretend: Callable[[Errors], list[str]]) -> None:
    done = pretend(murky)
    run_within_budget("resnet_shortcuts", ["scale=laptop", "budget=null", *WORDS], Path("results"))
    assert len(done) == 12


def test_no_run_begins_after_its_deadline(workdir: Path, pretend: Callable[[Errors], list[str]]) -> None:
    done = pretend(clear)
    experiment = load_experiment("resnet_shortcuts", ["scale=laptop", *WORDS])
    runs = [(experiment, run) for run in experiment.runs()[:4]]
    assert do_runs(runs, RunStore(experiment.runs_dir), quiet=True, deadline=time.time() - 1) == []
    assert done == []


def test_the_next_look_of_an_unfinished_first_one_completes_it(workdir: Path) -> None:
    experiment = load_experiment("resnet_shortcuts", ["scale=laptop", *WORDS])
    jobs = [execute.job_of(experiment, run) for run in experiment.runs(seeds=range(4))]
    records = [measured(job, murky) for job in jobs if (job.run.variant, job.run.seed) != ("C", 3)]
    step = next_step(findings_of(experiment, records), {record.id for record in records})
    assert step is not None
    assert ("C", 3) in {(run.variant, run.seed) for run in step.runs}


@pytest.mark.parametrize(("text", "seconds"), [("30m", 1800), ("8h", 28800), ("1h30m", 5400), ("90 s", 90)])
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "30", "5 x", "-3m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="budget is a time like 30m"):
        parse_duration(text)


def test_times_are_told_as_a_person_would() -> None:
    assert [spoken(seconds) for seconds in (45, 700, 12000)] == ["45 s", "12 min", "3 h 20 min"]


def test_a_cost_is_that_of_the_other_seeds_or_follows_from_operations(workdir: Path) -> None:
    experiment = load_experiment("resnet_shortcuts", ["scale=laptop", *WORDS])
    first, other = experiment.run("A", 0), experiment.run("B", 0)
    book = CostBook()
    book.learn([make_record(first).model_copy(update={"timing": make_record(first).timing})])
    assert book.estimate(experiment.run("A", 5)).measured
    assert not book.estimate(other).measured
    assert book.estimate(other).seconds > 0


def test_the_suite_does_the_selection_and_goes_on_where_it_was(
    workdir: Path, pretend: Callable[[Errors], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    done = pretend(lambda variant, seed: clear(variant, seed))
    entries = suite.selected_entries([], ["resnet_shortcuts", "alexnet_parameters"], "laptop")
    assert [entry.name for entry in entries] == ["alexnet_parameters", "resnet_shortcuts"]
    shortcuts = [entry for entry in entries if entry.name == "resnet_shortcuts"]
    words = ["scale=laptop", "launcher=inline", "wandb=disabled"]
    answers = suite.run_suite(shortcuts, words, 36000, Path("results"))
    assert len(done) == 12
    assert answers["undecided"] == 0
    assert (workdir / "results" / "resnet" / "resnet_shortcuts" / "laptop" / "verdicts.json").exists()
    assert suite.run_suite(shortcuts, words, 36000, Path("results")) == answers
    assert len(done) == 12, "a second suite finds everything done"


def test_an_unknown_paper_or_an_empty_selection_is_refused() -> None:
    with pytest.raises(UserError, match="did you mean resnext"):
        suite.selected_entries(["resnxt"], [], "laptop")
    with pytest.raises(UserError, match="the selection is empty"):
        suite.run_suite([], [], 10, Path("results"))


def test_what_does_not_fit_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    experiment = load_experiment("resnet_shortcuts", ["scale=laptop"])
    step = Step(experiment, tuple(experiment.runs()), ("shortcut_options_order",), 4)
    assert not budget.fits(step, CostBook(), time.time() + 1)
    assert "1 claims are open" in capsys.readouterr().err
