"""Study `evaluate`: views are those of the papers, dense evaluation is what theory says, and a killed one goes on."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from timm.data.config import resolve_data_config
from timm.data.transforms_factory import create_transform
from torch import Tensor, nn
from torchvision.transforms import v2
from torchvision.transforms._presets import ImageClassification

from replicate.data.config import DataConfig
from replicate.errors import UserError
from replicate.evaluation import score, stream
from replicate.evaluation.dense import Dense, fully_convolutional
from replicate.evaluation.protocol import Evaluation, Protocol
from replicate.evaluation.score import Batch, Tally, batch_answer, load_tallies, save_tallies
from replicate.evaluation.views import corners, squares, views
from replicate.experiments.experiment import load_experiment
from replicate.experiments.run_config import RunConfig, read_options
from replicate.models import create_model
from replicate.models.weights import load_reference
from replicate.runs.records import Record
from replicate.runs.store import RunStore
from replicate.studies import evaluate
from replicate.studies import train as train_study
from replicate.studies.pretrained import check_pretrained, library_of, load_file, weights_file
from replicate.studies.trained import training_run
from replicate.sweep.execute import execute, job_of
from replicate.sweep.launch import run_experiment
from replicate.training.network import network_options
from tests.reference import randomise

QUICK = ["scale=smoke", "runs_dir=runs", "wandb=disabled", "machine.workers=1"]
CLASSES = 1000


def protocol(**fields: Any) -> Protocol:
    return Protocol.model_validate(fields)


@pytest.mark.parametrize(("height", "width"), [(20, 20), (21, 28), (31, 18)])
def test_corners_with_mirror_are_the_ten_crops_of_torchvision(height: int, width: int) -> None:
    image = torch.randn(3, height, width)
    ours = views(image, protocol(crops="corners", crop=16, scales=[19], flip=True))
    theirs = v2.TenCrop(16)(image)  # in another order: of the mirrored image, the corners from the left again
    assert len(ours) == len(theirs) == 10
    assert all(any(torch.equal(view, other) for other in theirs) for view in ours)
    assert all(any(torch.equal(view, other) for other in ours) for view in theirs)


def test_a_mirrored_view_is_the_mirror_image_of_a_view() -> None:
    """Where an odd number of pixels is left over, the centre of the mirrored image would lie a pixel further."""
    seen = views(torch.randn(3, 20, 19), protocol(crops="corners", crop=16, scales=[19], flip=True))
    assert torch.equal(seen[5:], seen[:5].flip(-1))


@pytest.mark.parametrize(("height", "width"), [(17, 23), (18, 18), (25, 16)])
def test_centre_is_torchvisions(height: int, width: int) -> None:
    image = torch.randn(2, 3, height, width)
    ours = views(image, protocol(crops="centre", crop=16, scales=[16]))
    assert torch.equal(ours[:, 0], v2.CenterCrop(16)(image))


def test_the_grid_has_50_views_a_scale_and_reaches_every_edge() -> None:
    image = torch.arange(32 * 40.0).view(1, 32, 40)
    seen = views(image, protocol(crops="grid", crop=24, scales=[32], flip=True))
    assert seen.shape == (50, 1, 24, 24)
    assert torch.unique(seen[:25, 0, 0, 0]).tolist() == [40 * y + x for y in (0, 2, 4, 6, 8) for x in (0, 4, 8, 12, 16)]
    assert torch.equal(seen[25:], seen[:25].flip(-1))


@pytest.mark.parametrize("upright", [False, True])
def test_squares_with_mirror_and_four_scales_are_144_views(upright: bool) -> None:
    """Szegedy et al. 2015, section 7: 4 scales x 3 squares x 6 views x 2."""
    image = torch.arange(32 * 48.0).view(1, 32, 48)
    image = image.transpose(1, 2) if upright else image
    assert 4 * len(views(image, protocol(crops="squares", crop=28, scales=[32], flip=True))) == 144
    seen = squares(image, 28)
    firsts = [(0, 0), (0, 8), (0, 16)]  # upper left corners of the squares
    for place, (top, left) in enumerate(firsts):
        square = image[:, left : left + 32, top:32] if upright else image[:, top : top + 32, left : left + 32]
        assert torch.equal(seen[6 * place], corners(square, 28)[0])
        torch.testing.assert_close(seen[6 * place + 5], v2.Resize(28, antialias=True)(square))


def small_vgg(padding: bool) -> Any:
    """Three pools, fc6 on 3 x 3 maps, with or without padding in the convolutions."""
    torch.manual_seed(0)
    network: Any = create_model("vgg11", stem="small", width=0.05, num_classes=5, in_channels=1, batch_norm=True)
    randomise(network)
    if not padding:
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                layer.padding = (0, 0)
    return network.eval()


def side_for(network: Any, maps: int) -> int:
    """The smallest image that gives maps of this side: 8 pixels more for each."""
    sizes = range(96, 200)
    return next(size for size in sizes if network.stages(torch.zeros(1, 1, size, size)).shape[2] == maps)


def crops_at_stride(images: Tensor, size: int, count: int, stride: int = 8) -> list[Tensor]:
    return [
        images[:, :, stride * i : stride * i + size, stride * j : stride * j + size]
        for i in range(count)
        for j in range(count)
    ]


@torch.no_grad()
def test_without_padding_dense_is_the_mean_over_crops() -> None:
    """Every place of the score map is the crop that lies there."""
    network = small_vgg(padding=False)
    crop, whole = side_for(network, 3), side_for(network, 5)
    assert whole == crop + 16
    images = torch.randn(2, 1, whole, whole)
    dense = fully_convolutional(network)
    assert isinstance(dense, Dense)
    logits = torch.stack([network(view) for view in crops_at_stride(images, crop, 3)])
    torch.testing.assert_close(dense.score_map(images).flatten(2), logits.permute(1, 2, 0), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(dense(images), logits.mean(0), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_with_padding_dense_differs_from_crops() -> None:
    """A crop sees zeros where the whole image goes on."""
    network = small_vgg(padding=True)
    images = torch.randn(2, 1, 40, 40)
    dense = fully_convolutional(network)
    logits = torch.stack([network(view) for view in crops_at_stride(images, 24, 3)])
    assert (dense(images) - logits.mean(0)).abs().max() > 0.01 * logits.std()


@pytest.mark.parametrize("name", ["vgg", "alexnet_krizhevsky"])
@torch.no_grad()
def test_at_the_training_size_the_two_forms_are_one(name: str) -> None:
    network = create_model(name, stem="small", width=0.05, num_classes=5, in_channels=1).eval()
    images = torch.randn(2, 1, 24, 24)
    torch.testing.assert_close(fully_convolutional(network)(images), network(images), atol=1e-6, rtol=1e-5)
    with pytest.raises(UserError, match=r"leave maps of \dx\d; the fully convolutional form needs 3x3"):
        fully_convolutional(network)(images[:, :, 2:20, 2:20])


@torch.no_grad()
def test_a_network_that_averages_is_its_own_dense_form() -> None:
    network: Any = create_model("resnet_cifar", depth=8, width=0.25, in_channels=1).eval()
    images = torch.randn(2, 1, 24, 24)
    maps = network.final(network.stages(network.stem(images)))
    scores = network.fc(maps.permute(0, 2, 3, 1)).mean(dim=(1, 2))
    torch.testing.assert_close(network(images), scores, atol=1e-6, rtol=1e-5)
    assert fully_convolutional(network) is network


def scorer(images: Tensor) -> Tensor:
    """Logits of three classes that depend on all pixels."""
    flat = images.flatten(1)
    return torch.stack([flat.mean(1), flat.std(1), flat.amax(1)], 1)


def batch_of(images: Sequence[Tensor], *protocols: Protocol) -> Batch:
    seen = [([views(image, each) for each in protocols], 0) for image in images]
    return stream.Collate(protocols)(seen)


def test_images_of_many_sizes_keep_their_places() -> None:
    dense = protocol(dense=True, flip=True, scales=[9])
    images = [torch.randn(1, *size) for size in ((9, 12), (9, 9), (12, 9), (9, 12), (9, 9))]
    together = batch_answer([[scorer]], batch_of(images, dense), "mean")[0]
    alone = torch.cat([batch_answer([[scorer]], batch_of([image], dense), "mean")[0] for image in images])
    torch.testing.assert_close(together, alone)


def test_mean_and_maximum_over_views() -> None:
    image = torch.randn(1, 8, 8)
    crops = protocol(crops="corners", crop=6, scales=[8])
    scores = scorer(torch.stack(corners(image, 6))).softmax(1)
    batch = batch_of([image], crops)
    torch.testing.assert_close(batch_answer([[scorer]], batch, "mean")[0][0], scores.mean(0))
    torch.testing.assert_close(batch_answer([[scorer]], batch, "max")[0][0], scores.amax(0))


def test_members_and_protocols_are_averaged_as_softmax_scores() -> None:
    image, crops = torch.randn(1, 8, 8), protocol(crops="centre", crop=6, scales=[8])
    whole = protocol(dense=True, scales=[8])

    def other(images: Tensor) -> Tensor:
        return -2 * scorer(images)

    answers = batch_answer([[scorer] * 2, [other] * 2], batch_of([image], crops, whole), "mean")
    inner, full = image[None, :, 1:7, 1:7], image[None]
    for found, seen in zip(answers, (inner, full), strict=True):
        torch.testing.assert_close(found, (scorer(seen).softmax(1) + other(seen).softmax(1)) / 2)
    tallies = {"": Tally()}
    score.add_batch(tallies, answers, torch.tensor([0]), {"": (crops, whole)})
    assert tallies[""].loss == pytest.approx(-float(torch.stack(answers).mean(0)[0, 0].log()))


def test_forward_passes_in_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = batch_of(torch.randn(7, 1, 8, 8).unbind(), protocol(crops="corners", crop=6, scales=[8]))
    whole = batch_answer([[scorer]], batch, "mean")[0]
    monkeypatch.setattr(score, "FORWARD_PIXELS", 100)
    torch.testing.assert_close(batch_answer([[scorer]], batch, "mean")[0], whole)


# An ImageNet folder, and reference weights, both made up


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


# Networks trained here


def value(record: Record, metric: str) -> float:
    found = record.value(metric)
    assert found is not None
    return found


def test_whole_images_give_the_error_of_training_and_nothing_is_trained_twice(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = load_experiment("train_test_resolution", QUICK)
    run = experiment.run("test 224", 0)
    assert execute(job_of(experiment, run))[1] == "done"
    store = RunStore(experiment.runs_dir)
    trained, tested = store.read(training_run(run).id), store.read(run.id)
    assert trained is not None
    assert tested is not None
    assert value(tested, "test_error") == value(trained, "test_error")
    assert value(tested, "test_loss") == pytest.approx(value(trained, "test_loss"), rel=1e-5)
    monkeypatch.setattr(train_study, "fit", lambda task: pytest.fail("trained again"))
    assert execute(job_of(experiment, experiment.run("test 320", 0)))[1] == "done"


def test_runs_of_an_ensemble_share_no_network(workdir: Path) -> None:
    sweep = run_experiment("ensembles", [*QUICK, "seed=0,1", "variant='several models 1 crop'"], quiet=True)
    assert not sweep.failed
    trained = sorted(path.name for path in Path("runs").glob("train-*"))
    assert [name.rsplit("-", 1)[1] for name in trained] == ["s0", "s1", "s2", "s3"]
    one = load_experiment("ensembles", QUICK).run("1 model 1 crop", 0).config
    size = RunConfig.model_validate({**one.model_dump(), "study": "evaluate"})
    name, options = network_options(size.model, size.data)
    parameters = sum(p.numel() for p in create_model(name, **options).parameters())
    assert sweep.records[0].parameters == 2 * parameters


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocols": []}, "protocols"),
        ({"protocols": [{"scales": [16]}]}, "either crops"),
        ({"protocols": [{"scales": [16], "dense": True, "crops": "grid", "crop": 8}]}, "either crops"),
        ({"protocols": [{"scales": [16], "crops": "grid"}]}, "either crops"),
        ({"protocols": [{"scales": [16, 20], "crops": "grid", "crop": 18}]}, "crops of 18 pixels do not fit"),
        ({"protocols": [{"scales": [16], "dense": True}], "averages": "max"}, "averages"),
    ],
)
def test_protocols_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_options("evaluate", options)


def test_networks_must_come_from_one_place() -> None:
    run = load_experiment("train_test_resolution", [*QUICK, "options.weights=some.pth"]).run("test 224", 0)
    with pytest.raises(UserError, match=r"one of options\.weights, options\.untrained and recipe\.name"):
        evaluate.check(run.config)


def test_training_without_a_recipe_is_refused() -> None:
    with pytest.raises(UserError, match=r"recipe\.name is missing"):
        load_experiment("resnet_shortcuts", ["scale=smoke", "recipe.name=null"]).run("A", 0)
