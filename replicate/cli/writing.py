"""Commands that write what follows from records: reports, the site, the generated pages."""

from pathlib import Path
from typing import Annotated

import typer

from replicate.cli.arguments import RESULTS, Overrides, check_experiment, say
from replicate.errors import UserError


def report(
    name: Annotated[str | None, typer.Argument(metavar="[EXP]")] = None,
    overrides: Overrides = None,
    form: Annotated[
        str | None, typer.Option("--format", help="latex or markdown: print tables, write nothing.")
    ] = None,
) -> None:
    """Make tables, figures and verdicts again from the records: of one experiment, or of all that have any."""
    if name is not None:
        check_experiment(name)
    from replicate.report.again import print_tables, report_again

    if form is not None:
        print_tables(name, overrides or [], RESULTS, form)
    else:
        report_again(name, overrides or [], RESULTS)


def calibration(
    page: Annotated[Path, typer.Argument(help="The page to write.")] = Path("docs/calibration.md"),
    refit: Annotated[bool, typer.Option("--refit", help="First fit the prior spread on results/ anew.")] = False,
) -> None:
    """Simulate sweeps of known truth and write how often the verdicts are wrong. Takes two minutes."""
    if page.is_dir() or not page.absolute().parent.is_dir():
        raise UserError(f"{page} is no file in a folder that exists: the page is written there")
    if refit:
        from replicate.overview.prior_fit import fitted_on

        fitted_on(RESULTS).dump()
        say("the prior spread is fitted anew: `replicate report` judges with it")
    from replicate.overview.calibration_page import write_calibration

    write_calibration(page)
    print(f"{page} written")


def site(out: Annotated[Path, typer.Option(help="The folder to write it to.")] = Path("site")) -> None:
    """Build the static site of papers, experiments and verdicts from results/; open its index.html in a browser."""
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file: the site is a folder")
    from replicate.site import build_site

    count = build_site(RESULTS, out)
    print(f"{count} files in {out}: open {out / 'index.html'}")


def readme(
    page: Annotated[Path, typer.Argument(help="The page to fill.")] = Path("README.md"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 when it is out of date.")] = False,
) -> None:
    """Fill the generated tables of README.md from results/ and the experiments."""
    from replicate.overview.fields_page import PAGE as FIELDS
    from replicate.overview.fields_page import write_fields
    from replicate.overview.readme import write_readme
    from replicate.overview.source_documents import PAGE, write_source_documents

    changed = write_readme(page, RESULTS, check) | write_fields(page.parent / FIELDS, check)
    changed |= write_source_documents(page.parent / PAGE, RESULTS, check)
    say(f"{page} {'is out of date' if check and changed else 'filled anew' if changed else 'is up to date'}")
    if check and changed:
        raise typer.Exit(1)
