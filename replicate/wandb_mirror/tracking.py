"""A mirror of each run in wandb. The run store is the truth: whatever goes wrong here costs a warning, never a run."""

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from replicate.experiments.experiment import Experiment
from replicate.experiments.kinds import STUDIES
from replicate.experiments.run_config import Run
from replicate.papers import load_paper
from replicate.papers.printed import is_number
from replicate.runs.records import Record
from replicate.runs.task import Tracker

PROJECT, PUBLISHED = "replicate", "published"
PATIENCE = 20.0  # seconds; a server that does not answer in this time is taken for dead

T = TypeVar("T")

given_up: list[str] = []
"""Not empty once a run could not be opened: the next runs of the process do not wait for the same dead server again."""


class WandbTracker(Tracker):
    """Mirrors to a wandb run. The first failure is told once and ends the mirroring."""

    def __init__(self, wandb_run: Any, references: Mapping[str, float] | None = None) -> None:
        self.run: Any | None = wandb_run
        self.references = dict(references or {})

    def _try(self, action: Callable[[Any], object]) -> None:
        if self.run is None:
            return
        try:
            wandb_run = self.run
            within(PATIENCE, lambda: action(wandb_run))
        except Exception as error:  # wandb raises many kinds; none of them may touch the run
            self.run = None
            warn(error)

    def log(self, step: int, values: Mapping[str, float | None]) -> None:
        self._try(lambda run: run.log({"epoch": step, **values, **self.references}))

    def finish(self, record: Record) -> None:
        singles = {m.metric: m.value for m in record.measurements if m.index is None}
        counted = {"parameters": record.parameters, "multiply_adds": record.multiply_adds, "status": record.status}
        timing = {"seconds": record.timing.seconds, "images_per_second": record.timing.images_per_second}
        self._try(lambda run: run.summary.update({**singles, **counted, **timing}))

    def close(self) -> None:
        self._try(lambda run: run.finish())


def within(seconds: float, action: Callable[[], T]) -> T:
    """What `action` returns or raises; TimeoutError when it takes longer, and it is left to itself."""
    outcome: Future[T] = Future()

    def act() -> None:
        try:
            outcome.set_result(action())
        except BaseException as error:  # told to the caller, who knows what to make of it
            outcome.set_exception(error)

    threading.Thread(target=act, daemon=True).start()
    try:
        return outcome.result(seconds)
    except TimeoutError as error:
        if outcome.done():  # its own
            raise
        raise TimeoutError(f"no answer in {seconds:g} s") from error


def warn(error: Exception) -> None:
    text = str(error).strip().splitlines()
    print(f"replicate: wandb is left out ({text[0] if text else type(error).__name__})", file=sys.stderr, flush=True)


def attempt(action: Callable[[], object]) -> bool:
    """Do `action`; a failure is one warning. Whether it was done."""
    try:
        action()
    except Exception as error:  # as above
        warn(error)
        return False
    return True


def logged_in() -> None:
    """Raises ConnectionError without a login."""
    if not has_login():
        raise ConnectionError("there is no login: `wandb login` makes one")


@cache
def has_login() -> bool:
    """Whether wandb knows a key; asks neither the person nor the network."""
    import wandb

    return bool(wandb.login(prompt=False, verify=False))


def published_values(run: Run, paper: str, table: str) -> dict[str, Any]:
    """What the paper prints in the row that `run` re-makes, as plain numbers: wandb makes texts of any others."""
    rows = {row.variant: row.published for row in load_paper(paper).tables[table].rows}
    printed = rows.get(run.row or "", {})
    return {key: float(value) if isinstance(value, float) else value for key, value in printed.items()}


def reference_lines(published: Mapping[str, Any]) -> dict[str, float]:
    """The printed numbers among `published`, under names of their own: logged at every epoch they draw a level line."""
    return {f"{PUBLISHED}/{key}": float(value) for key, value in published.items() if is_number(value)}


@dataclass(frozen=True)
class Mirror:
    """What the mirror of a run shows of its experiment, and whether there is one: `mode` is one of WANDB_MODES."""

    experiment: str
    scale: str
    mode: str
    paper: str
    table: str
    study: str
    deviations: tuple[str, ...]

    @property
    def group(self) -> str:
        """What all runs of an experiment at a scale are found by."""
        return f"{self.experiment}-{self.scale}"


def mirror_of(experiment: Experiment) -> Mirror:
    """The mirror of an experiment's runs."""
    settings = experiment.settings
    return Mirror(
        experiment=experiment.name,
        scale=experiment.scale,
        mode=experiment.wandb,
        paper=settings.paper,
        table=settings.table,
        study=settings.study,
        deviations=tuple(experiment.deviations),
    )


def open_mirror(mirror: Mirror, folder: Path, **given: Any) -> Any:
    """A wandb run in the group of the experiment and scale, whose files lie in `folder`; raises whatever wandb does."""
    import wandb

    mode: Any = mirror.mode
    if mode == "auto":
        mode = "online" if has_login() else "offline"
    quiet = wandb.Settings(silent=True, console="off", init_timeout=PATIENCE, x_disable_stats=True, x_disable_meta=True)
    return wandb.init(
        mode=mode,
        project=PROJECT,
        group=mirror.group,
        resume="allow",
        dir=str(folder),
        settings=quiet,
        **given,
    )


def start(mirror: Mirror, run: Run, folder: Path) -> Tracker:
    """Open the mirror of `run`."""
    published = published_values(run, mirror.paper, mirror.table)
    opened = open_mirror(
        mirror,
        folder,
        name=f"{run.variant}-s{run.seed}",
        id=run.id,
        tags=[mirror.paper, mirror.study, run.scale, run.variant[:64]],
        config={
            **run.config.model_dump(mode="json", exclude_none=True),
            "experiment": run.experiment,
            "variant": run.variant,
            "seed": run.seed,
            "published": published,
            "deviations": list(mirror.deviations),
        },
    )
    return WandbTracker(opened, reference_lines(published))


@contextmanager
def make_tracker(mirror: Mirror, run: Run, folder: Path) -> Iterator[Tracker]:
    """The tracker of `run`, closed on the way out. Without wandb, or when it fails, one that tracks nothing.

    Only training has curves to mirror.
    """
    tracker = Tracker()
    if mirror.mode != "disabled" and STUDIES[run.config.study].trains and not given_up:
        try:
            tracker = within(2 * PATIENCE, lambda: start(mirror, run, folder))  # wandb's own limit comes first
        except Exception as error:  # wandb raises many kinds; none of them may touch the run
            given_up.append(mirror.experiment)
            warn(error)
    try:
        yield tracker
    finally:
        tracker.close()
