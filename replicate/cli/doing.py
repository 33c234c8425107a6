"""Commands that do the runs of one experiment, or train one network."""

from typing import Annotated

import typer

from replicate.cli.arguments import RESULTS, ExperimentName, Overrides, check_experiment, say

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, written and decided; do nothing.")]


def run(name: ExperimentName, overrides: Overrides = None, dry_run: DryRun = False) -> None:
    """Do what is not done yet of an experiment, then report. KEY=VALUE overrides anything in its file."""
    check_experiment(name)
    if dry_run:
        from replicate.sweep.dry_run import foreseen

        print(foreseen(name, overrides or [], RESULTS))
        return
    from replicate.runs.store import RunStore
    from replicate.sweep.budget import run_within_budget

    overrides = overrides or []
    sweep = run_within_budget(name, overrides, RESULTS)
    from replicate.report.again import tell  # not before the runs: statistics and tables are slow to import

    store = RunStore(sweep.experiment.runs_dir)
    findings, found = tell(sweep.experiment, RESULTS, overrides)
    if sweep.done_before < len(sweep.runs) and not findings.missing:
        from replicate.wandb_mirror.summary import mirror_summary

        mirror_summary(findings, found, store)
    say(f"{len(sweep.runs)} runs: {sweep.done_before} were done before, {len(sweep.failed)} failed")
    for failed in sweep.failed:
        say(f"failed: {failed.variant} seed {failed.seed}, see {store.trace_path(failed.id)}")
    if sweep.failed:
        raise typer.Exit(1)


def train(overrides: Overrides = None) -> None:
    """Train your own network by a paper's recipe: model=mynet recipe=he2016_cifar data=cifar10 against=resnet_cifar.

    model= is a network of the extension folder or an import, mypackage.networks:mynet. model.width=2 and
    against.depth=20 are options of the two; other overrides as for `run`. Without against= nothing is compared.
    """
    from rich.console import Console

    from replicate.report.terminal import results, verdict_list
    from replicate.report.wording import data_used, run_summary
    from replicate.sweep.own_training import train as do

    findings, answers, failed = do(overrides or [], RESULTS)
    Console().print(f"{findings.table.locator} on {data_used(findings)}: {run_summary(findings)}")
    Console().print(results(findings), *([verdict_list(findings, answers)] if answers else []))
    say(f"{len(findings.records)} runs in {findings.experiment.runs_dir}, {failed} failed; results/ is left as it is")
    if failed:
        raise typer.Exit(1)
