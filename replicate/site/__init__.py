"""A static site of papers, experiments and verdicts: opens from a file, loads nothing from anywhere else."""

from collections.abc import Iterator
from pathlib import Path

from replicate.errors import UserError
from replicate.files import write_atomic
from replicate.report.collected import csv_bytes
from replicate.report.networks import NETWORKS
from replicate.report.verdict_file import VERDICTS, verdict_file
from replicate.report.write import FIGURE, RUNS, pretty, runs_frame
from replicate.site import pages
from replicate.site.content import Content, Result, read_content

__all__ = ["Content", "build_site", "read_content", "site_files"]

ASSETS = ("site.css", "site.js", "icon.svg")
MARK = "assets/site.css"  # a folder with it is an earlier site, whose pages may be replaced


def build_site(results_dir: Path, out: Path) -> int:
    """Write the site of what `results_dir` holds into the folder `out`; the number of files.

    Equal results give equal bytes; pages of an earlier site that no longer exist are removed. Raises UserError when
    `out` holds something else or cannot be written.
    """
    if out.exists() and any(out.iterdir()) and not (out / MARK).is_file():
        raise UserError(f"{out} is not empty and holds no earlier site; choose another folder with --out")
    files = dict(site_files(read_content(results_dir)))
    try:
        remove_stale(out, files)
        for name, data in files.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, data)
    except OSError as error:
        raise UserError(f"cannot write the site to {out}: {error.strerror}") from error
    return len(files)


def remove_stale(out: Path, files: dict[str, bytes]) -> None:
    """Remove an earlier site's pages and data that are not among `files`."""
    for pattern in (
        "paper/*.html",
        "experiment/*.html",
        *(f"data/*/*/{name}" for name in (RUNS, VERDICTS, FIGURE)),
        f"data/{NETWORKS}",
    ):
        for path in out.glob(pattern):
            if path.relative_to(out).as_posix() not in files:
                path.unlink()


def site_files(content: Content) -> Iterator[tuple[str, bytes]]:
    """Path in the site and bytes of every file."""
    for name, text in texts(content):
        yield name, text.encode()
    for result in content.results:
        yield from data_files(result)
    if content.networks:
        yield f"data/{NETWORKS}", content.networks


def texts(content: Content) -> Iterator[tuple[str, str]]:
    yield "index.html", pages.overview(content)
    yield "experiments.html", pages.experiments(content)
    for paper in content.papers:
        yield f"paper/{paper.id}.html", pages.paper_page(content, paper)
    for entry in content.entries:
        yield f"experiment/{entry.name}.html", pages.experiment_page(content, entry)
    for name in ASSETS:
        yield f"assets/{name}", pages.asset(name)
    yield "assets/search.js", pages.search_index(content)


def data_files(result: Result) -> Iterator[tuple[str, bytes]]:
    """The result's runs, verdicts and figure, as results/ has them, to look at or download."""
    folder = f"data/{result.entry.name}/{result.scale}"
    yield f"{folder}/{RUNS}", csv_bytes(runs_frame(result.findings))
    yield f"{folder}/{VERDICTS}", pretty(verdict_file(result.findings, result.verdicts))
    if result.figure:
        yield result.drawn, result.figure
