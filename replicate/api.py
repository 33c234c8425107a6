"""The door from Python: an experiment run or read, its tables as pandas frames, its figure, its trained networks."""

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from replicate.errors import UserError
from replicate.experiments.catalogue import find
from replicate.experiments.experiment import Experiment, load_experiment
from replicate.experiments.run_config import Run, config_class, run_id, training_config
from replicate.paths import conf_dir
from replicate.report import Findings, VariantFindings, findings_of, judge
from replicate.report.verdict_file import ROW, answered
from replicate.report.write import runs_frame
from replicate.runs.committed import available_records, committed_records
from replicate.runs.records import Record
from replicate.runs.store import RunStore
from replicate.verdicts import Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import nn

PLAIN = re.compile(r"[\w.+-]+")
"""Values that Hydra's grammar takes as they are; others are quoted."""


@dataclass(frozen=True, eq=False)
class Result:
    """What is known of an experiment at one scale. The frames are new ones at each access and may be changed.

    `failed`: runs of this call that ended with an error, whose traceback lies in their folder as error.txt.
    """

    findings: Findings
    answers: tuple[Verdict, ...]
    failed: tuple[Run, ...] = ()

    @property
    def experiment(self) -> Experiment:
        """The experiment as it was composed: its scale, variants, deviations."""
        return self.findings.experiment

    @property
    def table(self) -> pd.DataFrame:
        """One row a variant: for each column of the paper's table what was printed (`x_published`) and measured.

        `x` is the mean over `x_n` runs, `x_low` to `x_high` its 95 % interval, in the unit of the table.
        """
        return pd.DataFrame([dict(self._cells(line)) for line in self.findings.variants])

    def _cells(self, line: VariantFindings) -> Iterator[tuple[str, Any]]:
        yield from {"variant": line.variant, "row": line.row}.items()
        for column in self.findings.columns:
            sample = line.measured.get(column)
            low, high = (sample and sample.interval) or (None, None)
            yield f"{column}_published", line.published.get(column)
            yield column, sample.mean if sample else None
            yield from {f"{column}_low": low, f"{column}_high": high, f"{column}_n": sample.n if sample else 0}.items()
        for name in ("parameters", "multiply_adds", "finished", "diverged", "missing"):
            yield name, getattr(line, name)

    @property
    def runs(self) -> pd.DataFrame:
        """One row a run: id, variant, seed, status, every single measurement, seconds, versions and hardware."""
        return runs_frame(self.findings)

    @property
    def curves(self) -> pd.DataFrame:
        """Every point of every curve: variant, row, seed, status, metric, index (the epoch, block or depth), value."""
        frame = self.findings.frame
        return frame[frame["index"].notna()].reset_index(drop=True)

    @property
    def verdicts(self) -> pd.DataFrame:
        """One row a claim: its statement, the answer, effect with interval, p, seeds and the sentence on it.

        Empty at smoke scale, where nothing is judged.
        """
        rows = [answered(self.findings, verdict).row() for verdict in self.answers]
        return pd.DataFrame(rows, columns=list(ROW))

    def figure(self) -> "Figure":
        """The published values beside the measured ones, or the paper's own figure where a study has one."""
        import matplotlib.style

        from replicate.report.figures.draw import draw
        from replicate.report.figures.style import STYLE

        if not self.findings.records:
            raise UserError(f"{self.experiment.name}: there is no run at {self.experiment.scale} scale to draw")
        with matplotlib.style.context(["default", STYLE]):
            return draw(self.findings)

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """The records themselves, with configuration and provenance."""
        return self.findings.records


def run(
    name: str, *overrides: str, results_dir: str | Path = "results", quiet: bool = False, **settings: Any
) -> Result:
    """Do what is not done yet of an experiment, as `replicate run` does, and return what it gives.

    `settings` are the command line's overrides (scale="smoke", seeds=1, variant=["1x64d", "32x4d"]); a setting within a
    block is a mapping (recipe={"lr": 0.05}) or one of `overrides` ("recipe.lr=0.05"). Runs are kept in `runs_dir`
    (a setting; ./runs). Nothing is written to `results_dir`, whose records say which claims are open. A run that fails
    is warned of and stands in `failed`. Raises UserError, before anything is written, for what cannot be.
    """
    from replicate.sweep.budget import run_within_budget

    every = [*overrides, *overrides_of(settings)]
    sweep = run_within_budget(name, every, Path(results_dir), quiet)
    store = RunStore(sweep.experiment.runs_dir)
    for failed in sweep.failed:
        message = f"{failed.variant} seed {failed.seed} failed, see {store.trace_path(failed.id)}"
        warnings.warn(message, RuntimeWarning, stacklevel=2)
    records = available_records(sweep.experiment, store, Path(results_dir))
    return result_of(sweep.experiment, records, tuple(sweep.failed))


def results(name: str, scale: str | None = None, results_dir: str | Path | None = None) -> Result:
    """What the records in results/ say of an experiment; nothing is run.

    scale: without one the first judged scale that has records. results_dir: by default `results` in the current folder,
    else that of the checkout. Raises UserError where there are no records.
    """
    entry, folder = find(name), Path(results_dir) if results_dir is not None else results_folder()
    scales = [scale] if scale is not None else [str(judged) for judged in entry.judged_scales]
    for asked in scales:
        experiment = load_experiment(name, [f"scale={asked}"])
        records = committed_records(folder, entry.paper, name, experiment.scale)
        if records:
            return result_of(experiment, records)
    raise UserError(f"{name} has no records at {' or '.join(scales)} scale in {folder}: replicate.run makes them")


def load_network(run: str | Mapping[str, Any] | Run | Record, runs_dir: str | Path = "runs") -> "nn.Module":
    """The trained network of a finished run, on the CPU and in eval mode.

    `run`: its id, a row of `result.runs`, or a record; `runs_dir` is where it was run. Raises UserError for a run that
    is not there or kept no weights.
    """
    from replicate.training.checkpoint import WEIGHTS, load_weights
    from replicate.training.network import build_network

    name = run if isinstance(run, str) else run.id if isinstance(run, (Run, Record)) else str(run["id"])
    store = RunStore(Path(runs_dir))
    record = store.read(name)
    if record is None:
        raise UserError(f"there is no finished run {name} in {runs_dir}: runs_dir is the folder that it was run in")
    config = config_class(record.config["study"]).model_validate(record.config)
    if config.data is None or config.recipe is None:
        raise UserError(f"run {name} is of study {config.study}, which trains no network")
    training = training_config(config)
    folders = [store.folder(name), store.folder(run_id("train", training.identity(), record.seed))]
    folder = next((folder for folder in folders if (folder / WEIGHTS).is_file()), None)
    if folder is None:
        raise UserError(f"run {name} kept no weights in {runs_dir}")
    network = build_network(config.model, config.data, "default", record.seed)
    try:
        load_weights(network, folder)
    except ValueError as error:
        raise UserError(f"{folder / WEIGHTS} is damaged: {error}") from error
    return network.eval()


def result_of(experiment: Experiment, records: Sequence[Record], failed: tuple[Run, ...] = ()) -> Result:
    """The result that `records` give."""
    findings = findings_of(experiment, records)
    return Result(findings, tuple(judge(findings)), failed)


def results_folder() -> Path:
    """`results` in the current folder if there is one, else the one that lies beside the checkout's conf/."""
    here = Path("results")
    return here if here.is_dir() else conf_dir().parent / "results"


def overrides_of(settings: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Python values as the command line's overrides.

    >>> list(overrides_of({"scale": "smoke", "recipe": {"lr": 0.1}, "variant": ["a", "b c"]}))
    ['scale=smoke', 'recipe.lr=0.1', "variant=[a,'b c']"]
    """
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from overrides_of(value, f"{above}{key}.")
        else:
            yield f"{above}{key}={hydra_value(value)}"


def hydra_value(value: Any) -> str:
    """A plain value in Hydra's grammar."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (list, tuple, range)):
        return f"[{','.join(map(hydra_value, value))}]"
    text = str(value)
    return text if PLAIN.fullmatch(text) else "'{}'".format(text.replace("\\", "\\\\").replace("'", "\\'"))
