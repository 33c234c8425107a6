"""Networks with released weights: our protocol gives their libraries' scores, and a killed evaluation goes on."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from timm.data.config import resolve_data_config
from timm.data.transforms_factory import create_transform
from torchvision.transforms._presets import ImageClassification

from replicate.data.config import DataConfig
from replicate.errors import UserError
from replicate.evaluation import score, stream
from replicate.evaluation.protocol import Evaluation
from replicate.evaluation.score import Batch, Tally, batch_answer, load_tallies, save_tallies
from replicate.experiments.experiment import load_experiment
from replicate.experiments.run_config import RunConfig
from replicate.models import create_model
from replicate.models.weights import load_reference
from replicate.runs.records import Record
from replicate.runs.store import RunStore
from replicate.studies.pretrained import check_pretrained, library_of, load_file, weights_file
from replicate.sweep.execute import execute, job_of
from tests.helpers.protocols import protocol
from tests.helpers.reference import randomise

CLASSES = 1000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """val/ with 1000 classes of one small image each, of several shapes, and a ResNet-18 with random parameters."""
    root = tmp_path_factory.mktemp("imagenet")
    noise = np.random.default_rng(0)
    for label in range(CLASSES):
        place = root / "val" / f"n{label:08d}"
        place.mkdir(parents=True)
        if label < 40:
            height, width = noise.integers(40, 60, 2)
        pixels = noise.integers(0, 256, (height, width, 3) if label < 40 else (2, 2, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / "image.JPEG")
    torch.manual_seed(1)
    reference = torchvision.models.resnet18()
    randomise(reference)
    torch.save(reference.state_dict(), root / "random.pth")
    return root


def pretrained_words(folder: Path) -> list[str]:
    crop = "crop:32,crops:centre,scales:[36]"
    ten = "crop:32,crops:corners,flip:true,scales:[36]"
    return [
        "scale=pretrained",
        "wandb=disabled",
        "machine.loader_workers=0",
        f"data.root={folder}",
        "options.images=40",
        "options.weights=random.pth",
        f"options.protocols=[{{{crop}}}]",
        f"options.readings={{10crop:[{{{ten}}}]}}",
    ]


def run_pretrained(folder: Path, *more: str) -> str:
    """What became of ResNet-18's run."""
    experiment = load_experiment("tencrop_tables", [*pretrained_words(folder), *more])
    return execute(job_of(experiment, experiment.run("ResNet-18", 0)))[1]


def pretrained_record(folder: Path, *more: str) -> Record:
    experiment = load_experiment("tencrop_tables", [*pretrained_words(folder), *more])
    record = RunStore(experiment.runs_dir).read(experiment.run("ResNet-18", 0).id)
    assert record is not None
    return record


@torch.no_grad()
def test_our_protocol_gives_the_reference_librarys_logits(folder: Path) -> None:
    """torchvision's preset and network on the same files: the same scores, so the same errors."""
    reference = torchvision.models.resnet18()
    reference.load_state_dict(torch.load(folder / "random.pth", weights_only=True))
    ours = create_model("resnet18").eval()
    load_reference(ours, "torchvision", "resnet18", reference.state_dict())
    preset = ImageClassification(crop_size=32, resize_size=36)
    files = sorted((folder / "val").glob("*/*"))[:40]
    logits = reference.eval()(torch.stack([preset(Image.open(file)) for file in files]))
    config = load_experiment("tencrop_tables", pretrained_words(folder)).run("ResNet-18", 0).config
    centre = Evaluation(protocols=(protocol(crops="centre", crop=32, scales=[36]),), images=40)
    feed = stream.make_feed(config.data, centre, CLASSES, workers=0)
    answers = torch.cat([batch_answer([[ours]], batch, "mean")[0] for batch in feed.batches(0)])
    torch.testing.assert_close(answers.log(), logits.log_softmax(1), atol=1e-4, rtol=1e-4)


def test_the_views_of_a_network_that_timm_released_are_timms(folder: Path) -> None:
    """timm's preparation of Inception-ResNet-v2: bicubic, a crop of 0.8975 of the side, values from -1 to 1."""
    told = resolve_data_config(model=timm.create_model("inception_resnet_v2", num_classes=1))  # type: ignore[no-untyped-call]
    theirs = create_transform(**told, is_training=False)
    files = sorted((folder / "val").glob("*/*"))[:4]
    expected = torch.stack([theirs(Image.open(file)) for file in files])
    config = load_experiment("inception_released", ["scale=pretrained", f"data.root={folder}", "options.images=4"])
    run = config.run("Inception-ResNet-v2", 0).config
    batch = next(stream.make_feed(run.data, run.options, CLASSES, workers=0).batches(0))
    [[[(_, seen)]]] = batch.slots
    torch.testing.assert_close(seen.flatten(0, 1), expected, atol=0.02, rtol=0)  # the crop's edge rounds differently


@torch.no_grad()
def test_a_network_that_only_timm_has_gives_timms_logits(folder: Path) -> None:
    """Its parameters come from a file beside the images, as torchvision's do."""
    reference = timm.create_model("mobilenetv2_035")
    randomise(reference)
    torch.save(reference.state_dict(), folder / "timm.pth")
    model = {"name": "mobilenetv2_035"}
    data = DataConfig(name="imagenet", size=32, root=str(folder))
    check_pretrained(RunConfig(study="lesion_pretrained", model=model, data=data), "timm.pth")
    ours = create_model("mobilenetv2_035").eval()
    load_file(ours, "mobilenetv2_035", weights_file("timm.pth", data))
    centre = Evaluation(protocols=(protocol(crops="centre", crop=32, scales=[36]),), images=8)
    batch = next(stream.make_feed(data, centre, CLASSES, workers=0).batches(0))
    [[[(_, seen)]]] = batch.slots
    answers = batch_answer([[ours]], batch, "mean")[0]
    expected = reference.eval()(seen.flatten(0, 1)).log_softmax(1)
    torch.testing.assert_close(answers.log(), expected, atol=1e-4, rtol=1e-4)
    assert (library_of("vgg16"), library_of("mobilenetv2_035")) == ("torchvision", "timm")
    with pytest.raises(UserError, match=r"timm\.pth does not fit model mobilenetv2_050"):
        load_file(create_model("mobilenetv2_050"), "mobilenetv2_050", folder / "timm.pth")
    with pytest.raises(UserError, match="unknown timm network 'lenet5'"):
        load_file(create_model("lenet5"), "lenet5", folder / "timm.pth")


def test_a_killed_evaluation_continues(folder: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on at the batch where it stopped, and its record is that of an unbroken one."""
    monkeypatch.setattr(stream, "FILE_BATCH", 8)
    whole = stream.FolderFeed.batches
    started: list[int] = []

    def killed(self: stream.FolderFeed, start: int) -> Iterator[Batch]:
        for place, batch in enumerate(whole(self, start)):
            if place == 3:
                raise KeyboardInterrupt
            yield batch

    def watched(self: stream.FolderFeed, start: int) -> Iterator[Batch]:
        started.append(start)
        return whole(self, start)

    words = ["machine.checkpoint_seconds=0"]
    monkeypatch.setattr(stream.FolderFeed, "batches", killed)
    with pytest.raises(KeyboardInterrupt):
        run_pretrained(folder, "runs_dir=broken", *words)
    monkeypatch.setattr(stream.FolderFeed, "batches", watched)
    assert [run_pretrained(folder, f"runs_dir={name}", *words) for name in ("broken", "whole")] == ["done"] * 2
    assert started == [3, 0]
    broken, unbroken = (pretrained_record(folder, f"runs_dir={name}") for name in ("broken", "whole"))
    assert broken.outcome() == unbroken.outcome()
    assert broken.value("test_loss") != broken.value("test_loss_10crop")
    assert not list(Path("broken").glob(f"*/{score.FILE}"))


def test_another_number_of_classes_is_refused(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "val" / "n00000000"
    place.mkdir(parents=True)
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(place / "image.JPEG")
    config = load_experiment("tencrop_tables", pretrained_words(folder)).run("ResNet-18", 0).config
    data = config.data.model_copy(update={"root": str(tmp_path)})
    with pytest.raises(UserError, match="has 1 classes and the network 1000"):
        stream.make_feed(data, config.options, CLASSES, workers=0)
    with pytest.raises(UserError, match="no folder val"):
        stream.make_feed(data.model_copy(update={"root": str(place)}), config.options, CLASSES, workers=0)


def test_a_damaged_state_is_set_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_tallies({"": Tally(1.5, 2, 1, 8, 1)}, tmp_path)
    assert load_tallies(tmp_path, [""]) == {"": Tally(1.5, 2, 1, 8, 1)}
    text = (tmp_path / score.FILE).read_text()
    (tmp_path / score.FILE).write_text(text.replace("1.5", "0.5"))
    assert load_tallies(tmp_path, [""]) == {"": Tally()}
    assert "checksum does not match" in capsys.readouterr().err


def test_densenet_weights_of_torchvisions_files_load() -> None:
    """Their names have a dot that the code of today has not."""
    reference = torchvision.models.densenet121()
    old = {name.replace("norm1", "norm.1").replace("conv2", "conv.2"): t for name, t in reference.state_dict().items()}
    assert any(".norm.1." in name for name in old)
    load_reference(create_model("densenet121"), "torchvision", "densenet121", old)
