"""Commands that look at what there is: experiments, tables, verdicts, errata, networks, recipes, metrics."""

import json
from typing import Annotated

import typer

from replicate.cli.arguments import (
    RESULTS,
    AsJson,
    ExperimentName,
    ModelName,
    OfPaper,
    Overrides,
    check_paper,
    nothing_left,
    tell,
)

AsTables = Annotated[bool, typer.Option("--tables", help="Every published table: what re-makes it, or why not.")]
AsConfig = Annotated[bool, typer.Option("--config", help="The composed configuration of each variant, as YAML.")]
ListState = Annotated[
    str | None,
    typer.Option("--state", help="run, not run, open (claims undecided), answered; with --tables: made, not."),
]
AnswerState = Annotated[str | None, typer.Option("--state", help="An answer: holds, undecided, not run, exact, ...")]
ErrataState = Annotated[str | None, typer.Option("--state", help="erratum or convention.")]
Minutes = Annotated[float | None, typer.Option(help="At most so many minutes at laptop scale, by the file.")]
Beginning = Annotated[str, typer.Argument(metavar="[PART]", help="Names with this part alone.")]


def list_experiments(
    as_json: AsJson = False,
    tables: AsTables = False,
    paper: OfPaper = None,
    state: ListState = None,
    minutes: Minutes = None,
) -> None:
    """List the experiments: paper, table, study, scales, cost and what has been run."""
    from replicate.overview.choice import experiments_left, tables_left

    check_paper(paper)
    if tables:
        states = tables_left(paper, state)
        nothing_left(states, "table")
        from replicate.overview.coverage import table_text

        if as_json:
            print(json.dumps([found.as_dict() for found in states], indent=2))
        else:
            tell(table_text(states))
        return
    from replicate.experiments.catalogue import as_text

    summaries = [entry.summary(RESULTS) for entry in experiments_left(paper, state, minutes, RESULTS)]
    nothing_left(summaries, "experiment")
    print(json.dumps(summaries, indent=2)) if as_json else tell(as_text(summaries))


def show(name: ExperimentName, overrides: Overrides = None, config: AsConfig = False) -> None:
    """Show one experiment: what it asks, the paper's table, the variants and the deviations at each scale."""
    from replicate.experiments.catalogue import find

    entry = find(name)
    if config:
        from replicate.experiments.experiment import load_experiment
        from replicate.overview.composed import composed
        from replicate.sweep.select import selected

        experiment = load_experiment(name, overrides or [])
        print(composed(experiment, selected(experiment, overrides or [])), end="")
        return
    from replicate.errors import UserError
    from replicate.experiments.overrides import check_overrides
    from replicate.overview.describe import describe

    check_overrides(overrides or [])
    if overrides:
        raise UserError(f"'{overrides[0]}': overrides belong to --config, which shows what they compose")
    tell(describe(entry))


def cost(
    model: ModelName,
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


def verdicts(as_json: AsJson = False, paper: OfPaper = None, state: AnswerState = None) -> None:
    """Print every claim with its verdicts in results/, the experiment that would answer it, or why none can."""
    from replicate.overview.answers import as_text
    from replicate.overview.choice import answers_left

    check_paper(paper)
    rows = answers_left(paper, state, RESULTS)
    nothing_left(rows, "claim")
    print(json.dumps(rows, indent=2)) if as_json else tell(as_text(rows))


def list_errata(as_json: AsJson = False, paper: OfPaper = None, state: ErrataState = None) -> None:
    """List every printed figure of papers and source documents that cannot be right, with the arithmetic."""
    from replicate.overview.choice import errata_left
    from replicate.overview.errata import as_text

    check_paper(paper)
    lines = errata_left(paper, state)
    nothing_left(lines, "printed figure")
    print(json.dumps([line.as_dict() for line in lines], indent=2)) if as_json else tell(as_text(lines))


def list_models(part: Beginning = "", as_json: AsJson = False) -> None:
    """List the networks with the options that each takes."""
    from replicate.overview.choice import models_left

    found = models_left(part)
    nothing_left(found, "network")
    lines = (f"{name}  {', '.join(options)}" for name, options in found.items())
    print(json.dumps(found, indent=2)) if as_json else tell("\n".join(lines))


def list_recipes(part: Beginning = "", as_json: AsJson = False) -> None:
    """List the training recipes: the paper's recipe that each completes, and what its file says of itself."""
    from replicate.overview.choice import recipes_left

    found = recipes_left(part)
    nothing_left(found, "recipe")
    lines = (f"{name}  {said}" for name, said in found.items())
    print(json.dumps(found, indent=2)) if as_json else tell("\n".join(lines))


def list_metrics(
    study: Annotated[str | None, typer.Argument(metavar="[STUDY]")] = None, as_json: AsJson = False
) -> None:
    """List what each kind of study measures, in which unit, and which way is better."""
    from replicate.overview.choice import metrics_left

    found = metrics_left(study)
    if as_json:
        print(json.dumps(found, indent=2))
        return
    for name, metrics in found.items():
        tell(f"{name}\n" + "\n".join(f"    {metric}  {said}".rstrip() for metric, said in metrics.items()))
