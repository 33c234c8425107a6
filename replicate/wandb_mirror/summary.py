"""The mirror of a finished sweep in wandb: a run with its table, verdicts, figure, and intervals over seeds.

As in `tracking`, the run store is the truth: whatever goes wrong here costs one warning.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from replicate.files import canonical, digest
from replicate.papers.printed import is_number
from replicate.report.findings import Findings
from replicate.report.table import table_frame
from replicate.report.verdict_file import verdict_file
from replicate.runs.store import RunStore
from replicate.verdicts import Verdict
from replicate.wandb_mirror.intervals import interval_steps, intervals
from replicate.wandb_mirror.ledger import Ledger
from replicate.wandb_mirror.mirrored import PUBLISHED, SUMMARY, axis, define_axes, mirror_of
from replicate.wandb_mirror.session import attempt, mode_of, open_run, patiently


def mirror_summary(findings: Findings, verdicts: Sequence[Verdict], store: RunStore) -> bool:
    """Add a run with what the sweep found to its group; whether that was done. Equal content is mirrored once."""
    done: list[bool] = []
    attempt(lambda: done.append(add_summary(findings, verdicts, store)))
    return done == [True]


def add_summary(findings: Findings, verdicts: Sequence[Verdict], store: RunStore) -> bool:
    """The same; raises whatever wandb does."""
    if mode_of(findings.experiment.wandb) == "disabled":
        return False
    ledger, name = Ledger(store.root), summary_id(findings, verdicts)
    if ledger.has(name, "done"):
        return False
    send_summary(findings, verdicts, store.root, name)
    ledger.add(name, "done")
    return True


def summary_id(findings: Findings, verdicts: Sequence[Verdict]) -> str:
    """What the run is called: by the experiment, the scale and everything that was found."""
    found = canonical(
        [verdict_file(findings, verdicts).model_dump(mode="json"), [record.id for record in findings.records]]
    )
    return f"{SUMMARY}-{findings.experiment.name}-{findings.experiment.scale}-{digest(found)[:12]}"


def send_summary(findings: Findings, verdicts: Sequence[Verdict], runs_dir: Path, name: str) -> None:
    """Open the run, give it everything, close it; raises whatever wandb does."""
    mirror, data = mirror_of(findings.experiment), verdict_file(findings, verdicts).model_dump(mode="json")
    told = ("experiment", "scale", "paper", "table", "comparable", "runs", "deviations")
    opened = open_run(
        mirror.mode,
        runs_dir,
        id=name,
        name=SUMMARY,
        group=mirror.group,
        job_type=SUMMARY,
        tags=[mirror.paper, mirror.scale, SUMMARY],
        config={**{key: data[key] for key in told}, "study": mirror.study, "content": name},
    )
    with TemporaryDirectory() as folder:
        patiently(lambda: fill(opened.run, findings, verdicts, Path(folder)))
    opened.close()


def fill(run: Any, findings: Findings, verdicts: Sequence[Verdict], folder: Path) -> None:
    """Log the curves, the media and the single values. `folder`: for the figure's file."""
    define_axes(run, axis(findings.experiment.settings.study))
    for step in interval_steps(findings):
        run.log(step)
    run.log(contents(findings, verdicts, folder))
    run.summary.update({**means(findings), **tally(verdicts)})


def contents(findings: Findings, verdicts: Sequence[Verdict], folder: Path) -> dict[str, Any]:
    """The tables and the figure as wandb's media."""
    import wandb

    from replicate.report.figures.draw import figure_png

    media: dict[str, Any] = {"comparison": wandb.Table(dataframe=table_frame(findings))}
    if verdicts:
        media["verdicts"] = wandb.Table(dataframe=verdict_frame(verdicts))
    curves = intervals(findings)
    if len(curves):
        media["intervals"] = wandb.Table(dataframe=curves)
    if not findings.counted:
        picture = folder / "figure.png"
        picture.write_bytes(figure_png(findings))
        media["figure"] = wandb.Image(str(picture))
    return media


def verdict_frame(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """One line a verdict, with everything that it says; what is no single value, as text."""
    return pd.DataFrame([{name: cell(value) for name, value in asdict(verdict).items()} for verdict in verdicts])


def cell(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def tally(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """`verdicts/reproduced` -> how many claims of the experiment have that verdict."""
    said = [f"verdicts/{verdict.outcome}" for verdict in verdicts]
    return {key: said.count(key) for key in said}


def means(findings: Findings) -> dict[str, float]:
    """`top1_error/32x4d` -> the mean over seeds; followed by /low and /high, its interval; /published, what is printed.

    For each bound column and variant.
    """
    values: dict[str, float] = {}
    for line in findings.variants:
        for column in findings.columns:
            name, printed, sample = f"{column}/{line.variant}", line.published.get(column), line.measured.get(column)
            if sample is not None:
                values[name] = sample.mean
            if sample is not None and sample.interval is not None:
                values[f"{name}/low"], values[f"{name}/high"] = sample.interval
            if is_number(printed):
                values[f"{name}/{PUBLISHED}"] = float(printed)
    return values
