"""The kinds of fault. Each is a function of a trial: it disturbs the command, and returns what that may cost, or None
when the command was over before the fault came. The campaign then runs the same command again, and judges."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from errno import EDQUOT, EIO, EMFILE, ESTALE
from pathlib import Path

from benchmarks.faults import foreign, hooks
from benchmarks.faults.disks import SIZE, small_disk
from benchmarks.faults.hooks import STAGES
from benchmarks.faults.trial import Allowance, Trial, expect

Disturb = Callable[[Trial], Allowance | None]
DAY = 86_400.0  # seconds
NOTHING = Allowance()
ONE_BATCH = Allowance(batches=1)  # the one that no checkpoint held yet
RESULTS = ("records.jsonl", "runs.csv", "table.md", "verdicts.json", "figure.svg", "README.md")


@dataclass(frozen=True)
class Kind:
    """`reporting`: the fault strikes the report of a finished sweep. `words` are added to the command line."""

    name: str
    disturb: Disturb
    reporting: bool = False
    words: tuple[str, ...] = ()
    rare: bool = False  # slow, so fewer of them
    mounts: bool = False  # only where a tmpfs can be mounted


def kill_any_time(trial: Trial) -> Allowance | None:
    running = trial.start()
    moment = running.began + trial.draw.uniform(0, trial.reference.seconds)
    running.wait_until(lambda: time.monotonic() > moment)
    return ONE_BATCH if running.signal(signal.SIGKILL) and running.wait() < 0 else None


def kill_at_write(pattern: str, last: int) -> Disturb:
    """Killed in one of the first `last` writes of a file, at one of its stages."""

    def disturb(trial: Trial) -> Allowance | None:
        nth, stage = trial.draw.randint(1, last), trial.draw.choice(STAGES)
        return ONE_BATCH if trial.run(hooks.at_write(pattern, nth, stage, hooks.die, trial.fuse)) < 0 else None

    return disturb


def kill_at_report(trial: Trial) -> Allowance | None:
    trial.bring_runs()
    pattern, stage = trial.draw.choice(RESULTS), trial.draw.choice(STAGES)
    return NOTHING if trial.run(hooks.at_write(pattern, 1, stage, hooks.die, trial.fuse)) < 0 else None


def end_by(number: signal.Signals, allowed: Allowance) -> Disturb:
    """The command gets the signal while it trains."""

    def disturb(trial: Trial) -> Allowance | None:
        running = trial.start()
        running.wait_until(trial.trained(trial.draw.randint(1, trial.batches - 1)))
        return allowed if running.signal(number) and running.wait() != 0 else None

    return disturb


def ask_to_stop(number: signal.Signals) -> Disturb:
    """Checkpoints are far apart here: what was trained is kept by the one that the signal asks for."""
    return end_by(number, NOTHING)


def refuse_write(trial: Trial) -> Allowance | None:
    pattern, nth = trial.draw.choice([("last.ckpt", trial.draw.randint(1, 20)), ("record.json", 1), ("weights.pt", 1)])
    code = trial.run(hooks.at_write(pattern, nth, "half", hooks.disk_full, trial.fuse))
    return ONE_BATCH if code != 0 and trial.fuse.exists() else None


def fill_small_disk(trial: Trial) -> Allowance | None:
    free = trial.draw.randrange(100_000, SIZE // 2)
    filler = trial.until_judged.enter_context(small_disk(trial.folder / "runs", free))
    code = trial.run()
    filler.unlink()
    return Allowance(batches=2) if code != 0 else None  # one of each run: the sweep goes on to the next


def read_only(trial: Trial) -> Allowance | None:
    running = trial.start()
    running.wait_until(trial.trained(trial.draw.randint(1, trial.batches - 1)))
    folders = [path for path in [trial.folder / "runs", *trial.files("")] if path.is_dir()]
    for folder in folders:
        folder.chmod(0o555)
    code = running.wait()
    for folder in folders:
        folder.chmod(0o777)
    # a batch of each run, as the sweep went on to the next
    return Allowance(batches=2) if code != 0 else None


def damage_checkpoint(damage: Callable[[Trial, Path], None]) -> Disturb:
    """Killed after some batches, and then the checkpoint is damaged: its run begins again, no other."""

    def disturb(trial: Trial) -> Allowance | None:
        running = trial.start()
        running.wait_until(trial.trained(trial.draw.randint(2, trial.batches - 1)))
        running.signal(signal.SIGKILL)
        running.wait()
        for path in trial.files("last.ckpt"):
            damage(trial, path)
            lost = [run for run, _ in trial.events("trained") if run == path.parent.name]
            return Allowance(batches=len(lost), records=0)
        return None

    return disturb


def damage_record(damage: Callable[[Trial, Path], None]) -> Disturb:
    """One record of the finished sweep is damaged: its run is done again, no other."""

    def disturb(trial: Trial) -> Allowance | None:
        trial.run()
        damage(trial, trial.draw.choice(trial.files("record.json")))
        return Allowance(batches=trial.batches // 2, records=1)

    return disturb


def cut(trial: Trial, path: Path) -> None:
    os.truncate(path, trial.draw.randrange(path.stat().st_size))


def flip(trial: Trial, path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[trial.draw.randrange(len(data))] ^= 1 << trial.draw.randrange(8)
    path.write_bytes(data)


def refuse_call(trial: Trial) -> Allowance | None:
    """A flush of the disk fails once, in a write of any file of a run."""
    pattern, nth = trial.draw.choice([("last.ckpt", trial.draw.randint(1, 20)), ("record.json", 1), ("weights.pt", 1)])
    act = hooks.failing(trial.draw.choice([EIO, EDQUOT, EMFILE, ESTALE]))
    code = trial.run(hooks.at_write(pattern, nth, trial.draw.choice(["half", "whole"]), act, trial.fuse))
    return ONE_BATCH if code != 0 and trial.fuse.exists() else None


def kill_by(number: signal.Signals) -> Disturb:
    """A signal that the suite does not answer: what no checkpoint held is trained again."""
    return end_by(number, ONE_BATCH)


def stop_for_a_while(trial: Trial) -> Allowance | None:
    running = trial.start()
    running.wait_until(trial.trained(trial.draw.randint(1, trial.batches - 1)))
    if not running.signal(signal.SIGSTOP):
        return None
    time.sleep(0.3)
    os.kill(running.process, signal.SIGCONT)
    expect(running.wait() == 0, "a stopped sweep did not go on")
    return NOTHING


def put_beside_checkpoint(name: str, damage: Callable[[Trial, Path], None]) -> Disturb:
    """Killed after some batches, and then a file beside the checkpoint is not what it should be."""

    def disturb(trial: Trial) -> Allowance | None:
        running = trial.start()
        running.wait_until(trial.trained(trial.draw.randint(2, trial.batches - 1)))
        running.signal(signal.SIGKILL)
        running.wait()
        for path in trial.files("last.ckpt"):
            damage(trial, path.with_name(name))
            return ONE_BATCH
        return None

    return disturb


def kill_on_nfs(trial: Trial) -> Allowance | None:
    """The next command writes the same file again, on NFS too."""
    nth, stage = trial.draw.randint(1, 24), trial.draw.choice(STAGES)
    if trial.run(hooks.nfs_locks, hooks.at_write("last.ckpt", nth, stage, hooks.die, trial.fuse)) >= 0:
        return None
    expect(trial.run(hooks.nfs_locks) == 0, "a command after a kill failed on NFS")
    return ONE_BATCH


def damage_results(damage: Callable[[Trial, Path], None]) -> Disturb:
    """A file of results/ is damaged while the store is whole."""

    def disturb(trial: Trial) -> Allowance | None:
        trial.bring_runs()
        trial.run()
        files = [path for path in (trial.folder / "results").rglob("*") if path.suffix and path.stat().st_size]
        damage(trial, trial.draw.choice(sorted(files)))
        return NOTHING

    return disturb


def turn_clock_back(trial: Trial) -> Allowance | None:
    """Killed, then continued a day earlier."""
    allowance = kill_any_time(trial)
    trial.run(hooks.clock_behind(trial.draw.uniform(0, 30) * DAY))
    return allowance


def two_sweeps(trial: Trial) -> Allowance | None:
    running = [trial.start(), trial.start()]
    expect(all(one.wait() == 0 for one in running), "one of two sweeps failed")
    return NOTHING


def two_sweeps_one_killed(trial: Trial) -> Allowance | None:
    killed, other = trial.start(), trial.start()
    killed.wait_until(trial.trained(trial.draw.randint(1, trial.batches - 1)))
    struck = killed.signal(signal.SIGKILL) and killed.wait() < 0
    expect(other.wait() == 0, "the other sweep failed")
    return ONE_BATCH if struck else None


def kill_worker(trial: Trial) -> Allowance | None:
    nth, stage = trial.draw.randint(2, 10), trial.draw.choice(STAGES)
    fault = hooks.at_write("last.ckpt", nth, stage, hooks.die, trial.fuse)
    trial.run(hooks.in_workers(hooks.keep_log(trial.log), fault))
    return Allowance(batches=2) if trial.fuse.exists() else None  # its neighbours are ended by the launcher


def wandb_that(act: Callable[[], None]) -> Disturb:
    """The sweep ends well in spite of it."""

    def disturb(trial: Trial) -> Allowance | None:
        where = trial.draw.choice(["init", "log", "summary", "finish"])
        expect(trial.run(hooks.wandb_that(where, act, trial.fuse)) == 0, "wandb cost a run")
        return NOTHING if trial.fuse.exists() else None

    return disturb


RARELY = ("machine.checkpoint_seconds=3600",)
MIRRORED = ("wandb=offline",)
KINDS = (
    Kind("kill -9 at any moment", kill_any_time),
    Kind("kill -9 in a checkpoint's writing", kill_at_write("last.ckpt", 24)),
    Kind("kill -9 in a record's writing", kill_at_write("record.json", 2)),
    Kind("kill -9 in the weights' writing", kill_at_write("weights.pt", 2)),
    Kind("kill -9 in the report", kill_at_report, reporting=True),
    Kind("SIGTERM", ask_to_stop(signal.SIGTERM), words=RARELY),
    Kind("SIGUSR1", ask_to_stop(signal.SIGUSR1), words=RARELY),
    Kind("full disk: a small tmpfs", fill_small_disk, mounts=True),
    Kind("full disk: the write is refused", refuse_write),
    Kind("read-only folder", read_only),
    Kind("truncated checkpoint", damage_checkpoint(cut)),
    Kind("bit-flipped checkpoint", damage_checkpoint(flip)),
    Kind("truncated record", damage_record(cut)),
    Kind("bit-flipped record", damage_record(flip)),
    Kind("a file-system call fails", refuse_call),
    Kind("SIGINT", kill_by(signal.SIGINT)),
    Kind("SIGHUP", kill_by(signal.SIGHUP)),
    Kind("SIGQUIT", kill_by(signal.SIGQUIT)),
    Kind("SIGSTOP, later SIGCONT", stop_for_a_while),
    Kind("record of another run, sealed", damage_record(foreign.other_runs_record)),
    Kind("record of another configuration, sealed", damage_record(foreign.other_configuration)),
    Kind("record of another version, sealed", damage_record(foreign.other_schema)),
    Kind("record with NaN, sealed", damage_record(foreign.no_number)),
    Kind("folder in the record's place", damage_record(foreign.folder)),
    Kind("pipe in the record's place", damage_record(foreign.pipe)),
    Kind("link to itself in the record's place", damage_record(foreign.self_link)),
    Kind("checkpoint of an older version, sealed", damage_checkpoint(foreign.older_checkpoint)),
    Kind("garbage as checkpoint, sealed", damage_checkpoint(foreign.garbage_checkpoint)),
    Kind("checkpoint of another run, sealed", damage_checkpoint(foreign.other_runs_checkpoint)),
    Kind("folder in the checkpoint's place", damage_checkpoint(foreign.folder)),
    Kind("folder in the lock's place", put_beside_checkpoint("lock", foreign.folder)),
    Kind("link to nowhere in the lock's place", put_beside_checkpoint("lock", foreign.dead_link)),
    Kind("pipe in the progress's place", put_beside_checkpoint("progress.json", foreign.pipe)),
    Kind("orphaned parts, one empty", put_beside_checkpoint("last.ckpt", foreign.orphans)),
    Kind("kill -9 in a write on NFS", kill_on_nfs),
    Kind("truncated file of the results", damage_results(cut), reporting=True),
    Kind("bit-flipped file of the results", damage_results(flip), reporting=True),
    Kind("clock going back", turn_clock_back),
    Kind("two sweeps at once", two_sweeps),
    Kind("two sweeps at once, one killed", two_sweeps_one_killed),
    Kind("a worker dying under the launcher", kill_worker, words=("launcher=local", "machine.workers=2"), rare=True),
    Kind("wandb dead", wandb_that(hooks.refuse), words=MIRRORED),
    Kind("wandb hanging", wandb_that(hooks.hang), words=MIRRORED),
)


def shortened(kinds: Sequence[Kind]) -> list[Kind]:
    """The first kind of each sort, which one function makes, and none of the slow ones."""
    return list({kind.disturb.__code__: kind for kind in reversed(kinds) if not kind.rare}.values())[::-1]
