"""The mirror of a finished sweep in wandb, and the upload of what was mirrored offline. As in `tracking`, the run
store is the truth: whatever goes wrong here costs one warning."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from replicate.experiments.kinds import STUDIES
from replicate.files import canonical, digest
from replicate.papers.printed import is_number
from replicate.report.findings import Findings
from replicate.report.table import table_frame
from replicate.report.verdict_file import verdict_file
from replicate.runs.store import RunStore
from replicate.verdicts import Verdict
from replicate.wandb_mirror.tracking import PATIENCE, attempt, logged_in, mirror_of, open_mirror, within

SYNCED = ".synced"  # wandb marks an uploaded file by one of its name with this at the end
SYNC_SECONDS = 3600
SUMMARY, DONE = "summary", "mirrored"

Upload = Callable[[Sequence[Path]], None]


def mirror_summary(findings: Findings, verdicts: Sequence[Verdict], store: RunStore) -> bool:
    """Add a run with the comparison table, the verdicts and the figure to the sweep's group; whether that was done.

    Only of what trains, as the runs themselves; equal content is mirrored once.
    """
    experiment = findings.experiment
    data = verdict_file(findings, verdicts).model_dump(mode="json")
    identity = digest(canonical([data, [record.id for record in findings.records]]))[:12]
    folder = store.folder(f"{SUMMARY}-{experiment.name}-{experiment.scale}-{identity}")
    if experiment.wandb == "disabled" or not STUDIES[experiment.settings.study].trains or (folder / DONE).exists():
        return False
    return attempt(lambda: within(3 * PATIENCE, lambda: send_summary(findings, verdicts, folder, data)))


def send_summary(findings: Findings, verdicts: Sequence[Verdict], folder: Path, data: dict[str, Any]) -> None:
    """Open the run, give it everything, close it, and note that; raises whatever wandb does."""
    experiment = findings.experiment
    folder.mkdir(parents=True, exist_ok=True)
    run = open_mirror(
        mirror_of(experiment),
        folder,
        name=SUMMARY,
        id=folder.name,
        job_type=SUMMARY,
        tags=[experiment.settings.paper, experiment.scale, SUMMARY],
        config={"experiment": experiment.name, "runs": data["runs"], "deviations": data["deviations"]},
    )
    run.log(contents(findings, verdicts, folder))
    run.summary.update(means(findings))
    run.finish()
    (folder / DONE).touch()


def contents(findings: Findings, verdicts: Sequence[Verdict], folder: Path) -> dict[str, Any]:
    """The two tables and the figure as wandb's media."""
    import wandb

    from replicate.report.figures.draw import figure_png

    media: dict[str, Any] = {"comparison": wandb.Table(dataframe=table_frame(findings))}
    if verdicts:
        media["verdicts"] = wandb.Table(dataframe=verdict_frame(verdicts))
    if not findings.counted:
        picture = folder / "figure.png"
        picture.write_bytes(figure_png(findings))
        media["figure"] = wandb.Image(str(picture))
    return media


def verdict_frame(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """One line a verdict, with all its numbers."""
    names = ("claim", "effect", "low", "high", "unit", "n", "seeds", "p", "smallest", "detail")
    return pd.DataFrame(
        [{"verdict": v.outcome.value, "statement": v.statement, **{n: getattr(v, n) for n in names}} for v in verdicts]
    )


def means(findings: Findings) -> dict[str, float]:
    """`top1_error/32x4d` -> the mean, for each bound column and variant; followed by /published, the printed number."""
    values: dict[str, float] = {}
    for line in findings.variants:
        for column in findings.columns:
            printed = line.published.get(column)
            if column in line.measured:
                values[f"{column}/{line.variant}"] = line.measured[column].mean
            if is_number(printed):
                values[f"{column}/{line.variant}/published"] = float(printed)
    return values


def offline_files(runs_dir: Path) -> list[Path]:
    """The offline runs under `runs_dir` that were not uploaded yet, oldest first."""
    found = sorted(runs_dir.glob("*/wandb/offline-run-*/run-*.wandb"), key=lambda path: path.parent.name)
    return [path for path in found if not path.with_name(path.name + SYNCED).exists()]


def sync(runs_dir: Path, upload: Upload | None = None) -> int:
    """Upload every offline run under `runs_dir` once; how many were uploaded now."""
    files = offline_files(runs_dir)

    def send() -> None:
        if upload is None:
            logged_in()
        (upload or wandb_sync)(files)

    if files:
        attempt(send)
    return len(files) - len([path for path in offline_files(runs_dir) if path in files])


def wandb_sync(files: Sequence[Path]) -> None:
    """wandb's own upload, which marks each file that is done. Raises OSError with what it said last."""
    command = [sys.executable, "-m", "wandb", "sync", "--yes", *(str(path.parent) for path in files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SYNC_SECONDS, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise OSError(said[-1] if said else f"wandb sync ended with code {done.returncode}")
