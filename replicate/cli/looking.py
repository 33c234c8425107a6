"""Commands that look at what there is: experiments, tables, verdicts, errata, the size of a network."""

import json
from typing import Annotated

import typer

from replicate.cli.arguments import RESULTS, AsJson, ExperimentName

AsTables = Annotated[bool, typer.Option("--tables", help="Every published table: what re-makes it, or why not.")]


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


def show(name: ExperimentName) -> None:
    """Show one experiment: what it asks, the paper's table, the variants and the deviations at each scale."""
    from replicate.experiments.catalogue import find
    from replicate.overview.describe import describe

    print(describe(find(name)))


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


def verdicts(as_json: AsJson = False) -> None:
    """Print every claim with its verdicts in results/, the experiment that would answer it, or why none can."""
    from replicate.overview.answers import answers, as_text

    rows = answers(RESULTS)
    print(json.dumps(rows, indent=2) if as_json else as_text(rows))


def list_errata(as_json: AsJson = False) -> None:
    """List every printed figure of papers and source documents that cannot be right, with the arithmetic."""
    from replicate.overview.errata import as_text, errata

    lines = errata()
    print(json.dumps([line.as_dict() for line in lines], indent=2) if as_json else as_text(lines))
