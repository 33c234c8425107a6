"""`replicate train`: a network of the user's under a recipe of the suite, without a paper; beside another one if asked.

What a paper's file would say (a table, a claim that the one network errs less than the other) is made here, so that
runs, table and answer are those of any experiment.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from replicate.errors import UserError, unknown
from replicate.experiments.composition import compose_config, hydra_overrides, is_sweep
from replicate.experiments.experiment import Experiment
from replicate.experiments.overrides import check_overrides
from replicate.experiments.recipe import recipe_names
from replicate.models.extension import NAMED, load_named_model
from replicate.papers.schema import Paper
from replicate.paths import conf_dir
from replicate.report import Findings, findings_of, judge
from replicate.runs.committed import available_records
from replicate.runs.store import RunStore
from replicate.sweep.budget import extend
from replicate.sweep.launch import do_runs
from replicate.sweep.select import selected
from replicate.verdicts import Verdict

NAME = "training"
ASKED = ("model", "recipe", "data", "against")
USAGE = "replicate train model=mynet recipe=he2016_cifar data=cifar10 against=resnet_cifar against.depth=20"


@dataclass(frozen=True)
class Asked:
    """What the command line asks for: the networks with their options, recipe, data, and overrides as elsewhere."""

    named: dict[str, str]
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()

    @property
    def networks(self) -> dict[str, dict[str, Any]]:
        """Variant -> name and options of its network; the user's own first."""
        own = {"name": self.named["model"], **self.options["model"]}
        if "against" not in self.named:
            return {own["name"]: own}
        other = {"name": self.named["against"], **self.options["against"]}
        label = other["name"] if other["name"] != own["name"] else f"{other['name']} (against)"
        return {own["name"]: own, label: other}


def asked_for(overrides: Sequence[str]) -> Asked:
    """The command line as data. Raises UserError for what is missing, unknown or said twice."""
    named: dict[str, str] = {}
    options: dict[str, dict[str, Any]] = {"model": {}, "against": {}}
    rest = []
    for override in overrides:
        key, sign, value = override.partition("=")
        block, dot, option = key.partition(".")
        if key in ASKED and sign and value:
            if key in named:
                raise UserError(f"{key}= stands twice: {named[key]} and {value}")
            named[key] = value
        elif block in options and dot and sign:
            options[block][option] = plain(override, value)
        else:
            rest.append(override)
    for key in ("model", "recipe"):
        if key not in named:
            raise UserError(f"{key}= is missing, as in: {USAGE}")
    if options["against"] and "against" not in named:
        raise UserError(f"against= is missing, whose options are given, as in: {USAGE}")
    check_overrides(rest)
    if named["recipe"] not in recipe_names():
        raise unknown("recipe", named["recipe"], recipe_names())
    return Asked({**named, "model": imported(named["model"])}, options, tuple(rest))


def plain(override: str, value: str) -> Any:
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UserError(f"'{override}': its value is no plain YAML") from error


def imported(name: str) -> str:
    """The network's name; `package.module:function` is imported here and in every process that this one starts."""
    module, colon, function = name.partition(":")
    if not colon:
        return name
    if not module or not function.isidentifier():
        raise UserError(f"model={name}: an import is module:function, as mypackage.networks:mynet")
    os.environ[NAMED] = name
    try:
        load_named_model()
    except UserError:
        del os.environ[NAMED]  # else whatever this process does next would fail of it
        raise
    return function


def protocol_of(recipe: str) -> dict[str, Any]:
    """Augmentation, normalisation and sampling of the first experiment of the suite at paper scale by this recipe."""
    for path in sorted((conf_dir() / "experiment").glob("*/*.yaml")):
        text = path.read_text(encoding="utf-8")
        if recipe in text:
            said = (yaml.safe_load(text) or {}).get("at_paper") or {}
            if said.get("recipe") == recipe:
                return {key: value for key, value in said.items() if key != "recipe"}
    return {}


def experiment_of(asked: Asked) -> Experiment:
    """The experiment that a file would describe. Raises UserError as running it would."""
    data, overrides = asked.named.get("data", "bundled"), hydra_overrides(asked.overrides)
    protocol = {"augmentation": "none", **protocol_of(asked.named["recipe"])}
    settled = [f"recipe.name={asked.named['recipe']}", f"data.name={data}", "budget=null"]
    settled += [f"data.{key}={value}" for key, value in protocol.items() if data != "bundled" or key == "normalisation"]
    if data != "bundled":
        settled.append("data.size=null")
    config = compose_config(["~experiment", *settled, *overrides])
    return Experiment(NAME, filled(config, asked, data), overrides, paper_of(asked, data))


def filled(config: DictConfig, asked: Asked, data: str) -> DictConfig:
    """The composed configuration with what an experiment's file says."""
    OmegaConf.set_struct(config, False)
    said = {
        "paper": "own",
        "table": "networks",
        "scales": ["smoke", "laptop"],
        "claims": ["less_error"] if "against" in asked.named else [],
        "metrics": {"test_error": "test_error"},
        "statistic": "mean",
        "variants": {name: {"row": name, "model": model} for name, model in asked.networks.items()},
        "variant": None,
        "seed": None,
        "wandb": "disabled",  # the mirror shows papers
    }
    for key, value in said.items():
        config[key] = value
    OmegaConf.set_struct(config, True)
    return config


def paper_of(asked: Asked, data: str) -> Paper:
    """One table without printed numbers, and the claim that the first network errs less than the second."""
    names, recipe = list(asked.networks), asked.named["recipe"]
    claim = {
        "id": "less_error",
        "statement": f"{names[0]} errs less than {names[-1]} on {data} by the recipe {recipe}",
        "table": "networks",
        "test": {"kind": "order", "metric": "test_error", "ascending": [names[0], names[-1]], "margin_by": "ours"},
    }
    table = {
        "locator": f"recipe {recipe}",
        "about": "test error of networks under one recipe",
        "dataset": "nothing is published",
        "protocol": "after the last epoch, single crop",
        "units": {"test_error": "percent"},
        "rows": [{"variant": name, "published": {}} for name in names],
        "figures_only": False,
        "provenance": [],
        "confidence": "verified",
    }
    body: dict[str, Any] = {"id": "own", "title": "Own training", "authors": [], "year": None}
    body["venue"] = f"own training on {data}"
    body |= {"arxiv": None, "official_code": None, "architectures": {}, "recipes": {}, "discrepancies": []}
    claims = [claim] if len(names) > 1 else []
    return Paper.model_validate({**body, "tables": {"networks": table}, "claims": claims})


def train(overrides: Sequence[str], results: Path) -> tuple[Findings, list[Verdict], int]:
    """Do what is not done yet of the training that `overrides` ask for; the findings, the answer, how many runs failed.

    Nothing is written but the runs. With budget= further seeds are added while the comparison is open.
    Raises UserError before anything is written.
    """
    experiment = experiment_of(asked_for(overrides))
    runs, store = selected(experiment, overrides), RunStore(experiment.runs_dir)
    failed = do_runs([(experiment, run) for run in runs if not store.has(run.id)], store)
    if experiment.budget is not None and not failed and not any(map(is_sweep, overrides)):
        failed = extend(experiment, time.time() + experiment.budget, results)
    findings = findings_of(experiment, available_records(experiment, store, results))
    return findings, judge(findings), len(failed)
