"""The command line: list, show, run, plan, report, site and more. Each command imports what it needs, when it runs."""

import io
import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from replicate.errors import UserError
from replicate.wandb_mirror import commands

app = typer.Typer(
    name="replicate",
    help="Classic convolutional-network papers: the paper's table beside your own numbers, with an honest verdict.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

AsTables = Annotated[bool, typer.Option("--tables", help="Every published table: what re-makes it, or why not.")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
ExperimentName = Annotated[str, typer.Argument(metavar="EXP", help="An experiment, as `replicate list` names them.")]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="e.g. scale=smoke seed=0")]
RESULTS = Path("results")


@app.command("list")
def list_experiments(as_json: AsJson = False, tables: AsTables = False) -> None:
    """List the experiments: paper, table, study, scales, cost and what has been run."""
    from replicate.experiments.catalogue import as_text, catalogue

    if tables:
        from replicate.overview.coverage import table_states, table_text

        states = table_states()
        print(json.dumps([state.as_dict() for state in states], indent=2) if as_json else table_text(states))
        return
    summaries = [entry.summary(RESULTS) for entry in catalogue()]
    print(json.dumps(summaries, indent=2) if as_json else as_text(summaries))


@app.command()
def show(name: ExperimentName) -> None:
    """Show one experiment: what it asks, the paper's table, the variants and the deviations at each scale."""
    from replicate.experiments.catalogue import find
    from replicate.overview.describe import describe

    print(describe(find(name)))


@app.command()
def run(name: ExperimentName, overrides: Overrides = None) -> None:
    """Do what is not done yet of an experiment, then report. KEY=VALUE overrides anything in its file."""
    from replicate.report.again import tell
    from replicate.runs.store import RunStore
    from replicate.sweep.budget import run_within_budget

    words = overrides or []
    sweep = run_within_budget(name, words, RESULTS)
    store = RunStore(sweep.experiment.runs_dir)
    findings, found = tell(sweep.experiment, RESULTS, words)
    if sweep.done_before < len(sweep.runs) and not findings.missing:
        from replicate.wandb_mirror.summary import mirror_summary

        mirror_summary(findings, found, store)
    say(f"{len(sweep.runs)} runs: {sweep.done_before} were done before, {len(sweep.failed)} failed")
    for failed in sweep.failed:
        say(f"failed: {failed.variant} seed {failed.seed}, see {store.trace_path(failed.id)}")
    if sweep.failed:
        raise typer.Exit(1)


def say(text: str) -> None:
    print(f"replicate: {text}", file=sys.stderr)


@app.command()
def suite(overrides: Overrides = None) -> None:
    """Do the whole catalogue within budget=8h, the runs that bring most answers first.

    papers= and experiments= narrow it; other overrides hold for every experiment (scale=, runs_dir=, machine.workers=).
    """
    from replicate.experiments.duration import parse_duration
    from replicate.sweep.suite import run_suite, selected_entries

    named = dict(
        word.split("=", 1) for word in overrides or [] if word.startswith(("budget=", "papers=", "experiments="))
    )
    words = [word for word in overrides or [] if word.split("=")[0] not in named]
    scale = next((word.removeprefix("scale=") for word in words if word.startswith("scale=")), "laptop")
    entries = selected_entries(listed(named.get("papers")), listed(named.get("experiments")), scale)
    answers = run_suite(entries, words, parse_duration(named.get("budget", "8h")), RESULTS)
    print(", ".join(f"{count} {outcome}" for outcome, count in answers.most_common()))


def listed(text: str | None) -> list[str]:
    """`a,b` or `[a, b]` as names; none without text."""
    return [name for part in (text or "").strip("[]").split(",") if (name := part.strip())]


@app.command()
def cost(
    model: Annotated[str, typer.Argument(help="A network, as replicate.models names them.")],
    options: Annotated[list[str] | None, typer.Argument(metavar="[OPTION=VALUE]...")] = None,
    input_shape: Annotated[str, typer.Option("--input", help="Channels, height and width.")] = "3x224x224",
    as_json: AsJson = False,
) -> None:
    """Count a network's parameters and multiply-adds, exactly."""
    from replicate.models.counting import count
    from replicate.overview.describe import parse_options, parse_shape

    given = parse_options(options or [])
    found = count(model, parse_shape(input_shape), **given)
    if as_json:
        print(json.dumps({"model": model, "parameters": found.parameters, "multiply_adds": found.multiply_adds}))
    else:
        print(f"{model}: {found.parameters:,} parameters, {found.multiply_adds:,} multiply-adds on {input_shape}")


@app.command()
def plan(
    name: ExperimentName,
    overrides: Overrides = None,
    scale: Annotated[str, typer.Option(help="smoke, laptop, paper or pretrained.")] = "laptop",
    power: Annotated[bool, typer.Option("--power", help="Effects that so many seeds see instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what an experiment will cost: runs, images, operations, disk, and time here and on named GPUs."""
    if power:
        from replicate.overview.seeds_needed import as_data, as_text, power_plan

        found = power_plan(name, [f"scale={scale}", *(overrides or [])], RESULTS)
        print(json.dumps(as_data(found), indent=2) if as_json else as_text(found))
        return
    from replicate.sweep.plan import make_plan

    made = make_plan(name, [f"scale={scale}", *(overrides or [])])
    print(json.dumps(made.as_dict(), indent=2) if as_json else made.as_text())


@app.command()
def report(name: Annotated[str | None, typer.Argument(metavar="[EXP]")] = None, overrides: Overrides = None) -> None:
    """Make tables, figures and verdicts again from the records: of one experiment, or of all that have any."""
    from replicate.report.again import report_again

    report_again(name, overrides or [], RESULTS)


@app.command()
def smoke() -> None:
    """Run every experiment and variant for a few steps in a folder of its own; results/ stays as it is."""
    from replicate.sweep.smoke import smoke_all

    if smoke_all():
        raise typer.Exit(1)


@app.command()
def verdicts(as_json: AsJson = False) -> None:
    """Print every claim with its verdicts in results/, the experiment that would answer it, or why none can."""
    from replicate.overview.answers import answers, as_text

    rows = answers(RESULTS)
    print(json.dumps(rows, indent=2) if as_json else as_text(rows))


app.command()(commands.dashboard)
app.command()(commands.sync)
app.command()(commands.mirror)


@app.command()
def calibration(
    page: Annotated[Path, typer.Argument(help="The page to write.")] = Path("docs/calibration.md"),
) -> None:
    """Simulate sweeps of known truth and write how often the verdicts are wrong. Takes two minutes."""
    from replicate.overview.calibration_page import write_calibration

    write_calibration(page)
    print(f"{page} written")


@app.command()
def site(out: Annotated[Path, typer.Option(help="The folder to write it to.")] = Path("site")) -> None:
    """Build the static site of papers, experiments and verdicts from results/; open its index.html in a browser."""
    from replicate.site import build_site

    count = build_site(RESULTS, out)
    print(f"{count} files in {out}: open {out / 'index.html'}")


@app.command()
def readme(
    page: Annotated[Path, typer.Argument(help="The page to fill.")] = Path("README.md"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 when it is out of date.")] = False,
) -> None:
    """Fill the generated tables of README.md from results/ and the experiments."""
    from replicate.overview.readme import write_readme
    from replicate.overview.source_documents import PAGE, write_source_documents

    changed = write_readme(page, RESULTS, check) | write_source_documents(page.parent / PAGE, RESULTS, check)
    say(f"{page} {'is out of date' if check and changed else 'filled anew' if changed else 'is up to date'}")
    if check and changed:
        raise typer.Exit(1)


@app.command("errata")
def list_errata(as_json: AsJson = False) -> None:
    """List every printed figure of papers and source documents that cannot be right, with the arithmetic."""
    from replicate.overview.errata import as_text, errata

    lines = errata()
    print(json.dumps([line.as_dict() for line in lines], indent=2) if as_json else as_text(lines))


def main() -> None:
    """Console entry: a user's mistake is one line and exit code 2, whoever found it; REPLICATE_DEBUG=1 shows where."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a sign still gets the line
    try:
        app()
    except UserError as error:
        say(str(error))
        sys.exit(2)
    except BrokenPipeError:  # the reader of a pipe has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get("REPLICATE_DEBUG"):
            raise
        text = str(error).strip().splitlines()
        say(f"{type(error).__name__}: {text[0] if text else 'no message'} (REPLICATE_DEBUG=1 shows where)")
        sys.exit(2)


if __name__ == "__main__":
    main()
