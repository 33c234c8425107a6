"""From an experiment file and the command line to runs."""

import pytest

from replicate.errors import UserError
from replicate.experiments.catalogue import find
from replicate.experiments.experiment import load_experiment
from replicate.experiments.scale import Scale
from replicate.paths import experiment_files
from tests.helpers.composed import ENTRIES, experiment_at
from tests.helpers.made_up import made_up_experiment

NAME = "resnext_cardinality"


def test_variants_times_seeds_seeds_outermost() -> None:
    runs = load_experiment(NAME, ["seeds=2"]).runs()
    assert [(run.variant, run.seed) for run in runs[:6]] == [
        ("1x64d", 0), ("2x40d", 0), ("4x24d", 0), ("8x14d", 0), ("32x4d", 0), ("1x64d", 1),
    ]  # fmt: skip
    assert len({run.id for run in runs}) == len(runs) == 10


def test_variants_of_another_scale_are_left_out() -> None:
    assert "101-32x4d" not in load_experiment(NAME).variants
    assert "101-32x4d" in load_experiment(NAME, ["scale=paper"]).variants


def test_a_variant_names_its_columns_or_has_all() -> None:
    named = made_up_experiment(variants={"a": {"columns": ["top1_error"]}, "b": {}, "c": {"columns": ["top1"]}})
    assert (named.run("a", 0).columns, named.run("b", 0).columns) == (("top1_error",), ())
    with pytest.raises(UserError, match="unknown column of variant c of made_up 'top1'; did you mean top1_error"):
        named.run("c", 0)


def test_command_line_wins_over_variant_and_file() -> None:
    plain = load_experiment(NAME).run("4x24d", 0).config
    changed = load_experiment(NAME, ["model.cardinality=2", "recipe.lr=0.05", "data.size=28"]).run("4x24d", 0).config
    assert (plain.model["cardinality"], changed.model["cardinality"]) == (4, 2)
    assert changed.recipe is not None
    assert changed.data is not None
    assert (changed.recipe.lr, changed.data.size) == (0.05, 28)


def test_what_counts_gives_its_one_answer_at_every_scale() -> None:
    at = [load_experiment("alexnet_parameters", [f"scale={scale}"]) for scale in Scale]
    assert {experiment.scale for experiment in at} == {Scale.EXACT}
    assert len({experiment.run("fc6", 0).id for experiment in at}) == 1
    with pytest.raises(UserError, match="unknown scale 'huge'"):
        load_experiment("alexnet_parameters", ["scale=huge"])


def test_a_preset_says_where_the_images_of_every_scale_come_from() -> None:
    def images(*words: str) -> tuple[str, int | None]:
        data = load_experiment(NAME, list(words)).run("4x24d", 0).config.data
        assert data is not None
        return data.name, data.size

    assert images() == ("bundled", 12)
    assert images("scale=smoke") == ("bundled", 16)
    assert images("scale=paper") == ("imagenet", 224)
    assert images("scale=paper", "data=cifar10", "at_paper.augmentation=none") == ("cifar10", None)


def test_the_folder_names_the_paper_of_every_experiment() -> None:
    for name, path in experiment_files().items():
        assert path.parts[-3:] == ("experiment", find(name).paper, f"{name}.yaml")
    with pytest.raises(UserError, match="named before"):
        load_experiment(NAME, ["paper=vgg"])


def test_scales_say_what_they_are_good_for() -> None:
    assert [scale for scale in Scale if scale.comparable] == [Scale.PAPER, Scale.PRETRAINED]
    assert [scale for scale in Scale if not scale.judged] == [Scale.SMOKE]


def test_identity_is_what_decides_the_result() -> None:
    run = load_experiment(NAME).run("4x24d", 0)
    same = load_experiment(NAME, ["machine.threads=2", "runs_dir=elsewhere", "wandb=disabled", "data.root=/x"])
    other = load_experiment(NAME, ["recipe.lr=0.05"])
    assert same.run("4x24d", 0).id == run.id
    assert other.run("4x24d", 0).id != run.id
    assert load_experiment(NAME).run("4x24d", 1).id != run.id


def test_the_same_configuration_is_the_same_run_in_another_experiment() -> None:
    words = ["recipe.epochs=4", "model.name=resnet_cifar", "model.depth=8", "model.width=1", "data.train_images=50"]
    words.append("data.augmentation=none")
    own = ["model.cardinality=null", "model.base_width=null"]
    first = load_experiment(NAME, [*words, *own, "model.shortcut=A"]).run("1x64d", 0)
    second = load_experiment("resnet_shortcuts", words).run("A", 0)
    assert first.id == second.id


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["scale=laptpo"], "unknown scale 'laptpo'; did you mean laptop?"),
        (["scale=pretrained"], "it has smoke, laptop, paper"),
        (["recipe.lrr=1"], "recipe.lrr"),
        (["nonsense=1"], "nonsense"),
        (["recipe.lr=fast"], "recipe laptop: lr: Input should be a valid number"),
        (["recipe.name=laptpo"], "unknown recipe 'laptpo'; did you mean laptop"),
        (["data.name=cifar11"], "unknown data set 'cifar11'; did you mean cifar10"),
        (["trainer.precision=8"], "trainer.precision"),
        (["machine.threads=0"], "machine.threads"),
        (["seeds=0"], "seeds is a whole number of at least 1, not 0"),
        (["recipe.lr="], "recipe"),
        (["recipe.lr"], "recipe.lr"),
    ],
)
def test_bad_input_is_one_clear_line(words: list[str], said: str) -> None:
    with pytest.raises(UserError) as caught:
        experiment = load_experiment(NAME, words)
        experiment.machine  # noqa: B018
        experiment.runs()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_experiment_names_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean resnext_cardinality"):
        load_experiment("resnext_cardinalty")


@pytest.mark.parametrize("experiment", ENTRIES)
def test_every_scale_of_every_experiment_resolves(experiment: str) -> None:
    for scale in ENTRIES[experiment].scales:
        found = experiment_at(experiment, scale)
        assert found.runs()
        assert scale.comparable or found.settings.study != "train" or found.deviations


@pytest.mark.parametrize("experiment", ["resnext_cardinality", "inception_released", "densenet_memory", "lenet_passes"])
def test_a_scale_that_is_declared_is_the_one_that_hydra_composes(experiment: str) -> None:
    """What all other tests of many experiments rest on."""
    for scale in ENTRIES[experiment].scales:
        there, declared = load_experiment(experiment, [f"scale={scale}"]), experiment_at(experiment, scale)
        assert (declared.scale, declared.runs(), declared.deviations) == (scale, there.runs(), there.deviations)
        assert (declared.settings, declared.machine) == (there.settings, there.machine)


@pytest.mark.parametrize("experiment", ["resnext_cardinality", "inception_released"])
def test_no_other_scale_exists(experiment: str) -> None:
    for scale in set(Scale) - {*ENTRIES[experiment].scales}:
        with pytest.raises(UserError, match=f"has no scale '{scale}'"):
            load_experiment(experiment, [f"scale={scale}"])
