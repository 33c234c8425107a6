"""Files and words from others are data: none of them runs code, names a class to import or leads out of a folder."""

import ast
import os
import pickle
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn
from torchvision.datasets import utils

from benchmarks.sweeps import HEADER
from replicate.cli.looking import cost
from replicate.data import DataConfig, load
from replicate.data.imagenet_files import list_images
from replicate.errors import UserError
from replicate.experiments.catalogue import find
from replicate.experiments.experiment import load_experiment
from replicate.experiments.recipe import recipe_file
from replicate.papers import load_paper
from replicate.papers.bounds import LOADER
from replicate.papers.reading import _PaperLoader
from replicate.paths import OWN, PACKAGE
from replicate.runs.records import Record
from replicate.studies.pretrained import load_file
from replicate.training.checkpoint import SealedCheckpointIO, load_weights, seal
from tests.helpers.imagenet import sample, write_tar
from tests.helpers.made_up import made_up_experiment

MARK = "was-here"


class Attack:
    """Leaves a folder of its own when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (MARK,)


YAML_ATTACK = f"!!python/object/apply:os.mkdir ['{MARK}']"


@pytest.fixture
def own(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of further papers, recipes and experiments that came from somewhere."""
    for kind in ("papers", "recipe", "experiment"):
        (workdir / "own" / kind).mkdir(parents=True)
    (workdir / "own" / "experiment" / "resnet").mkdir()
    monkeypatch.setenv(OWN, str(workdir / "own"))
    return workdir / "own"


def test_a_pickle_in_the_place_of_weights_runs_nothing(workdir: Path) -> None:
    Path("plain").write_bytes(pickle.dumps(Attack(), protocol=2))
    pickle.loads(Path("plain").read_bytes())
    os.rmdir(MARK)  # it works where nobody takes care
    torch.save({"fc.weight": Attack()}, "weights.pth")
    for name in ("plain", "weights.pth"):
        with pytest.raises(UserError, match=f"{name} is no state_dict of tensors alone") as told:
            load_file(nn.Linear(1, 1), "resnet18", Path(name))
        assert "\n" not in str(told.value)
    assert not Path(MARK).exists()


def test_a_pickle_in_the_place_of_a_checkpoint_runs_nothing(workdir: Path) -> None:
    for name in ("last.ckpt", "weights.pt"):
        seal({"state": Attack()}, Path(name))  # whoever writes a checkpoint can write its checksum
    with pytest.raises(pickle.UnpicklingError):
        SealedCheckpointIO().load_checkpoint("last.ckpt")
    with pytest.raises(pickle.UnpicklingError):
        load_weights(nn.Linear(1, 1), workdir)
    assert not Path(MARK).exists()


SAFE = {"torch.load": "weights_only=True", "yaml.load": "SafeLoader", "np.load": "allow_pickle=False"}
UNSAFE = ("pickle.load", "pickle.loads", "yaml.unsafe_load", "yaml.full_load", "eval", "exec", "tar.extractall")


def test_everything_is_loaded_as_data() -> None:
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for call in filter(
            lambda node: isinstance(node, ast.Call), ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        ):
            text = ast.unparse(call).replace("Loader=loader", "SafeLoader")  # of bounds.py, whose two loaders are safe
            name = text.partition("(")[0]
            assert SAFE.get(name, "") in text, path
            assert name not in UNSAFE, path
            found.add(name)
    assert all(issubclass(loader, (yaml.SafeLoader, yaml.CSafeLoader)) for loader in (LOADER, _PaperLoader))
    assert found >= SAFE.keys()


@pytest.mark.parametrize(
    ("file", "text", "read"),
    [
        ("papers/x.yaml", f"id: {YAML_ATTACK}", load_paper),
        ("recipe/x.yaml", f"lr: {YAML_ATTACK}", recipe_file.__wrapped__),
        ("experiment/resnet/x.yaml", f"{HEADER}  a: {YAML_ATTACK}", find),
        ("experiment/resnet/x.yaml", f"{HEADER}  a: {YAML_ATTACK}", load_experiment),
    ],
)
def test_yaml_makes_no_objects(own: Path, file: str, text: str, read: Callable[[str], object]) -> None:
    (own / file).write_text(text)
    with pytest.raises(UserError, match=r"could not determine a constructor for the tag.*python/object") as told:
        read("x")
    assert "\n" not in str(told.value)
    assert not Path(MARK).exists()


def test_yaml_of_the_command_line_makes_no_objects(workdir: Path) -> None:
    with pytest.raises(UserError, match="no plain YAML"):
        cost("resnet18", [f"depth={YAML_ATTACK}"], "3x224x224", False)
    assert not Path(MARK).exists()


def test_an_experiment_names_no_class_to_import(own: Path) -> None:
    target = f"{{callbacks: {{x: {{_target_: os.mkdir, path: {MARK}}}}}}}"
    (own / "experiment" / "resnet" / "x.yaml").write_text(f"{HEADER}  a: {{}}\nhydra: {target}\n")
    with pytest.raises(UserError, match=r"x\.yaml: an experiment has no block hydra"):
        load_experiment("x")


def test_callbacks_of_a_configuration_are_not_made(workdir: Path) -> None:
    words = ["scale=smoke", "launcher=inline", f"+hydra.callbacks.x={{_target_: os.mkdir, path: '{MARK}'}}"]
    with pytest.raises(UserError, match="Hydra only composes"):
        load_experiment("resnet_shortcuts", words)
    assert not Path(MARK).exists()


@pytest.mark.parametrize(
    "word",
    [
        "study=os.system",
        "model.name=torch.nn.Linear",
        "recipe.name=../recipe/laptop",
        "recipe.optimizer=torch.optim.SGD",
        "data.name=../bundled",
        "data.augmentation=torchvision.transforms.v2.Resize",
        "experiment=../experiment/resnet_shortcuts",
        "variant=../plain",
        "variant=/plain",
    ],
)
def test_names_come_from_registers(workdir: Path, word: str) -> None:
    from replicate.sweep.launch import run_experiment

    with pytest.raises(UserError) as told:
        run_experiment("resnet_shortcuts", ["scale=smoke", "launcher=inline", word], quiet=True)
    assert "\n" not in str(told.value)
    assert os.listdir(workdir) == []


@pytest.mark.parametrize("name", ["../resnet_shortcuts", "/etc/passwd", "..", ""])
def test_an_experiment_is_no_path(workdir: Path, name: str) -> None:
    for read in (find, load_experiment):
        with pytest.raises(UserError, match="unknown experiment"):
            read(name)


@pytest.mark.parametrize("variant", ["../outside", "a/../../b", "/etc/passwd", ".."])
def test_a_variant_is_no_path(variant: str) -> None:
    with pytest.raises(UserError, match=f"'{variant}' is a path, not the name of a variant"):
        made_up_experiment({variant: None})


def test_a_file_whose_name_leads_out_of_its_folder_is_refused(own: Path) -> None:
    (own / "experiment" / "resnet" / "...yaml").write_text(f"{HEADER}  a: {{}}\n")
    with pytest.raises(UserError, match=r"\.\.\.yaml: a file's name has letters"):
        find("..")


def test_a_record_of_another_place_is_not_written_outside(workdir: Path) -> None:
    from replicate.runs.store import RunStore
    from tests.runs.test_records import make_record

    record: Record = make_record("../outside")
    with pytest.raises(UserError, match="is not a run id"):
        RunStore(workdir / "runs").write(record)


def test_a_tar_member_that_leads_outside_is_only_read(workdir: Path) -> None:
    """Shards are not unpacked, so a member's name is no path."""
    inside = workdir / "inside"
    write_tar(inside / "val-0.tar", sample("../outside", 0, b"image"))
    with tarfile.open(inside / "val-1.tar", "w") as tar:
        link = tarfile.TarInfo("x.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    [image], _ = list_images(inside, "val")
    assert image.member == "../outside.jpg"
    assert sorted(os.listdir(workdir)) == ["inside"]


def test_a_download_is_checksummed_before_it_is_unpacked(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deliver(url: str, filename: str, *rest: object) -> None:
        with tarfile.open(filename, "w:gz") as tar:
            tar.add(__file__, "../escaped.py")

    monkeypatch.setattr(utils, "_get_redirect_url", lambda url, **more: url)
    monkeypatch.setattr(utils, "_urlretrieve", deliver)
    monkeypatch.setattr(utils, "extract_archive", lambda *given: pytest.fail("unpacked"))
    for name in ("cifar10", "fashion_mnist", "svhn"):
        with pytest.raises(UserError, match=f"downloading {name} into .* failed"):
            load(DataConfig(name=name, root=str(workdir / name), download=True))
        assert not list(workdir.rglob("escaped.py"))
        shutil.rmtree(workdir / name)
