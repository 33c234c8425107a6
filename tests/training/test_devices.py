"""Two processes on gloo train as one does, stop and go on as one, and end together when one of them dies."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from replicate.data.epochs import Plan, Share
from replicate.errors import UserError
from replicate.experiments.run_config import Run, TrainerConfig
from replicate.runs.progress import Progress
from replicate.runs.provenance import provenance
from replicate.runs.store import CHECKPOINT
from replicate.sweep.launch import run_experiment
from replicate.training import devices
from replicate.training.fit import Trained, fit
from replicate.training.module import Classification
from replicate.training.preemption import Preempted
from tests.helpers.quick_training import INLINE, assert_same_measurements, noisy_net, quick_run, smooth_run, task

assert noisy_net  # the networks of these runs, a fixture for every test here

OWN_NETWORKS = """
from replicate.models.registry import register
from tests.helpers.networks import NoisyNet, SmoothNet

@register
def noisynet(num_classes=10, in_channels=1):
    return NoisyNet(num_classes, in_channels)

@register
def smoothnet(num_classes=10, in_channels=1):
    return SmoothNet(num_classes, in_channels)
"""
NOISY = ["data.size=8", "data.train_images=490", "data.validation=20", "recipe.batch_size=16", "trainer.accumulate=2"]
STEPS = 4 * 31


@pytest.fixture(autouse=True, scope="module")
def own_networks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The networks of the tests as an extension folder's, for new processes."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "models").mkdir()
    (folder / "models" / "nets.py").write_text(OWN_NETWORKS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPLICATE_PATH", str(folder))
        yield folder


def noisy_run() -> Run:
    """Batch statistics, dropout, augmentation; 31 steps of 4 micro-batches an epoch, the last with 3, 3, 2, 2."""
    return quick_run(*NOISY, "recipe.epochs=4", "trainer.devices=2")


@pytest.fixture
def unbroken(tmp_path: Path) -> Trained:
    return fit(task(noisy_run(), tmp_path / "unbroken"))


def test_two_devices_give_the_losses_of_one_without_batch_statistics(tmp_path: Path) -> None:
    words = ("data.size=8", "data.validation=30")
    one, two = (fit(task(smooth_run(*words, f"trainer.devices={n}"), tmp_path)) for n in (1, 2))
    assert_same_measurements(two.measurements, one.measurements)
    torch.testing.assert_close(two.network.state_dict(), one.network.state_dict(), rtol=1e-5, atol=1e-6)


def forget_odd_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let running statistics see even micro-batches only, as on the first of two devices."""
    end, kept = Classification.on_train_batch_end, {}

    def remembering(self: Classification, outputs: Any, batch: Any, batch_idx: int) -> None:
        for name, buffer in self.network.named_buffers():
            if batch_idx % 2:
                buffer.copy_(kept[name])
            kept[name] = buffer.clone()
        end(self, outputs, batch, batch_idx)

    monkeypatch.setattr(Classification, "on_train_batch_end", remembering)


def test_two_devices_equal_accumulation_and_go_on_where_they_were_stopped(
    tmp_path: Path, unbroken: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process dies, then a signal comes, then nothing does."""
    with monkeypatch.context() as patch:
        forget_odd_parts(patch)
        alone = fit(task(quick_run(*NOISY, "recipe.epochs=4", "trainer.accumulate=4"), tmp_path / "alone"))
    assert_same_measurements(unbroken.measurements, alone.measurements)
    torch.testing.assert_close(unbroken.network.state_dict(), alone.network.state_dict(), rtol=1e-4, atol=1e-5)

    with pytest.raises(RuntimeError, match=r"^the process of device 1 of 2 was ended by SIGKILL$"):
        fit(task_that(lambda: os.kill(children()[1], signal.SIGKILL), 20, tmp_path))
    assert children() == []
    first = steps_in(tmp_path)
    assert 10 <= first < STEPS
    with pytest.raises(Preempted) as leaving:
        fit(task_that(lambda: os.kill(os.getpid(), signal.SIGUSR1), first + 1, tmp_path))
    assert leaving.value.code == 128 + signal.SIGUSR1
    assert children() == []
    assert first < steps_in(tmp_path) < STEPS
    resumed = fit(task(noisy_run(), tmp_path))
    assert resumed.measurements == unbroken.measurements
    left, right = unbroken.network.state_dict(), resumed.network.state_dict()
    assert all(torch.equal(left[key], right[key]) for key in left)


def task_that(act: Callable[[], object], step: int, root: Path) -> Any:
    """The noisy run, checkpointed as often as can be, during which `act` is done once when `step` steps are."""
    done: list[object] = []

    def report(progress: Progress) -> None:
        if progress.done >= step and not done:
            done.append(act())

    return replace(task(noisy_run(), root, checkpoint_seconds=0), report=report)


def children() -> list[int]:
    """Processes that this one started and that live, in the order of their devices."""
    return sorted(process.pid for process in multiprocessing.active_children() if process.pid is not None)


def steps_in(root: Path) -> int:
    """Steps after the checkpoint."""
    from replicate.training.checkpoint import SealedCheckpointIO

    return int(SealedCheckpointIO().load_checkpoint(root / noisy_run().id / CHECKPOINT)["global_step"])


KILLED = """
import sys
from pathlib import Path
from tests.helpers import quick_training
from tests.training import test_devices

def report(progress):
    print(*test_devices.children(), flush=True)

if __name__ == "__main__":
    from dataclasses import replace
    run = quick_training.quick_run(*test_devices.NOISY, "trainer.devices=2", "recipe.epochs=500")
    test_devices.fit(replace(quick_training.task(run, Path(sys.argv[1])), report=report))
"""


def test_a_killed_run_leaves_no_process(tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script), str(tmp_path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        ranks = [int(word) for word in killed.stdout.readline().split()]
        killed.kill()
    assert len(ranks) == 2
    for _ in range(200):
        if not any(Path(f"/proc/{rank}").exists() for rank in ranks):
            return
        time.sleep(0.05)
    raise AssertionError("its processes live on after ten seconds")


def test_an_error_on_a_device_is_told_in_one_line(tmp_path: Path, own_networks: Path) -> None:
    """The device's process does not know the network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("REPLICATE_PATH")
        with pytest.raises(RuntimeError, match=r"^device [01] of 2 failed: .*UserError: unknown model 'noisynet'"):
            fit(task(noisy_run(), tmp_path))


def test_processes_that_end_between_two_looks_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """To wait for nothing is to wait for ever."""
    looks = iter([True])
    team = object.__new__(devices.Team)
    ended = SimpleNamespace(is_alive=lambda: next(looks, False), sentinel=7, exitcode=0)
    team.pipes, team.ranks = [], [ended]  # type: ignore[list-item]
    waited: list[Any] = []
    monkeypatch.setattr(devices, "wait", waited.append)
    team.listen()
    assert waited == [[7]]


def test_devices_share_the_parts_of_a_batch() -> None:
    """Device r of 2 has every second micro-batch from r on, however a batch is cut."""
    whole = Plan(50, 8, Share(4))
    shares = [Plan(50, 8, Share(4, 2, rank)) for rank in range(2)]
    assert [len(share) for share in shares] == [len(whole) // 2] * 2
    for index in range(len(shares[0])):
        for rank, share in enumerate(shares):
            place = 2 * index + rank
            assert share.place(index) == place
            assert (share.micro_batch(index), share.weight(index)) == (whole.micro_batch(place), whole.weight(place))


def test_one_device_is_no_part_of_an_id_and_two_are() -> None:
    ids = {words: quick_run(*words).id for words in [(), ("trainer.devices=1",), ("trainer.devices=2",)]}
    assert ids[()] == ids[("trainer.devices=1",)] == "train-8bdd8d287053-s0"
    assert ids[("trainer.devices=2",)] != ids[()]
    assert "devices" not in TrainerConfig(devices=1).model_dump(exclude_none=True)


def test_provenance_says_how_many_devices() -> None:
    assert provenance(task(noisy_run(), Path("unused")).machine, 2, None)["devices"] == 2


@pytest.mark.parametrize(
    ("experiment", "words", "said"),
    [
        ("resnet_shortcuts", ["recipe.batch_size=32", "trainer.devices=3"], "a batch of 32 cannot be cut into 3 equal"),
        ("resnet_shortcuts", ["machine.compile=true"], r"trainer\.devices=2: a compiled network"),
        ("resnet_complexity", [], "study count trains nothing here"),
        ("path_deletion_imagenet", [], "trains nothing here"),
    ],
)
def test_what_several_devices_cannot_do_is_refused_before_anything_is_written(
    workdir: Path, experiment: str, words: list[str], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        run_experiment(experiment, [*INLINE, "trainer.devices=2", *words])
    assert not (workdir / "runs").exists()


def test_gpus_that_are_not_there_or_are_shared_are_refused(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    words = ["scale=smoke", "wandb=disabled", "recipe.batch_size=32"]
    for more, said in [
        (["trainer.devices=4"], r"trainer\.devices=4: this machine has 2"),
        (["trainer.devices=2", "machine.workers=2"], r"set machine\.workers=1"),
    ]:
        with pytest.raises(UserError, match=said):
            run_experiment("resnet_shortcuts", [*words, *more])
    assert not (workdir / "runs").exists()
